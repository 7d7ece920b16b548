"""Images of sent issues: stored under their SHA-256 for as long as mail points to them."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

from newsletter.errors import InputError
from newsletter.render.model import Image
from newsletter.settings.model import Settings

MEDIA_NAME = re.compile(r"([0-9a-f]{64})\.(?:png|jpg|gif)")


def media_folder(settings: Settings) -> Path:
    """Where the images of sent issues are stored."""
    return settings.var / "media"


def save_media(settings: Settings, image: Image) -> Path:
    """Store an image for as long as mail points to it. Idempotent.

    Args:
        settings: Name the folder, and the root that ``image.path`` is relative to.
        image: An image of a compiled issue.

    Returns:
        The file that ``/media/{sha256}{suffix}`` serves from now on.

    Raises:
        InputError: The file is missing, or is not the image that was compiled.
    """
    target = media_folder(settings) / f"{image.sha256}{image.suffix}"
    if read_media(target) is None:
        source = settings.root / image.path
        data = source.read_bytes() if source.is_file() else b""
        if hashlib.sha256(data).hexdigest() != image.sha256:
            raise InputError(
                "the image is missing or was changed since the issue was compiled",
                file=image.path,
                fix="run the command again and approve the issue again",
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        # Renamed once it is complete: nobody is ever served half an image.
        with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # Readable for a web server that serves the folder itself.
        Path(file.name).chmod(0o644)
        Path(file.name).replace(target)
    return target


def read_media(file: Path) -> bytes | None:
    """The bytes of a stored image; None unless their hash matches the name."""
    name = MEDIA_NAME.fullmatch(file.name)
    # The name comes from a URL: no other file in the folder is ever served.
    if not name or not file.is_file():
        return None
    data = file.read_bytes()
    return data if hashlib.sha256(data).hexdigest() == name[1] else None
