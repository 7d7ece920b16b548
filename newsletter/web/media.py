"""Pictures of mail: kept under their SHA-256, checked each time they are served."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from newsletter.errors import InputError
from newsletter.render.model import Image
from newsletter.settings import Settings

_NAME = re.compile(r"([0-9a-f]{64})\.(?:png|jpg|gif)")
_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".gif": "image/gif"}
_FOREVER = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


def media_folder(settings: Settings) -> Path:
    """Where the pictures of sent issues lie."""
    return settings.var / "media"


def save_media(settings: Settings, image: Image) -> Path:
    """Keep a picture for as long as mail points to it. Doing so again changes nothing.

    Args:
        settings: Name the folder, and the root that ``image.path`` starts from.
        image: A picture of a compiled issue.

    Returns:
        The file that ``/media/{sha256}{suffix}`` serves from now on.

    Raises:
        InputError: The file is gone, or is not the picture that was compiled.
    """
    target = media_folder(settings) / f"{image.sha256}{image.suffix}"
    if read_media(target) is None:
        source = settings.root / image.path
        data = source.read_bytes() if source.is_file() else b""
        if hashlib.sha256(data).hexdigest() != image.sha256:
            raise InputError(
                "the picture is gone or was changed since the issue was compiled",
                file=image.path,
                fix="run the command again, and approve the issue anew",
            )
        _write_whole(target, data)
    return target


def _write_whole(target: Path, data: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).chmod(0o644)
    Path(file.name).replace(target)


def read_media(file: Path) -> bytes | None:
    """The bytes of a stored picture; None unless they have the hash that the name gives."""
    name = _NAME.fullmatch(file.name)
    if not name or not file.is_file():
        return None
    data = file.read_bytes()
    return data if hashlib.sha256(data).hexdigest() == name[1] else None


def media_route(find: Callable[[str], bytes | None]) -> Route:
    """``/media/{name}``, cached for good since a name stands for its bytes.

    Args:
        find: Gives the checked bytes of a name, or None.
    """

    async def media(request: Request) -> Response:
        name = request.path_params["name"]
        data = await run_in_threadpool(find, name) if _NAME.fullmatch(name) else None
        if data is None:
            raise HTTPException(404)
        return Response(data, media_type=_TYPES[Path(name).suffix], headers=_FOREVER)

    return Route("/media/{name}", media)
