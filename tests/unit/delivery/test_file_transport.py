"""The folder that a dry run leaves behind."""

import asyncio
import errno
import json
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from newsletter.delivery.model import Delivery, Outcome, Result
from newsletter.errors import UnavailableError
from newsletter.transports.file import FileTransport
from tests.integration.transports.test_contract import Notes
from tests.support.golden import check_golden
from tests.unit.delivery.issues import compiled, composer, reader


def write(folder: Path, batch: list[Delivery], *, fresh: bool = False) -> list[Outcome]:
    async def main() -> list[Outcome]:
        transport = FileTransport(folder, fresh=fresh)
        outcomes = await transport.deliver(batch, composer(compiled()), Notes())
        await transport.close()
        return outcomes

    return asyncio.run(main())


def test_messages_are_files_named_by_position_and_listed(tmp_path: Path) -> None:
    write(tmp_path, [reader(2, "Zoë"), reader(11, "<b>&")])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "0002.eml",
        "0011.eml",
        "index.html",
        "index.json",
    ]
    message = message_from_bytes((tmp_path / "0002.eml").read_bytes(), policy=policy.default)
    assert message["To"] == "reader2@mail.example"
    listed = json.loads((tmp_path / "index.json").read_text(encoding="utf-8"))["messages"]
    assert listed[0] == {
        "file": "0002.eml",
        "to": "reader2@mail.example",
        "subject": "For Zoë: migraine – the neck",
    }
    check_golden(
        "delivery/file_transport.html", (tmp_path / "index.html").read_text(encoding="utf-8")
    )


def test_writing_the_same_messages_again_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path, [reader(1), reader(2)])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    write(tmp_path, [reader(2)])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_fresh_folder_drops_the_messages_of_the_last_run_only(tmp_path: Path) -> None:
    write(tmp_path, [reader(1), reader(2), reader(3)])
    (tmp_path / "notes.eml").write_text("mine")
    write(tmp_path, [reader(1)], fresh=True)
    assert sorted(path.name for path in tmp_path.glob("*.eml")) == ["0001.eml", "notes.eml"]


def test_a_full_disk_leaves_no_partial_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if self.stem in {"0003", "0004"}:
            real(self, data[:100])
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    results = [each.result for each in write(tmp_path, [reader(n) for n in (2, 3, 4)])]
    assert results == [Result.ACCEPTED, Result.RETURNED, Result.RETURNED]
    assert [path.name for path in tmp_path.glob("0*")] == ["0002.eml"]
    with pytest.raises(UnavailableError, match="No space left"):
        write(tmp_path, [reader(3), reader(4)])
    assert [path.name for path in tmp_path.glob("0*")] == ["0002.eml"]


def test_a_folder_that_cannot_be_created_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnavailableError, match="cannot write to the folder"):
        FileTransport(tmp_path / "file" / "outbox")
