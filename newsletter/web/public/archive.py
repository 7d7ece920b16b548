"""Past issues on the web, to read, print and link to. Nothing in them is personal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache

from markupsafe import Markup
from sqlalchemy import func, select
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from newsletter.campaign.tables import compiled_issue
from newsletter.delivery.ledger.states import CampaignState
from newsletter.delivery.ledger.tables import campaign, campaign_event
from newsletter.i18n.dates import long_date
from newsletter.i18n.languages import direction
from newsletter.render.codec import deserialize
from newsletter.render.slots import preview_part
from newsletter.web.public.context import PublicContext

IN_FEED = 20
PUBLISHED = (
    CampaignState.SENDING,
    CampaignState.PAUSED,
    CampaignState.FAILED,
    CampaignState.FINISHED,
)
"""States of a campaign whose readers may have its link. Canceling removes an issue."""
_SLUG = re.compile(r"[a-z0-9-]{1,80}")
"""Anything else in the path is a 404: a database may refuse it (NUL, for example)."""
_HEADERS = {"Cache-Control": "public, max-age=300", "Vary": "Accept-Language"}


@dataclass(frozen=True, slots=True)
class PastIssue:
    """One issue as it was last sent; times are in RFC 3339."""

    slug: str
    lang: str
    date: str
    title: str
    summary: str
    html: str
    author: str = ""
    published: str = ""
    updated: str = ""

    @property
    def direction(self) -> str:
        """The direction of its script, for ``dir``."""
        return direction(self.lang)

    def long_date(self, language: str) -> str:
        """Its date in words."""
        return long_date(date.fromisoformat(self.date), language)


class ArchivePages:
    """``/archive``: the list, the articles, the feed."""

    def __init__(self, site: PublicContext) -> None:
        self._site = site

    async def index(self, request: Request) -> Response:
        """All issues, the newest first."""
        issues = await run_in_threadpool(self._all)
        pages = self._site.pages
        answer = pages.respond("archive.html", lang=pages.language(request), issues=issues)
        answer.headers.update(_HEADERS)
        return answer

    async def article(self, request: Request) -> Response:
        """One issue."""
        slug = request.path_params["slug"]
        found = await run_in_threadpool(self._sent, slug) if _SLUG.fullmatch(slug) else ()
        if not found:
            raise HTTPException(404)
        issue = found[0]
        pages = self._site.pages
        public_url = self._site.settings.publication.public_url
        html = issue.html.replace(f"{public_url}/media/", f"{self._site.base}/media/")
        answer = pages.respond(
            "article.html",
            lang=pages.language(request, issue.lang),
            issue=issue,
            html=Markup(html),  # noqa: S704 -- compiled, raw HTML off, and approved
        )
        answer.headers.update(_HEADERS)
        return answer

    async def feed(self, _request: Request) -> Response:
        """The newest issues as an Atom feed (RFC 4287)."""
        issues = (await run_in_threadpool(self._all))[:IN_FEED]
        lang = self._site.settings.publication.language
        updated = max((issue.updated for issue in issues), default=_rfc3339(0.0))
        xml = self._site.pages.render("feed.xml", lang, issues=issues, updated=updated)
        return Response(xml, media_type="application/atom+xml", headers=_HEADERS)

    def _all(self) -> list[PastIssue]:
        return sorted(self._sent(), key=lambda issue: (issue.date, issue.published), reverse=True)

    def _sent(self, slug: str = "") -> Sequence[PastIssue]:
        """Every issue (or the one with this slug) as its latest campaign sent it."""
        # From the first sending on: a campaign may have been confirmed days before.
        began = (
            select(campaign_event.c.campaign_id, func.min(campaign_event.c.at).label("at"))
            .where(campaign_event.c.to_state == CampaignState.SENDING)
            .group_by(campaign_event.c.campaign_id)
            .subquery()
        )
        at = func.coalesce(began.c.at, campaign.c.created_at)
        sent = (
            select(func.max(campaign.c.id).label("last"), func.min(at).label("published"))
            .outerjoin(began, began.c.campaign_id == campaign.c.id)
            .where(campaign.c.state.in_(PUBLISHED))
            .group_by(campaign.c.slug)
        )
        if slug:
            sent = sent.where(campaign.c.slug == slug)
        latest = sent.subquery()
        query = (
            select(compiled_issue.c.payload, at.label("updated"), latest.c.published)
            .join(campaign, campaign.c.digest == compiled_issue.c.digest)
            .join(latest, latest.c.last == campaign.c.id)
            .outerjoin(began, began.c.campaign_id == campaign.c.id)
        )
        with self._site.store.read() as connection:
            rows = connection.execute(query).all()
        return [_past(row.payload, row.published, row.updated) for row in rows]


# Crawlers ask for all issues again and again, and deserializing takes most of the time.
@lru_cache(maxsize=256)
def _past(payload: bytes, published: float, updated: float) -> PastIssue:
    compiled = deserialize(payload)
    return PastIssue(
        slug=compiled.slug,
        lang=compiled.lang,
        date=compiled.date,
        title=compiled.title,
        summary=preview_part(compiled.variants[0].preheader, {}),
        html=compiled.archive_html,
        author=compiled.author,
        published=_rfc3339(published),
        updated=_rfc3339(updated),
    )


def _rfc3339(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
