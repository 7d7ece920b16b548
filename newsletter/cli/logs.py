"""The log: JSON lines for machines; people at a terminal get readable lines.

Every package logs to the standard library's ``newsletter.PACKAGE`` loggers: a constant event, its
facts as ``extra``. No address, name, token, subject or text of another server may be among the
facts; as a second safeguard, whatever looks like an address and the text of exceptions are removed
here.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from collections.abc import Callable
from datetime import datetime
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

from newsletter.errors import UnavailableError

if TYPE_CHECKING:
    from structlog.stdlib import ProcessorFormatter

    from newsletter.settings.model import Settings

Render = Callable[[Any, str, Any], str]

REQUESTS = "newsletter.web.access"
_ADDRESS = re.compile(r"\S*@\S*")


def configure(settings: Settings, *, service: bool = False) -> None:
    """Send the log, and other libraries' warnings, to where the settings say.

    At a terminal the command itself reports what went wrong, so only errors are logged there
    unless ``log_level`` is set.

    Args:
        service: The command runs for a long time and prints little (`serve`, `worker`): warnings
            are shown on a terminal, too, and each web request where only warnings are by default.

    Raises:
        UnavailableError: ``log_file`` cannot be written.
    """
    terminal = not settings.log_file and sys.stderr.isatty()
    # Without a terminal, standard error is read by a service manager: JSON for it, too.
    handler = _handler(settings)
    handler.setFormatter(_Lines(_readable if terminal else _json))
    usual = "info" if settings.log_file else "error" if terminal and not service else "warning"
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("newsletter").setLevel((settings.log_level or usual).upper())
    shown = service and not settings.log_level
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
            f"cannot write the log: {error.strerror}", file=path, fix="choose another log_file"
        ) from None


class _ReportsOnce:
    """Reports once, without a traceback, that the log cannot be written; the work continues."""

    _said = False

    def handleError(self, record: logging.LogRecord) -> None:
        """Called by `logging` when writing a line failed."""
        if not self._said and sys.stderr:
            self._said = True
            print(f"the log cannot be written: {sys.exception()!r}", file=sys.__stderr__)


class _File(_ReportsOnce, WatchedFileHandler):
    """Appends to a file, and reopens it after it was rotated."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8", errors="backslashreplace")


class _StandardError(_ReportsOnce, logging.StreamHandler[Any]):
    """Writes to the current `sys.stderr`."""

    def emit(self, record: logging.LogRecord) -> None:
        # A live progress line replaces sys.stderr while it is shown.
        self.stream = sys.stderr
        super().emit(record)


class _Lines(logging.Formatter):
    """One line per record."""

    _inner: ProcessorFormatter | None = None

    def __init__(self, render: Render) -> None:
        super().__init__()
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        """Render one record."""
        # Loaded with the first record: most commands log nothing, and structlog takes a while.
        self._inner = self._inner or _formatter(self._render)
        return self._inner.format(record)


def _formatter(render: Render) -> ProcessorFormatter:
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
            render,
        ],
    )


def _json(_logger: Any, _method: str, event: Any) -> str:
    return json.dumps(event, ensure_ascii=False)


def _readable(_logger: Any, _method: str, event: Any) -> str:
    """``14:03:11 GET /u/{token} 200, 3 ms``; ``14:03:11 warning: connection lost (code 421)``."""
    at = datetime.fromisoformat(event.pop("at")).astimezone()
    level, logger, what = (event.pop(name, "") for name in ("level", "logger", "event"))
    if logger == REQUESTS:
        line = f"{event['method']} {event['route']} {event['status']}, {event['ms']} ms"
    else:
        facts = ", ".join(f"{name} {value}" for name, value in event.items())
        line = f"{level}: {what}" + (f" ({facts})" if facts else "")
    return f"{at:%H:%M:%S} " + "".join(c if c.isprintable() else "?" for c in line)


def _exception_without_words(_logger: Any, _method: str, event: Any) -> Any:
    """Keep an exception's type and place only: its message may quote personal data."""
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
