"""Templates and style sheets, in the publication's name and colours."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from newsletter.render.theme import theme_css
from newsletter.settings import Settings, Theme

_TYPES = {".css": "text/css", ".js": "text/javascript"}
_TITLES = {
    403: "This page is not open to you",
    404: "There is no page here",
    405: "This page cannot do that",
    413: "That is too much at once",
    503: "We cannot do this just now",
}


class Pages:
    """Renders one folder of templates over the common layout.

    Args:
        settings: Name, addresses and colours of the publication.
        folder: The folder below `templates/` that goes before `templates/pages/`.
        base: What browsers see before every path; empty, or like ``/news``.
    """

    def __init__(self, settings: Settings, folder: str = "pages", *, base: str = "") -> None:
        self._base = base
        places = dict.fromkeys([settings.templates / folder, settings.templates / "pages"])
        self._assets = _read_assets(list(places), settings.theme)
        self._environment = Environment(
            loader=FileSystemLoader(list(places)),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(publication=settings.publication, asset=self._asset)

    def respond(self, name: str, status: int = 200, **values: Any) -> HTMLResponse:
        """Render one template as a response."""
        html = self._environment.get_template(name).render(values)
        return HTMLResponse(html, status)

    async def explain(self, _request: Request, error: Exception) -> Response:
        """The page of an HTTP error: an exception handler for Starlette."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        headers = error.headers if isinstance(error, HTTPException) else None
        title = _TITLES.get(status, HTTPStatus(status).phrase)
        response = self.respond("problem.html", status, title=title, code=status)
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
        digest = hashlib.sha256(self._assets[name].encode()).hexdigest()
        return f"{self._base}/static/{name}?{digest[:12]}"


def _read_assets(folders: list[Path], theme: Theme) -> Mapping[str, str]:
    files = [f for folder in folders for f in folder.iterdir() if f.suffix in _TYPES]
    assets = {file.name: file.read_text(encoding="utf-8") for file in files}
    return {**assets, "theme.css": theme_css(theme)}
