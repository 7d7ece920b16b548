"""The `file` transport: a folder of ``.eml`` files to look at. Nothing leaves the machine."""

from __future__ import annotations

import asyncio
import html
import json
from collections.abc import Iterator, Sequence
from email import message_from_bytes, policy
from pathlib import Path

from newsletter.delivery.model import Compose, Delivery, Journal, Outcome, Result, WithheldError
from newsletter.errors import InputError, UnavailableError
from newsletter.transports.base import TransportKind

SHOWN = 1000
"""Messages that `index.html` lists; `index.json` lists all."""
_HEAD = 8192


class FileTransport:
    """Writes each message to ``0001.eml``, numbered by position; the same one again replaces it.

    `close` writes ``index.html`` and ``index.json``: who gets what, under which subject.

    Args:
        folder: Where to; made when it is missing.
        fresh: Take away what an earlier run left in the folder.

    Raises:
        UnavailableError: The folder cannot be written to.
    """

    batch = 0

    def __init__(self, folder: Path, *, fresh: bool = False) -> None:
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in _messages(folder) if fresh else ():
                path.unlink()
        except OSError as error:
            raise _unwritable(folder, error) from None

    async def deliver(
        self, batch: Sequence[Delivery], compose: Compose, journal: Journal
    ) -> list[Outcome]:
        """Write a batch.

        Raises:
            UnavailableError: Not one could be written (disk full, say). Where some could, the
                others are returned.
        """
        return await asyncio.to_thread(self._write_all, batch, compose, journal)

    def recall(self) -> None:
        """Nothing waits here: each message is written at once."""

    async def close(self) -> None:
        """Write the index.

        Raises:
            UnavailableError: There is no room for it.
        """
        await asyncio.to_thread(self._write_index)

    def _write_all(
        self, batch: Sequence[Delivery], compose: Compose, journal: Journal
    ) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for index, delivery in enumerate(batch):
            try:
                outcomes.append(self._write(delivery, compose, journal))
            except UnavailableError:
                if not outcomes:
                    raise
                rest = batch[index:]
                return [*outcomes, *(Outcome(each.position, Result.RETURNED) for each in rest)]
        return outcomes

    def _write(self, delivery: Delivery, compose: Compose, journal: Journal) -> Outcome:
        position = delivery.position
        try:
            message = compose(delivery)
        except WithheldError:
            return Outcome(position, Result.RETURNED)
        except InputError as error:
            return Outcome(position, Result.FAILED, reply=str(error))
        path = self._folder / f"{position:04}.eml"
        draft = self._draft(path, message.data)
        journal.begun(position)
        _replace(draft, path)
        outcome = Outcome(position, Result.ACCEPTED, reply=f"written to {path.name}")
        journal.replied(outcome)
        return outcome

    def _draft(self, path: Path, data: bytes) -> Path:
        """The file under another name: half-written ones are never taken for messages."""
        draft = path.with_suffix(".part")
        try:
            draft.write_bytes(data)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise _unwritable(self._folder, error) from None
        return draft

    def _write_index(self) -> None:
        entries = _entries(self._folder)
        page = self._draft(self._folder / "index.html", _page(entries).encode())
        _replace(page, self._folder / "index.html")
        listing = json.dumps({"messages": entries}, indent=1, ensure_ascii=False) + "\n"
        data = self._draft(self._folder / "index.json", listing.encode())
        _replace(data, self._folder / "index.json")


def _replace(draft: Path, path: Path) -> None:
    try:
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise _unwritable(path.parent, error) from None


def _unwritable(folder: Path, error: OSError) -> UnavailableError:
    return UnavailableError(
        f"cannot write to the folder {folder}: {error.strerror}",
        fix="make room on the disk, or choose another folder",
    )


def _messages(folder: Path) -> Iterator[Path]:
    return (path for path in folder.glob("*.eml") if path.stem.isdigit())


def _entries(folder: Path) -> list[dict[str, str]]:
    return [_entry(path) for path in sorted(_messages(folder), key=lambda path: int(path.stem))]


def _entry(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        head = message_from_bytes(file.read(_HEAD).partition(b"\r\n\r\n")[0], policy=policy.default)
    return {"file": path.name, "to": str(head["To"]), "subject": str(head["Subject"])}


_STYLE = """
body{margin:2rem auto;max-width:60rem;padding:0 1rem;background:#F6F3EC;color:#1B2A2F;
font:1rem/1.5 system-ui,sans-serif}
h1{font:600 1.5rem/1.25 Georgia,serif}
table{width:100%;border-collapse:collapse;background:#FFF}
th,td{padding:.5rem .75rem;text-align:left;border-bottom:1px solid #E3DDD0;overflow-wrap:anywhere}
th{color:#4A5B60;font-weight:600}a{color:#0B6B6B}
@media(prefers-color-scheme:dark){body{background:#12191B;color:#E8EFEF}table{background:#1A2427}
th,td{border-color:#33413F}th{color:#A9B8BB}a{color:#6FD0CB}}
"""


def _page(entries: Sequence[dict[str, str]]) -> str:
    rows = "".join(
        f'<tr><td><a href="{entry["file"]}">{entry["file"]}</a></td>'
        f"<td>{html.escape(entry['to'])}</td><td>{html.escape(entry['subject'])}</td></tr>\n"
        for entry in entries[:SHOWN]
    )
    more = len(entries) - SHOWN
    note = f"<p>and {more:,} more: see <a href='index.json'>index.json</a></p>" if more > 0 else ""
    title = f"Outbox: {len(entries):,} {'message' if len(entries) == 1 else 'messages'}"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body>\n"
        f"<main><h1>{title}</h1>\n"
        "<p>Nothing here has left this machine. Open a message in your mail program.</p>\n"
        '<table><thead><tr><th scope="col">Message</th><th scope="col">To</th>'
        f'<th scope="col">Subject</th></tr></thead>\n<tbody>\n{rows}</tbody></table>{note}</main>\n'
        "</body></html>\n"
    )


FILE = TransportKind(
    name="file",
    open=lambda _, folder: FileTransport(folder),
    describe=lambda _: "as files: nothing leaves this machine",
    reaches_people=lambda _: False,
    reaches_outside=lambda _: False,
)
