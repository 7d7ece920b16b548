"""The `file` transport: a folder of ``.eml`` files to look at. Nothing leaves this machine."""

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
"""Bytes that are read of each message for the index: more than its header takes."""


class FileTransport:
    """Writes each message to ``0001.eml``, numbered by position, replacing an earlier one.

    `close` writes ``index.html`` and ``index.json`` with the address and subject of each message.

    Args:
        folder: Where to write; created if missing.
        fresh: Delete the messages that an earlier run left in the folder.

    Raises:
        UnavailableError: The folder cannot be written to.
    """

    batch = 0

    def __init__(self, folder: Path, *, fresh: bool = False) -> None:
        self._folder = folder
        try:
            # 0700: messages contain addresses and working unsubscribe links.
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in _messages(folder) if fresh else ():
                path.unlink()
        except OSError as error:
            raise _unwritable(folder, error) from None

    async def deliver(
        self, batch: Sequence[Delivery], compose: Compose, journal: Journal
    ) -> list[Outcome]:
        """Write a batch. Messages that no longer fit on the disk are returned.

        Raises:
            UnavailableError: Not a single one could be written, for instance because the disk is
                full.
        """

        def write_all() -> list[Outcome]:
            outcomes: list[Outcome] = []
            for index, delivery in enumerate(batch):
                position = delivery.position
                try:
                    message = compose(delivery)
                    path = self._folder / f"{position:04}.eml"
                    draft = self._draft(path, message.data)
                    journal.begun(position)
                    self._publish(draft, path)
                    outcome = Outcome(position, Result.ACCEPTED, reply=f"written to {path.name}")
                    journal.replied(outcome)
                    outcomes.append(outcome)
                except WithheldError:
                    outcomes.append(Outcome(position, Result.RETURNED))
                except InputError as error:
                    outcomes.append(Outcome(position, Result.FAILED, reply=str(error)))
                except UnavailableError:
                    # By contract an error means that nothing of the batch went out.
                    if not outcomes:
                        raise
                    rest = batch[index:]
                    return [*outcomes, *(Outcome(each.position, Result.RETURNED) for each in rest)]
            return outcomes

        return await asyncio.to_thread(write_all)

    def recall(self) -> None:
        """Do nothing: no message waits."""

    async def close(self) -> None:
        """Write the index.

        Raises:
            UnavailableError: It cannot be written.
        """

        def write_index() -> None:
            # From the files, not from memory: the folder may hold those of an earlier, stopped run.
            entries: list[dict[str, str]] = []
            for path in sorted(_messages(self._folder), key=lambda path: int(path.stem)):
                with path.open("rb") as file:
                    head = file.read(_HEAD).partition(b"\r\n\r\n")[0]
                fields = message_from_bytes(head, policy=policy.default)
                to, subject = str(fields["To"]), str(fields["Subject"])
                entries.append({"file": path.name, "to": to, "subject": subject})
            listing = json.dumps({"messages": entries}, indent=1, ensure_ascii=False) + "\n"
            for name, text in (("index.html", _page(entries)), ("index.json", listing)):
                path = self._folder / name
                self._publish(self._draft(path, text.encode()), path)

        await asyncio.to_thread(write_index)

    def _draft(self, path: Path, data: bytes) -> Path:
        # Under another name first, so that a half-written file is never taken for a message.
        draft = path.with_suffix(".part")
        try:
            draft.write_bytes(data)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise _unwritable(self._folder, error) from None
        return draft

    def _publish(self, draft: Path, path: Path) -> None:
        try:
            draft.replace(path)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise _unwritable(self._folder, error) from None


def _unwritable(folder: Path, error: OSError) -> UnavailableError:
    return UnavailableError(
        f"cannot write to the folder {folder}: {error.strerror}",
        fix="free some disk space, or choose another folder",
    )


def _messages(folder: Path) -> Iterator[Path]:
    # Only names as we give them: the folder may be one where people keep other mail.
    return (path for path in folder.glob("*.eml") if path.stem.isdigit())


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
    title = f"{len(entries):,} {'message' if len(entries) == 1 else 'messages'}"
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
