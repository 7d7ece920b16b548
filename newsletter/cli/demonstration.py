"""What `demo` does, step by step, with the same functions as the other commands."""

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

from newsletter.audience.importing.importer import import_csv
from newsletter.audience.keys import load_keys
from newsletter.campaign import approval
from newsletter.campaign.build import build
from newsletter.campaign.context import AppContext
from newsletter.campaign.render_files import render_files, sample_values
from newsletter.campaign.request import SendListener, SendRequest
from newsletter.campaign.run import dry_run, send_live
from newsletter.check.model import Severity
from newsletter.cli.output import counted
from newsletter.database.open import open_store
from newsletter.render.slots import preview_part
from newsletter.settings.model import Settings
from newsletter.studio.demo import Demo, DemoStep, demo_app
from newsletter.transports.smtp.local_mailbox import LocalMailbox
from newsletter.web.http.server import background
from newsletter.web.public.app import public_app

T = TypeVar("T")

ISSUE = "neck-muscles-and-migraine"
LIST = "demo-readers"
PUBLIC = ("/u/", "/p/", "/join", "/api/join", "/confirm/", "/archive")


class Demonstration:
    """A run of the whole workflow in a separate folder, `var/demo`, emptied first.

    Args:
        settings: The publication.
        port: The port of the page, so that links in the mail lead there.
    """

    def __init__(self, settings: Settings, port: int) -> None:
        self._port = port
        self._folder = settings.var / "demo"
        shutil.rmtree(self._folder, ignore_errors=True)
        self._mailbox = _MailboxThread(self._folder / "mailbox")
        # Nothing of the publication is touched: not its database, its relay or its public address.
        on_loopback = {"host": "127.0.0.1", "port": self._mailbox.port, "security": "none"}
        self._settings = settings.model_copy(
            update={
                "publication": settings.publication.model_copy(
                    update={"public_url": f"http://127.0.0.1:{port}"}
                ),
                "transport": "smtp",
                "smtp": settings.smtp.model_copy(update={**on_loopback, "username": ""}),
                "approvals": 1,
                "undo_window": 0.0,
                "var_dir": self._folder,
                "database_url": f"sqlite:///{self._folder / 'newsletter.db'}",
            }
        )
        keys = load_keys(self._settings, live=False)
        self._app = AppContext(self._settings, open_store(self._settings, "demo"), keys, "demo")
        self._issue = settings.root / "issues" / f"{ISSUE}.md"
        self._built = build(self._issue, self._settings)
        self._steps: list[DemoStep] = []

    def steps(self) -> Iterator[DemoStep]:
        """Do one step after the other, and describe each."""
        for step in self._work():
            self._steps.append(step)
            yield step

    def _work(self) -> Iterator[DemoStep]:
        app, built = self._app, self._built
        found = (counted(sum(f.severity is s for f in built.findings), s) for s in Severity)
        yield DemoStep("Checked the sample issue", ", ".join(found))

        summary = render_files(built.compiled, app, self._folder / "rendered")
        html, text = summary["html_bytes"] / 1024, summary["text_bytes"] / 1024
        sizes = f"{html:.0f} KB of HTML, {text:.0f} KB of text"
        yield DemoStep("Rendered it", f"{sizes}; digest {summary['digest'][:12]}")

        file = self._settings.root / "subscribers.example.csv"
        declared = app.settings.merge_fields
        report = import_csv(
            app.store, app.keys, file, list_name=LIST, source="demo", declared=declared
        )
        yield DemoStep("Imported subscribers.example.csv", report.summary())

        approval.approve(app, built, audience=LIST)
        yield DemoStep("Approved exactly this content", "any change, even a comma, voids it")

        # The real send, with a confirmation that always agrees.
        request = SendRequest(self._issue, LIST)
        sent = send_live(
            app, request, confirm=lambda pending: pending.mailable, listener=SendListener()
        ).status.tally
        yield DemoStep(
            "Sent it over SMTP to a mailbox on this machine",
            f"{sent.accepted} of {sent.audience} accepted, {sent.failed} failed, "
            f"{sent.uncertain} uncertain",
        )

        # As a mail program does it: from the header of the mail that arrived.
        first = min((self._folder / "mailbox").glob("*.eml"))
        headers = BytesHeaderParser().parsebytes(first.read_bytes())
        url = headers["List-Unsubscribe"].strip().strip("<>")
        post = urllib.request.Request(url, data=b"List-Unsubscribe=One-Click", method="POST")  # noqa: S310
        with (
            background(public_app(app.store, app.keys, self._settings), self._port),
            urllib.request.urlopen(post, timeout=10) as answer,  # noqa: S310 -- our own server
        ):
            outcome = f"POST to the List-Unsubscribe URL: {answer.status}"
        yield DemoStep("One reader unsubscribed with one click", outcome)

        again = SendRequest(self._issue, LIST, again_reason="to show who is skipped")
        found_out = dry_run(app, again, listener=SendListener(), out=self._folder / "next").status
        counts = found_out.tally
        skipped = ", ".join(f"{number} {reason}" for reason, number in counts.skipped.items())
        yield DemoStep(
            "Counted who would receive the next issue",
            f"{counts.accepted} of {counts.audience}; skipped: {skipped}",
        )

    def places(self) -> dict[str, Path]:
        """Where the files are."""
        return {
            "mailbox": self._folder / "mailbox",
            "rendered": self._folder / "rendered",
            "database": self._folder / "newsletter.db",
        }

    def app(self) -> ASGIApp:
        """The page that shows everything, and the public pages that links in the mail lead to."""
        compiled = self._built.compiled
        page = demo_app(
            self._settings,
            Demo(
                title=compiled.title,
                steps=self._steps,
                html=preview_part(compiled.variants[0].html, sample_values(self._settings)),
                findings=self._built.findings,
                mailbox=self._folder / "mailbox",
                media=self._folder / "rendered" / "media",
                places=self.places(),
            ),
        )
        public = public_app(self._app.store, self._app.keys, self._settings)

        async def both(scope: Scope, receive: Receive, send: Send) -> None:
            is_public = scope.get("path", "").startswith(PUBLIC)
            await (public if is_public else page)(scope, receive, send)

        return both

    def close(self) -> None:
        """Stop the mailbox and close the database."""
        self._mailbox.stop()
        self._app.store.close()


class _MailboxThread:
    """The local mailbox, in a thread with its own event loop."""

    def __init__(self, folder: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._mailbox = LocalMailbox(folder)
        self.port = self._wait(self._mailbox.start())

    def stop(self) -> None:
        """Stop accepting mail."""
        self._wait(self._mailbox.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, step: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(step, self._loop).result(timeout=10)
