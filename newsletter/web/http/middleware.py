"""What runs before every page: headers, trusted hosts, the origin of a POST, the access log."""

from __future__ import annotations

import hmac
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 64 * 1024

PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy (CSP Level 3) of pages without JavaScript."""

STAFF_POLICY = f"{PAGE_POLICY}; script-src 'self'; connect-src 'self'; frame-src 'self'"
"""The same for staff pages. ``frame-src`` also stops links in framed mail from leading outside."""

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

_OPEN_TO_FRAMES = ("/media/", "/static/")
"""A sandboxed frame sends no cookies; these paths contain nothing that needs one."""

_TAKEN = """\
This preview is already open in another browser, the first one that opened its address.

Continue in that browser. To use this one instead, stop the preview in the terminal (Ctrl-C), start
it again, and open the new address here.
"""
_NOT_WHOLE = """\
This address is incomplete: the preview's address ends with ?token= and 43 characters.

Copy the whole address from the terminal where the preview was started.
"""

access_log = logging.getLogger("newsletter.web.access")


class SecurityHeaders:
    """Adds the headers that every response needs, unless it has its own.

    Args:
        app: The application behind.
        policy: The Content-Security-Policy of its pages.
    """

    def __init__(self, app: ASGIApp, policy: str) -> None:
        self.app = app
        self.headers: Mapping[str, str] = {
            "Content-Security-Policy": policy,
            # Not "no-referrer": it turns the Origin of our own forms into `null`, and browsers
            # without Fetch Metadata (Safari before 16.4) send nothing else to check.
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "X-DNS-Prefetch-Control": "off",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cache-Control": "no-store",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; HSTS (RFC 6797) is only promised over https."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
                if scope["scheme"] == "https":
                    headers.setdefault("Strict-Transport-Security", "max-age=31536000")
            await send(message)

        await self.app(scope, receive, send_with_headers)


class AccessLog:
    """Logs method, route, status and milliseconds; never the path, which contains tokens.

    Args:
        app: The application behind.
        observe: Called with route, status and seconds of each request.
    """

    def __init__(
        self, app: ASGIApp, observe: Callable[[str, int, float], None] | None = None
    ) -> None:
        self.app = app
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request and log it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # What is raised past here becomes a 500.
        status = 500
        started = time.perf_counter()

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, note_status)
        finally:
            took = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", "(no route)")
            facts = {"route": route, "status": status, "ms": round(took * 1000)}
            access_log.info("request", extra={"method": scope["method"], **facts})
            if self._observe:
                self._observe(route, status, took)


class PayloadTooLarge:
    """Answers a body past the limit with a page, where Starlette's middleware sends one bare line.

    Args:
        app: The application behind, with its limit.
        explain: Renders the page.
    """

    def __init__(
        self, app: ASGIApp, explain: Callable[[Request, Exception], Awaitable[Response]]
    ) -> None:
        self.app = app
        self._explain = explain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        replaced = False

        async def send_page(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start" and message["status"] == 413:
                replaced = True
                page = await self._explain(Request(scope), HTTPException(413))
                await page(scope, receive, send)
            elif not replaced:
                await send(message)

        await self.app(scope, receive, send_page)


class LoopbackOnly:
    """Refuses every Host but this machine's own, against DNS rebinding by web pages."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or answer 403."""
        if scope["type"] == "http" and not is_loopback_host(Headers(scope=scope).get("host", "")):
            refusal = PlainTextResponse("This page is available on this machine only.", 403)
            await refusal(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def is_loopback_host(host: str) -> bool:
    """Whether a Host header (RFC 9110 section 7.2) names this machine itself."""
    try:
        parts = urlsplit(f"//{host}")
        return parts.hostname in _LOOPBACK and parts.netloc == host and "@" not in host
    except ValueError:
        return False


def from_own_page(request: Request) -> bool:
    """Whether a POST may come from one of our own pages.

    Fetch Metadata decides if the browser sends it, else Origin compared with Host. A request with
    neither does not come from a browser and so has nobody's cookies (the rule of Go's
    ``net/http.CrossOriginProtection``).
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2] == request.headers.get("host")


class OneToken:
    """Admits the first browser that has the token, by a cookie, and no other."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self._token = token
        self._used = False
        self._pass = secrets.token_urlsafe(32)
        self._cookie = f"preview-{secrets.token_hex(4)}"
        self._shown = f"{self._cookie}={self._pass}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, admit its browser, or answer 403."""
        if scope["type"] != "http" or scope["path"].startswith(_OPEN_TO_FRAMES):
            await self.app(scope, receive, send)
        else:
            await self._answer(Request(scope))(scope, receive, send)

    def _answer(self, request: Request) -> ASGIApp:
        given = request.query_params.get("token", "")
        # Not by Starlette, which unquotes every cookie: 8 seconds for 60 KB before Python 3.11.10.
        cookies = ";".join(request.headers.getlist("cookie")).split(";")
        shown = (cookie.strip().encode() for cookie in cookies)
        if any(hmac.compare_digest(cookie, self._shown) for cookie in shown):
            # Away from the address bar with the token, where a screenshot would show it.
            return RedirectResponse("/", 303) if given else self.app
        if self._used or not hmac.compare_digest(given.encode(), self._token.encode()):
            return PlainTextResponse(_TAKEN if self._used else _NOT_WHOLE, 403)
        self._used = True
        response = RedirectResponse("/", 303)
        response.set_cookie(self._cookie, self._pass, httponly=True, samesite="strict")
        return response
