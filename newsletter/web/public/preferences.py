"""The preferences page, behind a link in every message.

Mail gets forwarded, so this link does only what is easily undone: topics, a pause. Anything that
shows or moves a subscriber's data needs a new link, mailed to the address itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from newsletter.audience.consent.action_links import make_link
from newsletter.audience.consent.preferences import (
    active_lists,
    active_titles,
    choose,
    pause,
    reader,
)
from newsletter.audience.model import LinkAction, SuppressionReason, TokenPurpose
from newsletter.audience.subscribers import Consent
from newsletter.audience.suppression import keeps_out, reasons
from newsletter.i18n.dates import long_date
from newsletter.settings.model import Topic
from newsletter.transactional.lifecycle import LIFETIME_S
from newsletter.transactional.limits import LINK_BY_READER, take
from newsletter.web.http.body import read_form
from newsletter.web.http.middleware import from_own_page
from newsletter.web.public.context import PublicContext

PAUSE_S = 30 * 86_400.0
SOURCE = "preferences"
_BY_MAIL = {
    "move": LinkAction.MOVE,
    "data": LinkAction.DATA,
    "erase": LinkAction.ERASE,
}


@dataclass(frozen=True, slots=True)
class SubscriberView:
    """A subscriber's preferences; ``paused_until`` is in Unix seconds, 0 if there is no pause.

    ``active`` maps the lists that mail them to their titles. ``left`` can be undone by joining
    again; other reasons for suppression (``blocked``) cannot.
    """

    language: str
    active: Mapping[str, str]
    left: bool
    blocked: bool
    paused_until: float


class PreferencesPages:
    """``/p/{token}``, with the token that unsubscribes."""

    def __init__(self, site: PublicContext) -> None:
        self._site = site

    async def show(self, request: Request) -> Response:
        """The page. Changes nothing."""
        token = self._site.signer.verify(request.path_params["token"], TokenPurpose.UNSUBSCRIBE)
        pages = self._site.pages
        if token and token.proof:
            return pages.respond("proof.html", lang=pages.language(request))
        found = await run_in_threadpool(self._view, token.subscriber_uid) if token else None
        if found is None:
            return pages.respond("unknown_link.html", 404, lang=pages.language(request))
        return self._page(request, found)

    async def change(self, request: Request) -> Response:
        """Do what the pressed button says."""
        if not from_own_page(request):
            raise HTTPException(403)
        text = request.path_params["token"]
        token = self._site.signer.verify(text, TokenPurpose.UNSUBSCRIBE)
        fields = await read_form(request)
        if token is None or token.proof:
            return await self.show(request)
        what = fields.get("do", "")
        if what in _BY_MAIL:
            return await self._mail(request, token.subscriber_uid, _BY_MAIL[what])
        topics = frozenset(fields.getlist("topic"))
        others = frozenset(fields.getlist("other"))
        saved = await run_in_threadpool(self._apply, token.subscriber_uid, what, topics, others)
        return self._back(request, "saved" if saved else "")

    def _apply(self, uid: int, what: str, topics: frozenset[str], others: frozenset[str]) -> bool:
        """Apply a change; ``others`` are the lists shown to this subscriber that nobody can join.

        Returns False where nothing may change, as on a page opened before they unsubscribed.
        """
        store = self._site.store
        with store.write() as connection:
            person = reader(connection, uid)
            if person is None or reasons(connection, person.address_hash):
                return False
            now = store.now(connection)
            consent = Consent(SOURCE, now)
            if what == "topics":
                offered = [topic.list for topic in self._site.settings.join.topics]
                offered += sorted((others & active_lists(connection, person)) - set(offered))
                choose(connection, person, topics, offered, consent)
            elif what in {"pause", "resume"}:
                until = now + PAUSE_S if what == "pause" else 0.0
                pause(connection, person, until, consent)
            else:
                raise HTTPException(400)
            return True

    async def _mail(self, request: Request, uid: int, action: LinkAction) -> Response:
        def owe() -> float | None:
            """Return the seconds to wait, 0 if the link is on its way, None if they were erased."""
            store = self._site.store
            with store.write() as connection:
                person = reader(connection, uid)
                if person is None:
                    return None
                now = store.now(connection)
                if wait := take(connection, LINK_BY_READER, str(uid), self._site.keys, now):
                    return wait
                link = make_link(
                    connection,
                    action,
                    str(person.email),
                    at=now,
                    lifetime=LIFETIME_S,
                    uid=uid,
                    details={"language": person.language},
                )
                lang = self._site.pages.language(request, person.language)
                self._site.owe_link(connection, link, lang)
                return 0.0

        await self._site.require_message(action, self._site.pages.language(request))
        wait = await run_in_threadpool(owe)
        if wait is None:
            return await self.show(request)
        if wait:
            raise HTTPException(429, headers={"Retry-After": str(int(wait) + 1)})
        answer = self._back(request, "mailed")
        answer.background = BackgroundTask(self._site.drain.wake)
        return answer

    def _view(self, uid: int) -> SubscriberView | None:
        with self._site.store.read() as connection:
            person = reader(connection, uid)
            if person is None:
                return None
            now = self._site.store.now(connection)
            found = reasons(connection, person.address_hash)
            return SubscriberView(
                language=person.language,
                active=active_titles(connection, person),
                left=SuppressionReason.UNSUBSCRIBED in found,
                blocked=keeps_out(found),
                paused_until=person.paused_until if person.paused_until > now else 0.0,
            )

    def _page(self, request: Request, view: SubscriberView) -> Response:
        pages = self._site.pages
        lang = pages.language(request, view.language)
        until = view.paused_until
        day = long_date(datetime.fromtimestamp(until, UTC).date(), lang) if until else ""
        text = request.path_params["token"]
        joinable = {topic.list for topic in self._site.settings.join.topics}
        # Lists that can be left here but not joined, such as an imported one.
        others = [
            Topic(list=name, title=title)
            for name, title in view.active.items()
            if name not in joinable
        ]
        return pages.respond(
            "preferences.html",
            lang=lang,
            topics=self._site.settings.join.topics,
            others=others,
            active=view.active,
            left=view.left,
            blocked=view.blocked,
            paused_until=day,
            notice=request.query_params.get("notice", ""),
            path=f"{self._site.base}/p/{text}",
            leave=f"{self._site.base}/u/{text}",
        )

    def _back(self, request: Request, notice: str) -> Response:
        path = f"{self._site.base}/p/{request.path_params['token']}"
        return RedirectResponse(f"{path}?notice={notice}" if notice else path, 303)
