"""The articles on this machine, as the preview sees them."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

from newsletter.errors import NewsletterError
from newsletter.settings.model import Settings
from newsletter.studio.page import Preview

Load = Callable[[Path], Preview]


class PreviewCache:
    """Recompiles each article only when something changed.

    Args:
        settings: Articles are in `issues/` under their root.
        issue: The only one to show; None shows all.
        load: Reads, compiles and checks one article.
    """

    def __init__(self, settings: Settings, issue: Path | None, load: Load) -> None:
        self._settings = settings
        self._only = issue
        self._load = load
        self._lock = threading.Lock()
        self._loaded: dict[str, tuple[str, Preview | NewsletterError]] = {}

    def files(self) -> dict[str, Path]:
        """Slug to file, by name."""
        if self._only is not None:
            return {self._only.stem: self._only}
        return {file.stem: file for file in sorted((self._settings.root / "issues").glob("*.md"))}

    def version(self, slug: str) -> str:
        """A digest that changes with the article, the files next to it, or any template."""
        # Two levels and no hidden folder: the article may be in a project's root, next to .git.
        beside = self.files()[slug].parent
        found = (beside.glob("*"), beside.glob("[!.]*/*"), self._settings.templates.rglob("*"))
        files = sorted(file for places in found for file in places)
        digest = hashlib.sha256()
        for file in (*files, self._settings.root / "newsletter.toml"):
            try:
                stat = file.stat()
            except OSError:
                continue
            digest.update(f"{file}\0{stat.st_mtime_ns}\0{stat.st_size}\0".encode())
        return digest.hexdigest()

    def preview(self, slug: str) -> Preview:
        """The article, compiled.

        Raises:
            NewsletterError: It cannot be read or compiled right now.
        """
        with self._lock:
            version = self.version(slug)
            if self._loaded.get(slug, ("",))[0] != version:
                # Errors are kept, too: the page asks every second.
                loaded: Preview | NewsletterError
                try:
                    loaded = self._load(self.files()[slug])
                except NewsletterError as error:
                    loaded = error
                self._loaded[slug] = version, loaded
            result = self._loaded[slug][1]
        if isinstance(result, NewsletterError):
            raise result
        return result

    def picture(self, name: str) -> bytes | None:
        """A picture in a compiled article, if the file has not changed since."""
        for _, result in list(self._loaded.values()):
            if isinstance(result, NewsletterError):
                continue
            for image in result.compiled.images:
                file = self._settings.root / image.path
                if f"{image.sha256}{image.suffix}" == name and file.is_file():
                    data = file.read_bytes()
                    return data if hashlib.sha256(data).hexdigest() == image.sha256 else None
        return None
