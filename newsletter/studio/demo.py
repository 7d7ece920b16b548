"""The page at the end of the demonstration: what happened, and every message it sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from newsletter.campaign.media import read_media
from newsletter.check.model import Finding
from newsletter.settings.model import Settings
from newsletter.studio.page import by_weight, read_view
from newsletter.studio.sandbox_frame import force_scheme, frame_response, local_pictures
from newsletter.web.http.middleware import STAFF_POLICY, LoopbackOnly, SecurityHeaders
from newsletter.web.public.media import media_route
from newsletter.web.public.pages import Pages

LISTED = 200
"""Messages listed on the page; the rest are in the folder."""


@dataclass(frozen=True, slots=True)
class DemoStep:
    """One step of the demonstration, and its outcome."""

    title: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Demo:
    """The results of a demonstration.

    ``html`` is the issue as a sample reader gets it, ``mailbox`` the folder of received ``.eml``
    files, ``media`` the folder of pictures named ``<sha256><suffix>``, ``places`` names folders.
    """

    title: str
    steps: Sequence[DemoStep]
    html: str
    findings: Sequence[Finding]
    mailbox: Path
    media: Path
    places: Mapping[str, Path]


@dataclass(frozen=True, slots=True)
class Received:
    """One message of the mailbox."""

    name: str
    message: EmailMessage

    def part(self, kind: str) -> str:
        """The text of its ``html`` or ``plain`` part; empty if it has none."""
        body = self.message.get_body((kind,))
        return str(body.get_content()) if body else ""


def demo_app(settings: Settings, demo: Demo) -> Starlette:
    """The demonstration's pages, for loopback only.

    Args:
        settings: The publication and its colors.
        demo: What happened.
    """
    pages = Pages(settings, "studio")
    show = _DemoPages(settings, demo, pages)
    return Starlette(
        routes=[
            Route("/", show.index),
            Route("/issue/mail", show.issue),
            Route("/received/{name}", show.message),
            Route("/received/{name}/mail", show.mail),
            media_route(lambda name: read_media(demo.media / name)),
            pages.route(),
        ],
        middleware=[Middleware(SecurityHeaders, policy=STAFF_POLICY), Middleware(LoopbackOnly)],
        exception_handlers={HTTPException: pages.explain, 500: pages.explain},
    )


class _DemoPages:
    """The pages themselves."""

    def __init__(self, settings: Settings, demo: Demo, pages: Pages) -> None:
        self._demo = demo
        self._pages = pages
        self._public_url = settings.publication.public_url

    async def index(self, request: Request) -> Response:
        """What happened, the issue twice, the findings, the messages, the files."""
        files = self._files()
        received = await run_in_threadpool(lambda: [_read(f) for f in files[:LISTED]])
        return self._pages.respond(
            "demo.html",
            demo=self._demo,
            received=received,
            total=len(files),
            findings=by_weight(self._demo.findings),
            view=read_view(request.query_params, 1),
        )

    async def issue(self, request: Request) -> Response:
        """The issue, as the document of a frame."""
        return self._frame(request, self._demo.html)

    async def message(self, request: Request) -> Response:
        """One received message: rendered, as text, its headers."""
        received = await self._received(request)
        view = read_view(request.query_params, 1)
        return self._pages.respond(
            "received.html",
            received=received,
            view=view,
            widths=(320, 600),
            text=received.part("plain"),
            headers=list(received.message.items()),
        )

    async def mail(self, request: Request) -> Response:
        """A received message's HTML part, as the document of a frame."""
        return self._frame(request, (await self._received(request)).part("html"))

    def _frame(self, request: Request, html: str) -> Response:
        view = read_view(request.query_params, 1)
        html = force_scheme(local_pictures(html, self._public_url), view.scheme)
        return frame_response(html, images=view.images)

    def _files(self) -> list[Path]:
        return sorted(self._demo.mailbox.glob("*.eml"))

    async def _received(self, request: Request) -> Received:
        wanted = request.path_params["name"]
        for file in self._files():
            if file.name == wanted:
                return await run_in_threadpool(_read, file)
        raise HTTPException(404)


def _read(file: Path) -> Received:
    with file.open("rb") as source:
        message = BytesParser(EmailMessage, policy=policy.default).parse(source)
    return Received(file.name, message)
