"""The log: JSON lines, and nobody in them."""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.cli import logs
from newsletter.errors import UnavailableError
from newsletter.settings import Settings
from tests.unit.campaign.sample_report import settings

Configure = Callable[..., None]
log = logging.getLogger("newsletter.deliver")


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
        "logger": "newsletter.deliver",
        "host": "relay.example",
        "code": 421,
    }


def test_a_server_shows_its_requests(
    configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(requests=True)
    log.info("not shown")
    logging.getLogger(logs.REQUESTS).info("request", extra={"route": "/u/{token}", "status": 200})
    assert [line["event"] for line in lines(capsys.readouterr().err)] == ["request"]


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
