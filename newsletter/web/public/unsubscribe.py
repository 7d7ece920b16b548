"""Unsubscribing: one click for machines (RFC 8058), one button for people, and an undo."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from newsletter.audience.consent.preferences import gets_mail, reader
from newsletter.audience.consent.unsubscribe import (
    LEAVING_REASONS,
    Click,
    note_reason,
    resubscribe,
    unsubscribe_all,
)
from newsletter.audience.model import Token, TokenPurpose
from newsletter.audience.tokens import TokenSigner
from newsletter.store.engine import Store
from newsletter.web.http.body import read_form, read_past
from newsletter.web.http.group_commit import GroupCommit
from newsletter.web.http.middleware import from_own_page
from newsletter.web.metrics import Metrics
from newsletter.web.public.pages import Pages

MACHINE = "one-click"


class UnsubscribePages:
    """Unsubscribe and undo.

    A token that does not verify gets one neutral page with status 404, for a GET and a POST alike:
    it says nothing about anybody, and a self-test or a mail provider is never told "done" when
    nothing was done.
    """

    def __init__(self, store: Store, signer: TokenSigner, pages: Pages, metrics: Metrics) -> None:
        self._metrics = metrics
        self._store = store
        self._signer = signer
        self._pages = pages
        self._clicks = GroupCommit(partial(unsubscribe_all, store))

    async def ask(self, request: Request) -> Response:
        """The page with the one button. Changes nothing: scanners follow links."""
        token = self._token(request)
        return await self._answer(request, token, "unsubscribe.html", path=self._path(request))

    async def leave(self, request: Request) -> Response:
        """Unsubscribe at once (RFC 8058 section 3.2).

        The URL says everything: the body is read, within the size limit, and ignored. There is no
        check of origin, no cookie, no redirect and no second question. Only a browser gets a page.
        """
        await read_past(request)
        token = self._token(request)
        if token and not token.proof:
            # Browsers send Fetch Metadata when our button is pressed; providers' machines do not.
            source = "page" if "sec-fetch-site" in request.headers else MACHINE
            result = await self._clicks.do(Click(token, source))
            if result.changed:
                self._metrics.unsubscribed(source)
            if source == MACHINE and "text/html" not in request.headers.get("accept", ""):
                return PlainTextResponse("You are unsubscribed.\n")
        return await self._answer(request, token, "unsubscribed.html", path=self._path(request))

    async def undo(self, request: Request) -> Response:
        """Undo an unsubscribe, from our own page only."""
        if not from_own_page(request):
            raise HTTPException(403)
        await read_past(request)
        token = self._token(request)
        if token:
            result = await run_in_threadpool(resubscribe, self._store, token, "page")
            token = token if result.known or result.proof else None
        if token and not token.proof and not await run_in_threadpool(self._is_mailed, token):
            # The preferences page explains why they get no mail, and how to come back.
            path = f"{self._pages.base}/p/{request.path_params['token']}"
            return RedirectResponse(path, 303)
        return await self._answer(request, token, "undone.html", path=self._path(request))

    async def reason(self, request: Request) -> Response:
        """Record why they left, if they want to say."""
        if not from_own_page(request):
            raise HTTPException(403)
        given = (await read_form(request)).get("reason", "")
        token = self._token(request)
        if token and given in LEAVING_REASONS:
            await run_in_threadpool(note_reason, self._store, token, given)
        return await self._answer(request, token, "thanks.html", path=self._path(request))

    def _is_mailed(self, token: Token) -> bool:
        with self._store.read() as connection:
            return gets_mail(connection, token.subscriber_uid)

    def _path(self, request: Request) -> str:
        return f"{self._pages.base}/u/{request.path_params['token']}"

    def _token(self, request: Request) -> Token | None:
        return self._signer.verify(request.path_params["token"], TokenPurpose.UNSUBSCRIBE)

    async def _answer(
        self, request: Request, token: Token | None, page: str, **values: Any
    ) -> Response:
        if token is None:
            lang = self._pages.language(request)
            return self._pages.respond("unknown_link.html", 404, lang=lang)

        def find_language() -> str:
            with self._store.read() as connection:
                person = reader(connection, token.subscriber_uid)
                return person.language if person else ""

        lang = self._pages.language(request, await run_in_threadpool(find_language))
        return self._pages.respond("proof.html" if token.proof else page, lang=lang, **values)
