"""Pictures: read once, named by their content."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, field
from difflib import get_close_matches
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote

from PIL import Image as Pillow

from newsletter.errors import InputError
from newsletter.render.model import Image

LARGEST = 5_000_000
"""Bytes of one picture."""

_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".gif"})
_SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "GIF": ".gif"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as laid out, in CSS pixels."""

    url: str
    width: int
    height: int


@dataclass(slots=True)
class ImageCollector:
    """The pictures of one issue, in the order in which they first appear.

    ``folder`` is where relative paths start, ``root`` the project's folder, ``article`` the file
    that errors name.
    """

    folder: Path
    root: Path
    article: Path
    public_url: str
    images: dict[str, Image] = field(default_factory=dict)

    def add(self, source: str, limit: int, line: int | None) -> Picture:
        """Take a picture in.

        Args:
            source: Its path relative to the article, as written.
            limit: The width of its place, in CSS pixels.
            line: Where the article names it.

        Raises:
            InputError: It is missing, outside the project, too large, or no PNG, JPEG or GIF.
        """
        image = self.images.get(source)
        if image is None:
            image = self.images[source] = self._read(source, line)
        url = f"{self.public_url}/media/{image.sha256}{image.suffix}"
        width = min(limit, image.width)
        return Picture(url, width, max(1, round(image.height * width / image.width)))

    @property
    def distinct(self) -> tuple[Image, ...]:
        """Each picture once, even where two paths lead to the same bytes."""
        return tuple({image.sha256: image for image in self.images.values()}.values())

    def _read(self, source: str, line: int | None) -> Image:
        path, data = self._load(source, line)
        suffix, width, height = self._measure(data, source, line)
        sha256 = hashlib.sha256(data).hexdigest()
        return Image(sha256, suffix, path, len(data), width, height)

    def _load(self, source: str, line: int | None) -> tuple[Path, bytes]:
        if "://" in source or source.startswith(("//", "data:")):
            raise self._wrong(f"picture {source[:80]} is not a file", line)
        root = self.root.resolve()
        path = (self.folder / unquote(source)).resolve()
        if not path.is_relative_to(root):
            raise self._wrong(f"picture {source} lies outside the project's folder", line)
        if not path.is_file():
            raise self._missing(source, path, line)
        if path.stat().st_size > LARGEST:
            raise self._wrong(f"picture {source} is larger than 5 MB", line)
        return path.relative_to(root), path.read_bytes()

    def _measure(self, data: bytes, source: str, line: int | None) -> tuple[str, int, int]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", Pillow.DecompressionBombWarning)
                picture = Pillow.open(BytesIO(data), formats=list(_SUFFIXES))
                picture.verify()
        except Exception:
            raise self._wrong(f"{source} is not a readable PNG, JPEG or GIF", line) from None
        return _SUFFIXES[str(picture.format)], picture.width, picture.height

    def _missing(self, source: str, path: Path, line: int | None) -> InputError:
        # Without their endings, which all of them share and which may be what is wrong.
        there = sorted(path.parent.glob("*"))
        beside = {f.stem.casefold(): f.name for f in there if f.suffix.lower() in _ENDINGS}
        near = get_close_matches(path.stem.casefold(), beside, n=1)
        folder = "".join(unquote(source).rpartition("/")[:2])
        error = self._wrong(f"no such picture: {source}", line)
        if near:
            error.fix = f"did you mean {folder}{beside[near[0]]}?"
        return error

    def _wrong(self, message: str, line: int | None) -> InputError:
        fix = "put a PNG, JPEG or GIF of at most 5 MB beside the article"
        return InputError(message, file=self.article, line=line, fix=fix)
