"""Joining the list: a form, a confirmation message, and the same answer for every address."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from newsletter.audience.address import check_address
from newsletter.audience.model import LinkAction
from newsletter.errors import InputError
from newsletter.i18n.catalog import Translate
from newsletter.transactional.limits import take
from newsletter.transactional.texts import not_an_address
from newsletter.web.http.body import read_form, read_object
from newsletter.web.http.middleware import from_own_page
from newsletter.web.http.rate_limits import FORM_BY_NETWORK, network_of
from newsletter.web.public.context import PublicContext

LONGEST_ADDRESS = 320


@dataclass(frozen=True, slots=True)
class SignupRequest:
    """What a visitor typed: an address, perhaps invalid, and the lists."""

    email: str
    lists: tuple[str, ...]


class SignupPages:
    """``/join`` for people, ``/api/join`` for other websites."""

    def __init__(self, site: PublicContext) -> None:
        self._site = site
        self._topics = site.settings.join.topics

    async def form(self, request: Request) -> Response:
        """The empty form."""
        return self._form(request, SignupRequest("", ()), {}, 200)

    async def join(self, request: Request) -> Response:
        """Accept the form, and lead to a page that says the same to everybody."""
        if not (from_own_page(request) or self._from_friend(request)):
            raise HTTPException(403)
        fields = await read_form(request)
        asked = self._read(fields.get("email", ""), fields.getlist("topic"))
        sent = RedirectResponse(f"{self._site.base}/join/sent", 303)
        # Only bots fill in the hidden field; they are told that it worked.
        if fields.get("website"):
            return sent
        lang = self._site.pages.language(request)
        errors = self._errors(asked, self._site.pages.languages.plain(lang))
        if errors:
            return self._form(request, asked, errors, 422)
        await self._ask(request, asked, lang, "page")
        sent.background = BackgroundTask(self._site.drain.wake)
        return sent

    async def sent(self, request: Request) -> Response:
        """The page after the form."""
        return self._site.pages.respond("join_sent.html", lang=self._site.pages.language(request))

    async def preflight(self, request: Request) -> Response:
        """CORS (Fetch Standard): which websites may post JSON."""
        if not self._from_friend(request):
            raise HTTPException(403)
        return Response(status_code=204, headers=self._cors(request))

    async def join_by_json(self, request: Request) -> Response:
        """The same for programs: ``{"email": …, "topics": […], "language": …}``."""
        if not (from_own_page(request) or self._from_friend(request)):
            raise HTTPException(403)
        # Errors need CORS headers, too: without, a script could not even see that it must wait.
        headers = self._cors(request)
        try:
            data = await read_object(request)
            topics = data.get("topics")
            asked = self._read(_text(data, "email"), topics if isinstance(topics, list) else ())
            lang = self._site.pages.language(request, _text(data, "language"))
            errors = self._errors(asked, self._site.pages.languages.plain(lang))
            if errors:
                return JSONResponse({"errors": errors}, 422, headers)
            await self._ask(request, asked, lang, "api")
        except HTTPException as refusal:
            headers |= dict(refusal.headers or {})
            return JSONResponse({"error": refusal.detail}, refusal.status_code, headers)
        background = BackgroundTask(self._site.drain.wake)
        return JSONResponse({"result": "confirmation-asked"}, 202, headers, background=background)

    def _read(self, email: str, lists: Sequence[object]) -> SignupRequest:
        offered = [topic.list for topic in self._topics]
        # With one topic the form has nothing to tick.
        if len(offered) == 1:
            lists = offered
        return SignupRequest(
            email.strip()[:LONGEST_ADDRESS], tuple(n for n in offered if n in lists)
        )

    def _errors(self, asked: SignupRequest, translate: Translate) -> dict[str, str]:
        _ = translate
        errors = {}
        if not asked.email:
            errors["email"] = _("Please enter your email address.")
        else:
            try:
                check_address(asked.email)
            except InputError:
                errors["email"] = not_an_address(_)
        if not asked.lists:
            errors["topics"] = _("Please choose at least one.")
        return errors

    def _form(
        self, request: Request, asked: SignupRequest, errors: dict[str, str], status: int
    ) -> Response:
        lang = self._site.pages.language(request)
        return self._site.pages.respond(
            "join.html",
            status,
            lang=lang,
            email=asked.email,
            chosen=asked.lists,
            errors=errors,
            topics=self._topics,
            wording=self._wording(lang),
        )

    def _wording(self, lang: str) -> str:
        _ = self._site.pages.languages.plain(lang)
        return _(
            "By pressing the button, I ask to receive %(name)s by email. I can unsubscribe at any "
            "time with one click.",
            name=self._site.settings.publication.name,
        )

    async def _ask(self, request: Request, asked: SignupRequest, lang: str, source: str) -> None:
        """Count the form and queue its confirmation, both or neither, before answering.

        Raises:
            HTTPException: 429: the network sends too many forms.
            UnavailableError: The confirmation cannot be composed.
        """
        await self._site.require_message(LinkAction.JOIN, lang)
        host = network_of(request.client.host if request.client else "")
        email = check_address(asked.email)
        wording = self._wording(lang)
        details = {
            "lists": list(asked.lists),
            "language": lang,
            "source": source,
            "wording": wording,
            # Proves which wording was shown, even if a catalog changes later.
            "wording_version": hashlib.sha256(wording.encode()).hexdigest()[:12],
        }

        def write_down() -> float:
            store, keys = self._site.store, self._site.keys
            with store.write() as connection:
                wait = take(connection, FORM_BY_NETWORK, host, keys, store.now(connection))
                if not wait:
                    self._site.owe_stranger(connection, LinkAction.JOIN, email, details)
                return wait

        if wait := await run_in_threadpool(write_down):
            raise HTTPException(429, headers={"Retry-After": str(math.ceil(wait))})

    def _from_friend(self, request: Request) -> bool:
        return request.headers.get("origin") in self._site.settings.join.allowed_origins

    def _cors(self, request: Request) -> dict[str, str]:
        if not self._from_friend(request):
            return {}
        return {
            "Access-Control-Allow-Origin": request.headers["origin"],
            "Access-Control-Allow-Methods": "POST",
            "Access-Control-Allow-Headers": "Content-Type",
            "Access-Control-Expose-Headers": "Retry-After",
            "Access-Control-Max-Age": "600",
            "Vary": "Origin",
        }


def _text(data: Mapping[str, object], name: str) -> str:
    """A string field of a JSON object; empty if it is anything else."""
    value = data.get(name)
    return value if isinstance(value, str) else ""
