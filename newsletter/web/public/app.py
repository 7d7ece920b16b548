"""The application behind the public URL: all readers' pages. No JavaScript, no cookies."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from sqlalchemy import text
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from newsletter.audience.keys import Keys
from newsletter.audience.tokens import TokenSigner
from newsletter.campaign.media import media_folder, read_media
from newsletter.errors import UnavailableError
from newsletter.settings.model import Settings
from newsletter.store.engine import Store
from newsletter.transactional.drain import Drain
from newsletter.transports.base import Webhook
from newsletter.transports.registry import TRANSPORTS
from newsletter.web.http.body import read_body
from newsletter.web.http.middleware import (
    MAX_BODY_BYTES,
    PAGE_POLICY,
    AccessLog,
    PayloadTooLarge,
    SecurityHeaders,
)
from newsletter.web.metrics import Metrics
from newsletter.web.public.archive import ArchivePages
from newsletter.web.public.confirm import ConfirmPages
from newsletter.web.public.context import PublicContext
from newsletter.web.public.media import media_route
from newsletter.web.public.pages import Pages
from newsletter.web.public.preferences import PreferencesPages
from newsletter.web.public.signup import SignupPages
from newsletter.web.public.unsubscribe import UnsubscribePages

log = logging.getLogger("newsletter.web")

Handler = Callable[[Request], Awaitable[Response]]


def public_app(store: Store, keys: Keys, settings: Settings) -> Starlette:
    """The application behind ``public_url``.

    Args:
        store: The open database.
        keys: To verify the tokens in links, and to hash addresses.
        settings: The publication, its colors, and its folders.
    """
    base = urlsplit(settings.publication.public_url).path.rstrip("/")
    pages = Pages(settings, base=base)
    signer = TokenSigner(keys)
    drain = Drain(store, keys, settings)
    site = PublicContext(settings, store, keys, signer, pages, drain)
    metrics = Metrics(store)
    leaving = UnsubscribePages(store, signer, pages, metrics)
    confirming = ConfirmPages(site)
    preferences = PreferencesPages(site)
    media = media_folder(settings)
    home = _home(settings, pages)
    joining: list[BaseRoute] = []
    if settings.join.topics:
        signup = SignupPages(site)
        joining = [
            Route("/join", signup.form, methods=["GET"]),
            Route("/join", signup.join, methods=["POST"]),
            Route("/join/sent", signup.sent),
            Route("/api/join", signup.preflight, methods=["OPTIONS"]),
            Route("/api/join", signup.join_by_json, methods=["POST"]),
        ]
    archive: list[BaseRoute] = []
    if settings.archive != "off":
        past = ArchivePages(site)
        archive = [
            Route("/archive", past.index),
            Route("/archive/feed.xml", past.feed),
            Route("/archive/{slug}", past.article),
        ]

    async def unavailable(request: Request, error: Exception) -> Response:
        log.error("unavailable", extra={"reason": str(error)})
        return await pages.explain(request, HTTPException(503, headers={"Retry-After": "60"}))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        # Queued mail is sent for as long as the pages are served.
        stop = asyncio.Event()
        draining = asyncio.create_task(drain.run(stop))
        yield
        stop.set()
        await draining

    routes: list[BaseRoute] = [
        Route("/", home),
        Route("/u/{token}", leaving.ask, methods=["GET"]),
        Route("/u/{token}", leaving.leave, methods=["POST"]),
        Route("/u/{token}/undo", leaving.undo, methods=["POST"]),
        Route("/u/{token}/reason", leaving.reason, methods=["POST"]),
        Route("/p/{token}", preferences.show, methods=["GET"]),
        Route("/p/{token}", preferences.change, methods=["POST"]),
        *joining,
        *archive,
        Route("/confirm/{token}", confirming.ask, methods=["GET"]),
        Route("/confirm/{token}", confirming.act, methods=["POST"]),
        *_webhooks(store, keys, settings),
        Route("/health", _health(store)),
        metrics.route(public=settings.metrics),
        media_route(lambda name: read_media(media / name)),
        pages.route(),
    ]
    # Some proxies pass on the path of `public_url`, others strip it: both must work.
    app = Starlette(
        routes=[*routes, Route(base, home), Mount(base, routes=routes)] if base else routes,
        middleware=[
            Middleware(AccessLog, observe=metrics.request),
            Middleware(SecurityHeaders, policy=PAGE_POLICY),
            Middleware(PayloadTooLarge, explain=pages.explain),
            Middleware(RequestBodyLimitMiddleware, max_body_size=MAX_BODY_BYTES),
        ],
        exception_handlers={
            HTTPException: pages.explain,
            UnavailableError: unavailable,
            500: pages.explain,
        },
        lifespan=lifespan,
    )
    # Starlette's redirect would lead to whatever host the request names.
    app.router.redirect_slashes = False
    return app


def _webhooks(store: Store, keys: Keys, settings: Settings) -> Iterator[Route]:
    """A route for each provider whose events can be verified, with room for a whole batch."""
    for kind in TRANSPORTS.values():
        webhook = kind.webhook(store, keys, settings)
        if webhook is None:
            continue

        async def receive(request: Request, webhook: Webhook = webhook) -> Response:
            body = await read_body(request)
            reply = await run_in_threadpool(webhook.receive, request.headers, body)
            return Response(reply.reason or None, reply.status, media_type="text/plain")

        path = f"/webhooks/{kind.name}"
        yield Route(path, receive, methods=["POST"], max_body_size=webhook.max_bytes)


def _home(settings: Settings, pages: Pages) -> Handler:
    """The page at the bare address: a redirect to the archive or the form, if there is one."""
    to = "/archive" if settings.archive == "public" else "/join" if settings.join.topics else ""

    async def home(request: Request) -> Response:
        if to:
            return RedirectResponse(f"{pages.base}{to}", 303)
        return pages.respond("home.html", lang=pages.language(request))

    return home


def _health(store: Store) -> Handler:
    def ask_database() -> bool:
        try:
            with store.read() as connection:
                connection.execute(text("SELECT 1"))
        except UnavailableError:
            return False
        return True

    async def health(_request: Request) -> Response:
        answers = await run_in_threadpool(ask_database)
        return PlainTextResponse(*("ok", 200) if answers else ("database unavailable", 503))

    return health
