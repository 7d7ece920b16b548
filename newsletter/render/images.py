"""Pictures: read once, and named by a hash of their content."""

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
"""The limit for one picture, in bytes."""

_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".gif"})
# The formats that all mail programs show.
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

    Paths are relative to ``folder`` and must be inside the project's folder, ``root``; errors name
    the file ``article``.
    """

    folder: Path
    root: Path
    article: Path
    public_url: str
    images: dict[str, Image] = field(default_factory=dict)

    def add(self, source: str, limit: int, line: int | None) -> Picture:
        """Add a picture.

        Args:
            source: Its path relative to the article, as written.
            limit: The width of the space for it, in CSS pixels.
            line: Where the article names it.

        Raises:
            InputError: It is missing, outside the project, too large, or not a PNG, JPEG or GIF.
        """
        image = self.images.get(source)
        if image is None:
            image = self.images[source] = self._read(source, line)
        url = f"{self.public_url}/media/{image.sha256}{image.suffix}"
        width = min(limit, image.width)
        return Picture(url, width, max(1, round(image.height * width / image.width)))

    @property
    def distinct(self) -> tuple[Image, ...]:
        """Each picture once, even if two files have the same content."""
        return tuple({image.sha256: image for image in self.images.values()}.values())

    def _read(self, source: str, line: int | None) -> Image:
        if "://" in source or source.startswith(("//", "data:")):
            raise self._wrong(f"picture {source[:80]} is not a file", line)
        root = self.root.resolve()
        path = (self.folder / unquote(source)).resolve()
        # Resolved before: a symbolic link must not publish a file from elsewhere.
        if not path.is_relative_to(root):
            raise self._wrong(f"picture {source} is outside the project's folder", line)
        if not path.is_file():
            raise self._missing(source, path, line)
        if path.stat().st_size > LARGEST:
            raise self._wrong(f"picture {source} is larger than 5 MB", line)
        data = path.read_bytes()
        try:
            with warnings.catch_warnings():
                # Pillow only warns of a small file with an enormous number of pixels.
                warnings.simplefilter("error", Pillow.DecompressionBombWarning)
                picture = Pillow.open(BytesIO(data), formats=list(_SUFFIXES))
                picture.verify()
        # Damaged files raise whatever their decoder stumbles on.
        except Exception:
            raise self._wrong(f"{source} is not a readable PNG, JPEG or GIF", line) from None
        return Image(
            sha256=hashlib.sha256(data).hexdigest(),
            suffix=_SUFFIXES[str(picture.format)],
            path=path.relative_to(root),
            size=len(data),
            width=picture.width,
            height=picture.height,
        )

    def _missing(self, source: str, path: Path, line: int | None) -> InputError:
        # Compared without suffixes, which all have in common and which may be the mistake.
        files = sorted(path.parent.glob("*"))
        names = {f.stem.casefold(): f.name for f in files if f.suffix.lower() in _ENDINGS}
        near = get_close_matches(path.stem.casefold(), names, n=1)
        folder = "".join(unquote(source).rpartition("/")[:2])
        error = self._wrong(f"picture {source} does not exist", line)
        if near:
            error.fix = f"did you mean {folder}{names[near[0]]}?"
        return error

    def _wrong(self, message: str, line: int | None) -> InputError:
        fix = "use a PNG, JPEG or GIF file of at most 5 MB in the article's folder"
        return InputError(message, file=self.article, line=line, fix=fix)
