"""The log: JSON lines of what happens, for machines; people get words.

Any room logs to the standard library's ``newsletter.ROOM`` loggers: a constant event, its facts as
``extra``. No address, name, token, subject or word from another server may be among the facts;
what looks like an address or belongs to an exception is taken out here all the same.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

from newsletter.errors import UnavailableError

if TYPE_CHECKING:
    from structlog.stdlib import ProcessorFormatter

    from newsletter.settings import Settings

REQUESTS = "newsletter.web.access"
_ADDRESS = re.compile(r"\S*@\S*")


def configure(settings: Settings, *, requests: bool = False) -> None:
    """Send the log to where the settings say; what other libraries warn of goes there too.

    Args:
        requests: Whether each web request is shown where only warnings are by default.

    Raises:
        UnavailableError: ``log_file`` cannot be written.
    """
    handler = _handler(settings)
    handler.setFormatter(_JsonLines())
    level = settings.log_level or ("info" if settings.log_file else "warning")
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("newsletter").setLevel(level.upper())
    shown = requests and not settings.log_level
    logging.getLogger(REQUESTS).setLevel(logging.INFO if shown else logging.NOTSET)


def _handler(settings: Settings) -> logging.Handler:
    if not settings.log_file:
        return _StandardError()
    path = settings.root / settings.log_file
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _File(path)
    except OSError as error:
        raise UnavailableError(
            f"cannot write the log: {error.strerror}", file=path, fix="set log_file to another"
        ) from None


class _Complaint:
    """Says once, and not as a traceback, that the log cannot be written; the work goes on."""

    _said = False

    def handleError(self, record: logging.LogRecord) -> None:
        """Called by `logging` when writing a line failed."""
        if not self._said and sys.stderr:
            self._said = True
            print(f"the log cannot be written: {sys.exception()!r}", file=sys.__stderr__)


class _File(_Complaint, WatchedFileHandler):
    """Appends to a file, and finds it again after it was rotated."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8", errors="backslashreplace")


class _StandardError(_Complaint, logging.StreamHandler[Any]):
    """Writes to what `sys.stderr` is at the time: a live progress line takes its place."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


class _JsonLines(logging.Formatter):
    """One JSON object a line. structlog is loaded with the first of them: most runs have none."""

    _inner: ProcessorFormatter | None = None

    def format(self, record: logging.LogRecord) -> str:
        """Render one record."""
        self._inner = self._inner or _formatter()
        return self._inner.format(record)


def _formatter() -> ProcessorFormatter:
    import structlog

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _exception_without_words,
            _without_addresses,
            structlog.processors.JSONRenderer(serializer=json.dumps, ensure_ascii=False),
        ],
    )


def _exception_without_words(_logger: Any, _method: str, event: Any) -> Any:
    """Keep an exception's kind and place; its words may quote what it was about."""
    error = (event.pop("exc_info", None) or (None, None))[1]
    event.pop("stack_info", None)
    if error is not None:
        frames = traceback.extract_tb(error.__traceback__)
        event["event"] = "exception"
        event["error"] = type(error).__name__
        event["where"] = [f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in frames[-5:]]
    return event


def _without_addresses(_logger: Any, _method: str, event: Any) -> Any:
    return {
        name: _ADDRESS.sub("[address]", value) if isinstance(value, str) else value
        for name, value in event.items()
    }
