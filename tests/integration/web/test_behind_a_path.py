"""A proxy may serve the reader's pages below a path, and pass it on or take it off."""

from __future__ import annotations

import re

import pytest
from starlette.applications import Starlette

from newsletter.web.public.app import public_app
from tests.integration.web.conftest import KEYS, LEFT, STAYED, Clinic, ask

BASE = "/news"


@pytest.fixture
def app(clinic: Clinic) -> Starlette:
    publication = clinic.settings.publication.model_copy(
        update={"public_url": f"https://www.clinic.example{BASE}"}
    )
    settings = clinic.settings.model_copy(update={"publication": publication})
    return public_app(clinic.store, KEYS, settings)


@pytest.mark.parametrize("passed_on", [True, False])
def test_every_button_and_style_sheet_is_found(
    clinic: Clinic, app: Starlette, passed_on: bool
) -> None:
    def press(method: str, public_path: str) -> str:
        assert public_path.startswith(f"{BASE}/"), public_path
        path = public_path if passed_on else public_path.removeprefix(BASE)
        answer = ask(app, method, path, headers={"Sec-Fetch-Site": "same-origin"})
        assert answer.status_code == 200
        return answer.text

    def found(pattern: str, page: str) -> str:
        match = re.search(pattern, page)
        assert match, page
        return match[1]

    page = press("GET", f"{BASE}/u/{clinic.token()}")
    for sheet in re.findall(r'rel="stylesheet" href="([^"]+)"', page):
        press("GET", sheet)
    left = press("POST", found(r'<form method="post" action="([^"]+)"', page))
    assert clinic.standing()[0] == LEFT
    back = press("POST", found(r'<form method="post" action="([^"]+)"', left))
    assert clinic.standing()[0] == STAYED
    press("GET", found(r'<a href="([^"]+/u/[^"]+)"', back))
