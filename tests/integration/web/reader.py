"""A reader with a browser and a mailbox: the mail goes over a real SMTP conversation."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any, Self

import httpx
from starlette.applications import Starlette

from newsletter.settings.model import Join, Settings, Smtp, Topic
from newsletter.transactional.drain import Drain
from newsletter.web.public.app import public_app
from tests.integration.web.conftest import KEYS, Clinic
from tests.support.smtp_server import Server

LINK = re.compile(r"https://news\.clinic\.example(/confirm/[A-Za-z0-9_-]{32})\s")
OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}
TOPICS = (
    Topic(list="pain", title="Pain", titles={"es": "Dolor"}),
    Topic(list="sleep", title="Sleep & <i>rest</i>", titles={"es": "Sueño"}),
)


def joinable(settings: Settings, **changes: Any) -> Settings:
    """The same clinic with a join page of two topics, for one other web site too."""
    join = Join(topics=TOPICS, allowed_origins=("https://www.clinic.example",))
    return settings.model_copy(update={"join": join} | changes)


class Reader:
    """Asks pages and opens mail.

    Args:
        clinic: The open database.
        changes: Of the settings.
        server: The SMTP server that the clinic's relay is.
    """

    def __init__(self, clinic: Clinic, server: Server | None = None, **changes: Any) -> None:
        self.clinic = clinic
        self.server = server or Server()
        self._changes = changes
        self._runner = asyncio.Runner()
        self._serving: AbstractAsyncContextManager[Any] | None = None

    def __enter__(self) -> Self:
        self._runner.run(self.server.__aenter__())
        self.app = self.application(self.clinic)
        self.drain = Drain(self.clinic.store, KEYS, self.settings(self.clinic))
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()
        self._runner.run(self.server.__aexit__())
        self._runner.close()

    def settings(self, clinic: Clinic) -> Settings:
        """Mail goes to the server."""
        smtp = Smtp(host="127.0.0.1", port=self.server.port, security="none")
        return joinable(clinic.settings, **({"transport": "smtp", "smtp": smtp} | self._changes))

    def application(self, clinic: Clinic) -> Starlette:
        """The public pages."""
        return public_app(clinic.store, KEYS, self.settings(clinic))

    def ask(
        self, method: str, path: str, *, ip: str = "192.0.2.1", **options: Any
    ) -> httpx.Response:
        """One request. What it caused to be mailed, and is due, has left when this returns; once
        the pages are served (`start`), it leaves meanwhile.
        """

        async def request() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, client=(ip, 1234))
            base = "https://news.clinic.example"
            async with httpx.AsyncClient(transport=transport, base_url=base) as client:
                answer = await client.request(method, path, **options)
            if not self._serving:
                await self.drain.once()
            return answer

        return self._runner.run(request())

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.ask("GET", path, **options)

    def press(self, path: str, data: Any = None, **options: Any) -> httpx.Response:
        """Send a form of our own pages."""
        headers = OWN_PAGE | options.pop("headers", {})
        return self.ask("POST", path, data=data or {}, headers=headers, **options)

    def join(self, email: str, *topics: str, **options: Any) -> httpx.Response:
        form = {"email": email, "topic": list(topics or ("pain",)), "website": ""}
        return self.press("/join", form, **options)

    def wait(self, seconds: float) -> None:
        """Let what the pages do besides go on for a while."""
        self._runner.run(asyncio.sleep(seconds))

    def wait_for(self, done: Callable[[], bool]) -> None:
        """Let it go on until something is so."""

        async def look() -> None:
            async with asyncio.timeout(30):
                while not done():
                    await asyncio.sleep(0.01)

        self._runner.run(look())

    def start(self) -> None:
        """Serve the pages as their server does: the queue is drained while this reader waits."""
        self._serving = self.app.router.lifespan_context(self.app)
        self._runner.run(self._serving.__aenter__())

    def stop(self) -> None:
        """End the pages as their server does when it is told to."""
        if self._serving:
            self._runner.run(self._serving.__aexit__(None, None, None))
        self._serving = None

    @property
    def mail(self) -> list[EmailMessage]:
        """All that the clinic's server has mailed."""
        parser = BytesParser(EmailMessage, policy=policy.default)
        return [parser.parsebytes(one.data) for one in self.server.received]

    @property
    def link(self) -> str:
        """The path of the newest link that was mailed."""
        found = [LINK.search(part(message, "plain")) for message in self.mail]
        return [link[1] for link in found if link][-1]


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body
    return str(body.get_content())
