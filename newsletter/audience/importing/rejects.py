"""The file of rows that were left out: line, reason, and the row as in the source."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TextIO

from newsletter.errors import UsageError


class Rejects:
    """Writes a rejects file, if there is anything to write; only its owner can read it.

    Raises:
        UsageError: It is the imported file itself.
    """

    def __init__(self, path: Path | None, source: Path, header: Sequence[str]) -> None:
        if path is not None and path.resolve() == source.resolve():
            raise UsageError("the rejects file is the file to import", fix="choose another name")
        self._path = path
        self._header = header
        self._file: TextIO | None = None

    @property
    def written(self) -> Path | None:
        """The file, if any row was written to it."""
        return self._path if self._file else None

    def add(self, line: int, reason: str, cells: Sequence[str]) -> None:
        """Write one row."""
        if self._path is None:
            return
        if self._file is None:
            try:
                descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            except OSError as error:
                message = f"cannot write the rejects file {self._path}: {error.strerror}"
                raise UsageError(message) from None
            # A BOM, or spreadsheets read the file in a local encoding.
            self._file = os.fdopen(
                descriptor, "w", encoding="utf-8-sig", errors="backslashreplace", newline=""
            )
            csv.writer(self._file).writerow(["line", "reason", *self._header])
        csv.writer(self._file).writerow([line, reason, *cells])

    def __enter__(self) -> Rejects:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
