"""Rendered mail in a sandbox: it runs no script, sends no request and leads nowhere.

A frame is a page of its own under a policy that allows no network but this server's pictures, in
an ``<iframe sandbox>`` whose page allows no other frames (``frame-src 'self'``), so that a link
pressed inside goes nowhere.
"""

from __future__ import annotations

import re
from typing import Literal

from starlette.responses import HTMLResponse

Scheme = Literal["light", "dark"]

WIDTHS = (320, 375, 600, 1280)
"""CSS pixels: two phones, the width of the message itself, a desktop."""

_POLICY = (
    "sandbox; default-src 'none'; img-src {images}; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_QUERY = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)", re.IGNORECASE)
_SUPPORTED = re.compile(
    r"(?<![\w-])((?:color-scheme|supported-color-schemes)"
    r"(?:\s*:\s*|[\"']\s+content=[\"']))(?:(?:light|dark|only)\b ?)+(?<! )",
    re.IGNORECASE,
)
_ALWAYS, _NEVER = "(min-width:0px)", "(max-width:0px)"


def frame_response(html: str, *, images: bool = True) -> HTMLResponse:
    """Rendered mail as the document of a sandboxed frame."""
    policy = _POLICY.format(images="'self' data:" if images else "'none'")
    return HTMLResponse(html, headers={"Content-Security-Policy": policy})


def local_pictures(html: str, public_url: str) -> str:
    """Point hosted pictures at this server, so that a preview fetches nothing from elsewhere."""
    return html.replace(f"{public_url}/media/", "/media/")


def force_scheme(html: str, scheme: Scheme) -> str:
    """Show mail as a client in this color scheme would, regardless of the viewer's own.

    Media queries for this scheme become true, those for the other one false, and the declared
    schemes narrow to this one (Media Queries Level 5, CSS Color Adjustment Level 1).
    """

    def decide(query: re.Match[str]) -> str:
        return _ALWAYS if query[1].lower() == scheme else _NEVER

    return _SUPPORTED.sub(rf"\g<1>{scheme}", _QUERY.sub(decide, html))
