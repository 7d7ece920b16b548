"""What `demo` does, step by step. It uses the rooms exactly as the other commands do."""

from __future__ import annotations

import asyncio
import shutil
import threading
import urllib.request
from collections.abc import Coroutine, Iterator
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any, TypeVar

from starlette.types import ASGIApp, Receive, Scope, Send

from newsletter.audience import import_csv, load_keys
from newsletter.campaign import approval, opening, sending
from newsletter.campaign.desk import Desk
from newsletter.campaign.export import export, sample_values
from newsletter.campaign.freeze import Audience
from newsletter.campaign.prepare import prepare
from newsletter.check import Severity
from newsletter.deliver.mailbox import Mailbox
from newsletter.render import preview_part
from newsletter.settings import Settings
from newsletter.store import open_store
from newsletter.web.demo import Demo, Step, demo_app
from newsletter.web.public import public_app
from newsletter.web.server import background

T = TypeVar("T")

ISSUE = "neck-muscles-and-migraine"
READERS = Audience("demo-readers")
PUBLIC = ("/u/", "/p/", "/join", "/api/join", "/confirm/", "/archive")


class Demonstration:
    """A run of the main job in a folder of its own, `var/demo`, emptied first.

    Args:
        settings: The publication.
        port: Where the page will be served, so that links in the mail lead there.
    """

    def __init__(self, settings: Settings, port: int) -> None:
        self._port = port
        self._folder = settings.var / "demo"
        shutil.rmtree(self._folder, ignore_errors=True)
        self._mailbox = _MailboxThread(self._folder / "mailbox")
        self._settings = _on_loopback(settings, self._folder, port, self._mailbox.port)
        keys = load_keys(self._settings, live=False)
        self._desk = Desk(self._settings, open_store(self._settings, "demo"), keys, "demo")
        self._steps: list[Step] = []
        self._prepared = prepare(settings.root / "issues" / f"{ISSUE}.md", self._settings)

    def steps(self) -> Iterator[Step]:
        """Do one thing after the other, and tell of each."""
        acts = (
            self._check,
            self._render,
            self._import,
            self._approve,
            self._send,
            self._leave,
            self._send_again,
        )
        for act in acts:
            step = act()
            self._steps.append(step)
            yield step

    def places(self) -> dict[str, Path]:
        """What lies where."""
        return {
            "mailbox": self._folder / "mailbox",
            "rendered": self._folder / "rendered",
            "database": self._folder / "newsletter.db",
        }

    def app(self) -> ASGIApp:
        """The page to look at it all, and the public pages that the mail's links lead to."""
        page = demo_app(
            self._settings,
            Demo(
                title=self._prepared.compiled.title,
                steps=self._steps,
                html=preview_part(
                    self._prepared.compiled.variants[0].html, sample_values(self._settings)
                ),
                findings=self._prepared.findings,
                mailbox=self._folder / "mailbox",
                media=self._folder / "rendered" / "media",
                places=self.places(),
            ),
        )
        public = public_app(self._desk.store, self._desk.keys, self._settings)

        async def both(scope: Scope, receive: Receive, send: Send) -> None:
            is_public = scope.get("path", "").startswith(PUBLIC)
            await (public if is_public else page)(scope, receive, send)

        return both

    def close(self) -> None:
        """Stop the mailbox and close the database."""
        self._mailbox.stop()
        self._desk.store.close()

    def _check(self) -> Step:
        found = self._prepared.findings
        counts = ((sum(f.severity is s for f in found), s) for s in Severity)
        words = [f"{number} {s}{'' if number == 1 else 's'}" for number, s in counts]
        return Step("Checked the sample issue", ", ".join(words))

    def _render(self) -> Step:
        summary = export(self._prepared.compiled, self._desk, self._folder / "rendered")
        size = f"{summary['html_bytes'] / 1024:.0f} KB of HTML, {summary['text_bytes'] / 1024:.0f}"
        return Step("Rendered it", f"{size} KB of text; digest {summary['digest'][:12]}")

    def _import(self) -> Step:
        report = import_csv(
            self._desk.store,
            self._desk.keys,
            self._settings.root / "subscribers.example.csv",
            list_name=READERS.list_name,
            source="demo",
            declared=self._settings.merge_fields,
        )
        return Step("Imported subscribers.example.csv", report.summary())

    def _approve(self) -> Step:
        approval.approve(self._desk, self._prepared, audience=READERS.list_name)
        return Step("Approved exactly this content", "change a comma and the approval is gone")

    def _send(self) -> Step:
        sent = sending.run(
            self._desk,
            self._open(),
            sending.open_transport(self._settings, self._folder),
            proof=False,
        )
        counts = sent.tally
        return Step(
            "Sent it over SMTP to a mailbox on this machine",
            f"{counts.accepted} of {counts.audience} accepted, {counts.failed} failed, "
            f"{counts.uncertain} uncertain",
        )

    def _leave(self) -> Step:
        url = _one_click_url(self._folder / "mailbox")
        public = public_app(self._desk.store, self._desk.keys, self._settings)
        with background(public, self._port):
            status = _post(url)
        return Step("One reader left with one click", f"POST to the List-Unsubscribe URL: {status}")

    def _send_again(self) -> Step:
        opened = self._open(again="to show who is skipped")
        opening.discard(self._desk.store, opened)
        skipped = ", ".join(f"{n} {reason}" for reason, n in opened.status.tally.skipped.items())
        return Step(
            "Counted whom the next issue would reach",
            f"{opened.mailable} of {opened.status.tally.audience}; skipped: {skipped}",
        )

    def _open(self, again: str = "") -> opening.Opened:
        return opening.open_campaign(
            self._desk, self._prepared.compiled, READERS, again_reason=again, live=True
        )


def _on_loopback(settings: Settings, folder: Path, port: int, smtp_port: int) -> Settings:
    url = f"http://127.0.0.1:{port}"
    smtp = settings.smtp.model_copy(
        update={"host": "127.0.0.1", "port": smtp_port, "security": "none", "username": ""}
    )
    return settings.model_copy(
        update={
            "publication": settings.publication.model_copy(update={"public_url": url}),
            "transport": "smtp",
            "smtp": smtp,
            "approvals": 1,
            "var_dir": folder,
            "database_url": f"sqlite:///{folder / 'newsletter.db'}",
        }
    )


def _one_click_url(mailbox: Path) -> str:
    first = min(mailbox.glob("*.eml"))
    headers = BytesHeaderParser().parsebytes(first.read_bytes())
    return headers["List-Unsubscribe"].strip().strip("<>")


def _post(url: str) -> int:
    request = urllib.request.Request(url, data=b"List-Unsubscribe=One-Click", method="POST")  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 -- our own server
        return int(answer.status)


class _MailboxThread:
    """The local mailbox, in a thread with an event loop of its own."""

    def __init__(self, folder: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._mailbox = Mailbox(folder)
        self.port = self._wait(self._mailbox.start())

    def stop(self) -> None:
        """Stop taking mail."""
        self._wait(self._mailbox.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, step: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(step, self._loop).result(timeout=10)
