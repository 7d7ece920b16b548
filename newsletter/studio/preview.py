"""The staff preview on loopback: an issue exactly as readers will get it, with its findings."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from newsletter.errors import NewsletterError
from newsletter.render.slots import preview_part
from newsletter.settings.model import Settings
from newsletter.studio.page import READERS, by_weight, read_view, reader_values
from newsletter.studio.preview_cache import Load, PreviewCache
from newsletter.studio.sandbox_frame import WIDTHS, force_scheme, frame_response, local_pictures
from newsletter.web.http.middleware import STAFF_POLICY, LoopbackOnly, OneToken, SecurityHeaders
from newsletter.web.public.media import media_route
from newsletter.web.public.pages import Pages


def preview_app(settings: Settings, issue: Path | None, load: Load, token: str) -> Starlette:
    """The preview: serve it on loopback and open ``/?token=…``.

    Args:
        settings: The publication; articles are in `issues/` under its root.
        issue: The one article to show; None lists all.
        load: Reads, compiles and checks one article.
        token: Opens the preview once, and admits the browser that used it from then on.
    """
    pages = Pages(settings, "studio")
    articles = PreviewCache(settings, issue, load)
    show = _PreviewPages(settings, articles, pages)
    return Starlette(
        routes=[
            Route("/", show.index),
            Route("/issue/{slug}", show.issue),
            Route("/issue/{slug}/mail", show.mail),
            Route("/issue/{slug}/version", show.version),
            media_route(articles.picture),
            pages.route(),
        ],
        middleware=[
            Middleware(SecurityHeaders, policy=STAFF_POLICY),
            Middleware(LoopbackOnly),
            Middleware(OneToken, token=token),
        ],
        exception_handlers={HTTPException: pages.explain, 500: pages.explain},
    )


def new_token() -> str:
    """A token to open the preview with."""
    return secrets.token_urlsafe(32)


class _PreviewPages:
    """The pages themselves."""

    def __init__(self, settings: Settings, articles: PreviewCache, pages: Pages) -> None:
        self._articles = articles
        self._pages = pages
        self._samples = {name: field.sample for name, field in settings.merge_fields.items()}
        self._public_url = settings.publication.public_url

    async def index(self, _request: Request) -> Response:
        """Every article; a redirect if there is only one."""
        articles = await run_in_threadpool(self._articles.files)
        if len(articles) == 1:
            return RedirectResponse(f"/issue/{next(iter(articles))}", 303)
        changed = {
            slug: datetime.fromtimestamp(file.stat().st_mtime, UTC)
            for slug, file in articles.items()
        }
        listed = [(slug, f"{at:%d %B %Y, %H:%M} UTC") for slug, at in changed.items()]
        return self._pages.respond("index.html", issues=listed)

    async def issue(self, request: Request) -> Response:
        """One article with its findings, or why it does not compile."""
        slug = self._slug(request)
        version = await run_in_threadpool(self._articles.version, slug)
        try:
            preview = await run_in_threadpool(self._articles.preview, slug)
        except NewsletterError as error:
            return self._pages.respond("broken.html", 422, slug=slug, error=error, version=version)
        compiled = preview.compiled
        view = read_view(request.query_params, len(compiled.variants))
        values = reader_values(view.reader, self._samples)
        variant = compiled.variants[view.variant]
        return self._pages.respond(
            "issue.html",
            slug=slug,
            version=version,
            compiled=compiled,
            view=view,
            widths=WIDTHS,
            readers=READERS,
            subject=preview_part(variant.subject, values),
            preheader=preview_part(variant.preheader, values),
            text=preview_part(variant.text, values),
            size=sum(len(s.encode()) for s in variant.html.segments),
            findings=by_weight(preview.findings),
        )

    async def mail(self, request: Request) -> Response:
        """The message itself, as the document of the frame."""
        try:
            preview = await run_in_threadpool(self._articles.preview, self._slug(request))
        except NewsletterError:
            raise HTTPException(404) from None
        variants = preview.compiled.variants
        view = read_view(request.query_params, len(variants))
        values = reader_values(view.reader, self._samples)
        html = preview_part(variants[view.variant].html, values)
        html = force_scheme(local_pictures(html, self._public_url), view.scheme)
        return frame_response(html, images=view.images)

    async def version(self, request: Request) -> Response:
        """What `reload.js` asks for once a second."""
        slug = self._slug(request)
        return PlainTextResponse(await run_in_threadpool(self._articles.version, slug))

    def _slug(self, request: Request) -> str:
        slug: str = request.path_params["slug"]
        if slug not in self._articles.files():
            raise HTTPException(404)
        return slug
