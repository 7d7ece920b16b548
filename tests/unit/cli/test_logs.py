"""The log: JSON lines, and nobody in them."""

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.cli import logs
from newsletter.errors import UnavailableError
from newsletter.settings.model import Settings
from tests.unit.campaign.sample_report import settings

Configure = Callable[..., None]
log = logging.getLogger("newsletter.delivery")


@pytest.fixture
def configure() -> Iterator[Configure]:
    """Configure as the command line does, and put everything back afterwards."""
    root, ours = logging.getLogger(), logging.getLogger("newsletter")
    before = (root.handlers[:], root.level, ours.level)

    def configure(changed: Settings | None = None, **options: Any) -> None:
        root.handlers = []
        logs.configure(changed or settings(), **options)

    yield configure
    for handler in root.handlers:
        with suppress(OSError):
            handler.close()
    root.handlers, root.level, ours.level = before
    logging.getLogger(logs.REQUESTS).setLevel(logging.NOTSET)
    logging.getLogger().manager._clear_cache()  # type: ignore[attr-defined]


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_standard_error_is_quiet_but_for_warnings(
    configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    configure()
    log.info("campaign started", extra={"campaign": 3})
    log.warning("connection lost", extra={"host": "relay.example", "code": 421})
    (line,) = lines(capsys.readouterr().err)
    assert line.pop("at").endswith("Z")
    assert line == {
        "event": "connection lost",
        "level": "warning",
        "logger": "newsletter.delivery",
        "host": "relay.example",
        "code": 421,
    }


def test_a_server_shows_its_requests(
    configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(service=True)
    log.info("not shown")
    logging.getLogger(logs.REQUESTS).info("request", extra={"route": "/u/{token}", "status": 200})
    assert [line["event"] for line in lines(capsys.readouterr().err)] == ["request"]


@pytest.fixture
def at_terminal(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Configure as if standard error were a terminal."""

    def configure_there(*arguments: Any, **options: Any) -> None:
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        configure(*arguments, **options)

    return configure_there


def test_at_a_terminal_a_command_speaks_for_itself(
    at_terminal: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    at_terminal()
    log.warning("unavailable", extra={"campaign": 3})
    assert capsys.readouterr().err == ""
    log.error("message without recipients taken", extra={"code": 250, "reason": "\x1b[2J\u202e"})
    said = capsys.readouterr().err
    assert said[8:] == " error: message without recipients taken (code 250, reason ?[2J?)\n"


def test_at_a_terminal_a_server_shows_its_requests_to_be_read(
    at_terminal: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    at_terminal(service=True)
    facts = {"method": "GET", "route": "/u/{token}", "status": 200, "ms": 3}
    logging.getLogger(logs.REQUESTS).info("request", extra=facts)
    log.warning("unavailable")
    request, warning = capsys.readouterr().err.splitlines()
    assert request[8:] == " GET /u/{token} 200, 3 ms"
    assert warning[8:] == " warning: unavailable"


def test_at_a_terminal_too_a_file_gets_json(at_terminal: Configure, tmp_path: Path) -> None:
    file = tmp_path / "newsletter.log"
    at_terminal(settings().model_copy(update={"log_file": str(file)}))
    log.warning("unavailable")
    assert lines(file.read_text())[0]["event"] == "unavailable"


def test_a_file_has_everything_from_info_on(configure: Configure, tmp_path: Path) -> None:
    file = tmp_path / "logs" / "newsletter.log"
    configure(settings().model_copy(update={"log_file": str(file)}))
    log.info("first")
    file.rename(file.with_suffix(".1"))
    log.info("second")
    assert [line["event"] for line in lines(file.read_text())] == ["second"]
    assert [line["event"] for line in lines(file.with_suffix(".1").read_text())] == ["first"]


def test_a_file_that_cannot_be_written_is_an_error_at_once(
    configure: Configure, tmp_path: Path
) -> None:
    with pytest.raises(UnavailableError, match="cannot write the log"):
        configure(settings().model_copy(update={"log_file": str(tmp_path)}))


def test_a_full_disk_is_said_once_and_stops_nothing(
    configure: Configure, capfd: pytest.CaptureFixture[str]
) -> None:
    configure(settings().model_copy(update={"log_file": "/dev/full"}))
    for _ in range(3):
        log.warning("unheard")
    said = capfd.readouterr().err
    assert said.count("cannot be written") == 1
    assert "Traceback" not in said


def test_an_exception_keeps_kind_and_place_and_loses_its_words(
    configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    configure()
    try:
        raise KeyError("Maria Rivera")
    except KeyError:
        log.exception("Maria Rivera broke it")
    said = capsys.readouterr().err
    (line,) = lines(said)
    assert (line["event"], line["error"]) == ("exception", "KeyError")
    assert "test_logs.py" in line["where"][-1]
    assert "Maria" not in said


@given(st.text(), st.emails(), st.text())
def test_no_address_survives(before: str, address: str, after: str) -> None:
    event = {"event": f"{before} {address} {after}", "host": address}
    cleaned = logs._without_addresses(None, "info", event)
    assert address not in str(cleaned["event"])
    assert cleaned["host"] != address
