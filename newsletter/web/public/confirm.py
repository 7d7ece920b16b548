"""The page behind a mailed link: GET shows one button, POST does what the link is for, once."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from newsletter.audience.address import address_hash, address_key, check_address
from newsletter.audience.consent.action_links import find_link, redeem
from newsletter.audience.consent.double_opt_in import confirm_join, is_joined
from newsletter.audience.consent.preferences import change_address, gets_mail, reader
from newsletter.audience.mailability import mailed_lists
from newsletter.audience.model import ActionLink, LinkAction, SuppressionReason, Token, TokenPurpose
from newsletter.audience.subscribers import Consent, find
from newsletter.audience.suppression import keeps_out, reasons
from newsletter.campaign.subscriber_history import show
from newsletter.database.erasure import erase
from newsletter.errors import InputError
from newsletter.transactional.texts import not_an_address, page_words
from newsletter.web.http.body import read_form
from newsletter.web.http.middleware import from_own_page
from newsletter.web.public.context import PublicContext

SOURCE = "mailed-link"


@dataclass(frozen=True, slots=True)
class _Visit:
    """One request to a link that is still valid."""

    request: Request
    link: ActionLink
    lang: str


@dataclass(frozen=True, slots=True)
class _Joined:
    """The result of confirming; ``mailed``: they get mail now."""

    uid: int
    mailed: bool


@dataclass(frozen=True, slots=True)
class _Found:
    """The state of a stored request; ``blocked``: the address must not be mailed."""

    link: ActionLink
    used: bool
    joined: bool
    blocked: bool


class ConfirmPages:
    """``/confirm/{token}``."""

    def __init__(self, site: PublicContext) -> None:
        self._site = site

    async def ask(self, request: Request) -> Response:
        """The page with the one button. Changes nothing: scanners follow links."""
        visit = await self._visit(request)
        return visit if isinstance(visit, Response) else self._page(visit, {}, 200)

    async def act(self, request: Request) -> Response:
        """Do what the link is for."""
        if not from_own_page(request):
            raise HTTPException(403)
        visit = await self._visit(request)
        if isinstance(visit, Response):
            return visit
        match visit.link.action:
            case LinkAction.JOIN:
                return await self._join(visit)
            case LinkAction.MOVE:
                return await self._move(visit)
            case LinkAction.ADDRESS:
                return await self._change_address(visit)
            case LinkAction.DATA:
                return await self._give_data(visit)
            case LinkAction.ERASE:
                # Erasing deletes the link, too. Redeemed before, it would be lost if it failed.
                store, keys = self._site.store, self._site.keys
                await run_in_threadpool(erase, store, visit.link.email, keys, by=SOURCE)
                return self._done(visit)

    async def _visit(self, request: Request) -> _Visit | Response:
        pages = self._site.pages
        ticket = self._site.signer.verify_ticket(request.path_params["token"])
        if ticket is None:
            return pages.respond("unknown_link.html", 404, lang=pages.language(request))

        found = await run_in_threadpool(self._look, ticket.link_id)
        if found is None:
            return self._expired(pages.language(request))
        link = found.link
        lang = pages.language(request, link.details.get("language", ""))
        visit = _Visit(request, link, lang)
        if found.blocked:
            return self._blocked(lang)
        if found.joined:
            # Readers who press twice must not read that it did not work.
            return self._done(visit)
        if found.used or ticket.expires_at < time.time():
            return self._expired(lang, link, used=found.used)
        return visit

    def _look(self, link_id: int) -> _Found | None:
        with self._site.store.read() as connection:
            unused = find_link(connection, link_id)
            link = unused or find_link(connection, link_id, used=True)
            if link is None:
                return None
            hashed = address_hash(address_key(link.email), self._site.keys)
            blocked = keeps_out(reasons(connection, hashed))
            return _Found(
                link,
                used=unused is None,
                joined=is_joined(connection, link_id) is not None,
                blocked=link.action is LinkAction.JOIN and blocked,
            )

    async def _join(self, visit: _Visit) -> Response:
        joined = await run_in_threadpool(self._confirm, visit.link, visit.lang)
        if joined is None:
            again = await self._visit(visit.request)
            return again if isinstance(again, Response) else self._used(visit)
        if not joined.mailed:
            return self._blocked(visit.lang)
        token = self._site.signer.sign(Token(TokenPurpose.UNSUBSCRIBE, False, joined.uid, 0))
        answer = self._done(visit, preferences=f"{self._site.base}/p/{token}")
        answer.background = BackgroundTask(self._site.drain.wake)
        return answer

    def _confirm(self, link: ActionLink, lang: str) -> _Joined | None:
        """Subscribe them and queue the welcome; None if the link was used in the meantime."""
        store = self._site.store
        with store.write() as connection:
            # Whoever already gets everything they ask for needs no welcome.
            before = find(connection, link.email)
            asked = set(link.details["lists"])
            had_all = before is not None and asked <= mailed_lists(connection, before.id)
            uid = confirm_join(connection, link.id, self._site.keys, store.now(connection))
            if uid is None:
                return None
            gets = gets_mail(connection, uid)
            if gets and not had_all and self._site.settings.join.welcome:
                self._site.owe_welcome(connection, link, uid, lang)
            return _Joined(uid, gets)

    async def _move(self, visit: _Visit) -> Response:
        fields = await read_form(visit.request)
        given = fields.get("email", "")[:320].strip()
        _ = self._site.pages.languages.plain(visit.lang)
        try:
            email = check_address(given)
        except InputError:
            message = not_an_address(_)
            return self._page(visit, {"email": message}, 422, email=given)

        def use() -> bool:
            store, link = self._site.store, visit.link
            with store.write() as connection:
                if redeem(connection, link.id, store.now(connection)) is None:
                    return False
                details = {"language": visit.lang}
                self._site.owe_stranger(
                    connection, LinkAction.ADDRESS, email, details, uid=link.subscriber_uid
                )
                return True

        if not await run_in_threadpool(use):
            return self._used(visit)
        answer = self._done(visit)
        answer.background = BackgroundTask(self._site.drain.wake)
        return answer

    async def _change_address(self, visit: _Visit) -> Response:
        def change() -> bool | None:
            with self._site.store.write() as connection:
                at = self._site.store.now(connection)
                person = reader(connection, visit.link.subscriber_uid)
                if redeem(connection, visit.link.id, at) is None or person is None:
                    return None
                # The unsubscribe would stay behind with the old address.
                if SuppressionReason.UNSUBSCRIBED in reasons(connection, person.address_hash):
                    return None
                consent = Consent(SOURCE, at, evidence={"asked_at": visit.link.created_at})
                return change_address(
                    connection, person, visit.link.email, self._site.keys, consent
                )

        changed = await run_in_threadpool(change)
        if changed is None:
            return self._used(visit)
        if not changed:
            # The link has been redeemed: it proves the mailbox, so the truth may be told.
            return self._site.pages.respond("address_taken.html", 409, lang=visit.lang)
        return self._done(visit)

    async def _give_data(self, visit: _Visit) -> Response:
        def use() -> ActionLink | None:
            with self._site.store.write() as connection:
                return redeem(connection, visit.link.id, self._site.store.now(connection))

        # Read first: a link that was used, without an answer, would be lost.
        known = await run_in_threadpool(show, self._site.store, visit.link.email, self._site.keys)
        if await run_in_threadpool(use) is None:
            return self._used(visit)
        headers = {"Content-Disposition": 'attachment; filename="my-data.json"'}
        text = json.dumps(known, ensure_ascii=False, indent=2)
        return Response(text, media_type="application/json", headers=headers)

    def _page(
        self, visit: _Visit, errors: dict[str, str], status: int, email: str = ""
    ) -> Response:
        return self._site.pages.respond(
            "confirm.html",
            status,
            lang=visit.lang,
            words=self._words(visit),
            path=f"{self._site.base}/confirm/{visit.request.path_params['token']}",
            asks=visit.link.action is LinkAction.MOVE,
            email=email,
            errors=errors,
        )

    def _done(self, visit: _Visit, preferences: str = "") -> Response:
        words = self._words(visit)
        return self._site.pages.respond(
            "done.html", lang=visit.lang, words=words, preferences=preferences
        )

    def _words(self, visit: _Visit) -> dict[str, str]:
        translate = self._site.pages.languages.markup(visit.lang)
        return page_words(visit.link.action, translate, self._site.settings.publication.name)

    def _blocked(self, lang: str) -> Response:
        """The reader of the mailbox may be told the truth: the address gets no mail."""
        return self._site.pages.respond("blocked.html", 409, lang=lang)

    def _used(self, visit: _Visit) -> Response:
        return self._expired(visit.lang, visit.link, used=True)

    def _expired(
        self, lang: str, link: ActionLink | None = None, *, used: bool = False
    ) -> Response:
        """Without ``link``, the request was deleted, and its purpose is unknown."""
        action = str(link.action) if link else ""
        return self._site.pages.respond("expired.html", 410, lang=lang, action=action, used=used)
