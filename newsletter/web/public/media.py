"""The route that hosts the pictures in mail, verified each time they are served."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from newsletter.campaign.media import MEDIA_NAME

_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".gif": "image/gif"}
_FOREVER = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


def media_route(find: Callable[[str], bytes | None]) -> Route:
    """``/media/{name}``, cached forever, because the name is the hash of the bytes.

    Args:
        find: Returns the verified bytes for a name, or None.
    """

    async def media(request: Request) -> Response:
        name = request.path_params["name"]
        data = await run_in_threadpool(find, name) if MEDIA_NAME.fullmatch(name) else None
        if data is None:
            raise HTTPException(404)
        return Response(data, media_type=_TYPES[Path(name).suffix], headers=_FOREVER)

    return Route("/media/{name}", media)
