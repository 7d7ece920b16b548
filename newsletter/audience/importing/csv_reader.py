"""CSV files as people have them: any of the usual encodings and delimiters (RFC 4180, loosely)."""

from __future__ import annotations

import codecs
import csv
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from newsletter.audience.importing.csv_columns import count_known
from newsletter.errors import InputError

DELIMITERS = ",;\t|"
LONGEST_CELL = 10_000
"""Characters; a longer cell is usually an unclosed quotation mark, not a name or an attribute."""
_CHUNK = 1 << 20
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_WORKBOOK = b"PK\x03\x04"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


Row = tuple[int, list[str], str]
"""The line a record starts on, its cells, and why it cannot be used (empty: it can be).

Usable cells are stripped, with spaces in place of control characters.
"""


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A file of known encoding and header. ``digest`` (hex SHA-256) identifies its content."""

    path: Path
    encoding: str
    digest: str
    delimiter: str
    header: list[str]
    header_line: int

    def rows(self) -> Iterator[Row]:
        """Every record below the header, one at a time; blank ones are skipped.

        Raises:
            InputError: The file cannot be decoded.
        """
        records = _records(self.path, self.encoding, self.delimiter)
        next(records)
        return records


def open_csv(path: Path) -> CsvFile:
    """Detect encoding, delimiter and header.

    Raises:
        InputError: The file does not exist, is empty, or is not a text file.
    """
    try:
        encoding, digest = _sniff(path)
    except OSError as error:
        raise InputError(f"cannot read the file: {error.strerror}", file=path) from None
    headers = []
    for mark in DELIMITERS:
        first = next(_records(path, encoding, mark), None)
        if first is None:
            fix = "name the columns in the first line"
            raise InputError("the file is empty", file=path, fix=fix)
        line, cells, problem = first
        if problem:
            raise InputError(f"the first row cannot be read: {problem}", file=path, line=line)
        headers.append((mark, line, cells))
    # The right delimiter gives the most known columns; failing that, the most columns.
    delimiter, line, cells = max(headers, key=lambda h: (count_known(h[2]), len(h[2])))
    return CsvFile(path, encoding, digest, delimiter, cells, line)


def _records(path: Path, encoding: str, delimiter: str) -> Iterator[Row]:
    # Undecodable bytes become surrogates, so that only their row is rejected.
    errors = "surrogatepass" if encoding.startswith("utf-16") else "surrogateescape"
    with path.open(encoding=encoding, errors=errors, newline="") as file:
        reader = csv.reader(file, delimiter=delimiter)
        line = 1
        while True:
            try:
                for cells in reader:
                    joined = "".join(cells)
                    # Almost all rows are printable and short: the others may need cleaning.
                    if len(joined) > LONGEST_CELL or not joined.isprintable():
                        problem = _problem(cells)
                        if problem:
                            yield line, cells, problem
                        elif not joined.isspace():
                            yield line, [_CONTROL.sub(" ", cell).strip() for cell in cells], ""
                    elif joined and not joined.isspace():
                        yield line, list(map(str.strip, cells)), ""
                    line = reader.line_num + 1
            except csv.Error:
                yield line, [], "a cell is never closed: check for a missing quotation mark"
                line = reader.line_num + 1
            except UnicodeDecodeError:
                raise InputError(
                    f"the file is not {encoding} throughout", file=path, fix="save it as UTF-8"
                ) from None
            else:
                return


def _problem(cells: list[str]) -> str:
    longest = max(map(len, cells))
    if longest > LONGEST_CELL:
        return f"a cell has {longest:,} characters; at most {LONGEST_CELL:,} are allowed"
    text = "".join(cells)
    if "\0" in text:
        return "it contains a NUL byte"
    if any("\ud800" <= character <= "\udfff" for character in text):
        return "its encoding differs from the rest of the file"
    return ""


def _sniff(path: Path) -> tuple[str, str]:
    digest = hashlib.sha256()
    decoder = codecs.getincrementaldecoder("utf-8")()
    encoding = ""
    valid = True
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            encoding = encoding or _by_mark(path, chunk)
            if len(chunk) == _CHUNK and not (b"\n" in chunk or b"\r" in chunk):
                raise InputError(
                    "a line is longer than a megabyte: this is not a CSV file", file=path
                )
            digest.update(chunk)
            valid = valid and _decodes(decoder, chunk)
        valid = valid and _decodes(decoder, b"", final=True)
    if encoding in {"", "utf-8"} and not valid:
        # One line that is UTF-8 beyond ASCII is no accident: then the others are the broken ones.
        with path.open("rb") as file:
            beyond_ascii = (line for line in file if not line.isascii())
            fresh = codecs.getincrementaldecoder("utf-8")
            mixed = any(_decodes(fresh(), line, final=True) for line in beyond_ascii)
        encoding = "utf-8" if mixed else "cp1252"
    return encoding or "utf-8", digest.hexdigest()


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _by_mark(path: Path, start: bytes) -> str:
    if start.startswith(_WORKBOOK):
        raise InputError("this is a workbook, not CSV", file=path, fix="save it as CSV UTF-8")
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return encoding
    # UTF-16 without a mark: in Latin script, every other byte is mostly zero.
    few = start[:4096]
    for offset, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if 3 * few[offset::2].count(0) > len(few[offset::2]):
            return encoding
    return "utf-8"
