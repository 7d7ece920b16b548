"""Templates and style sheets, with the publication's name and colors."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from newsletter.i18n.catalog import catalogs_of
from newsletter.i18n.languages import direction
from newsletter.render.foreign import mark_language
from newsletter.render.theme import theme_css
from newsletter.settings.model import Settings

_TYPES = {".css": "text/css", ".js": "text/javascript"}


class Pages:
    """Renders one folder of templates over the common layout.

    Args:
        settings: Name, addresses and colors of the publication.
        folder: The folder below `templates/` to search before `templates/pages/`.
        base: The prefix of every path as browsers see it; empty, or like ``/news``.
    """

    def __init__(self, settings: Settings, folder: str = "pages", *, base: str = "") -> None:
        self.base = base
        places = dict.fromkeys([settings.templates / folder, settings.templates / "pages"])
        self._language = settings.publication.language
        # In memory: a name outside of these folders cannot be asked for.
        files = [file for place in places for file in place.iterdir() if file.suffix in _TYPES]
        self._assets = {file.name: file.read_text(encoding="utf-8") for file in files}
        self._assets["theme.css"] = theme_css(settings.theme)
        self._environment = Environment(
            loader=FileSystemLoader(list(places)),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(
            publication=settings.publication,
            archive=settings.archive,
            base=base,
            joinable=bool(settings.join.topics),
            asset=self._asset,
        )
        self.languages = catalogs_of(settings)

    def respond(
        self, name: str, status: int = 200, *, lang: str = "en", **values: Any
    ) -> HTMLResponse:
        """Render one template as a response, in a language that has a catalog."""
        return HTMLResponse(self.render(name, lang, **values), status)

    def render(self, name: str, lang: str, **values: Any) -> str:
        """Render one template.

        Templates translate with ``_(text, name=value)`` and `Translator.ngettext`; ``own`` marks
        texts of the publication, which are in its language rather than the page's.
        """
        translate = self.languages.markup(lang)
        words = {
            "lang": lang,
            "dir": direction(lang),
            "_": translate,
            "ngettext": translate.ngettext,
            "own": partial(mark_language, language=self._language, around=lang),
        }
        return self._environment.get_template(name).render(words | values)

    def language(self, request: Request, known: str = "") -> str:
        """The language for a visitor: the subscriber's, else the browser's."""
        return self.languages.choose(request.headers.get("accept-language", ""), known)

    async def explain(self, request: Request, error: Exception) -> Response:
        """The page for an HTTP error: an exception handler for Starlette."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        headers = error.headers if isinstance(error, HTTPException) else None
        lang = self.language(request)
        response = self.respond("problem.html", status, lang=lang, code=status)
        response.headers.update(headers or {})
        return response

    def route(self) -> Route:
        """``/static/{name}``: style sheets and scripts."""

        async def static(request: Request) -> Response:
            name = request.path_params["name"]
            if name not in self._assets:
                raise HTTPException(404)
            kind = _TYPES[Path(name).suffix]
            headers = {"Cache-Control": "public, max-age=31536000, immutable"}
            return Response(self._assets[name], media_type=kind, headers=headers)

        return Route("/static/{name}", static)

    def _asset(self, name: str) -> str:
        # The digest lets the file be cached forever.
        digest = hashlib.sha256(self._assets[name].encode()).hexdigest()
        return f"{self.base}/static/{name}?{digest[:12]}"
