"""Who types the address alone finds what there is to see."""

from __future__ import annotations

import httpx
import pytest

from newsletter.web.public.app import public_app
from tests.integration.web.conftest import KEYS, Clinic, ask
from tests.integration.web.reader import joinable


def home(clinic: Clinic, path: str = "/", *, can_join: bool, **changes: object) -> httpx.Response:
    settings = joinable(clinic.settings) if can_join else clinic.settings
    app = public_app(clinic.store, KEYS, settings.model_copy(update=changes))
    return ask(app, "GET", path, headers={"Host": "evil.example"})


@pytest.mark.parametrize(
    ("archive", "can_join", "to"),
    [
        ("public", True, "/archive"),
        ("public", False, "/archive"),
        ("unlisted", True, "/join"),
        ("off", True, "/join"),
    ],
)
def test_it_leads_to_the_archive_else_to_the_join_page(
    clinic: Clinic, archive: str, can_join: bool, to: str
) -> None:
    answer = home(clinic, can_join=can_join, archive=archive)
    assert (answer.status_code, answer.headers["location"]) == (303, to)


@pytest.mark.parametrize("archive", ["off", "unlisted"])
def test_else_it_says_whose_pages_these_are(clinic: Clinic, archive: str) -> None:
    answer = home(clinic, can_join=False, archive=archive)
    assert answer.status_code == 200
    assert "<title>The Clinic’s letter</title>" in answer.text
    assert "mailto:office@clinic.example" in answer.text
    assert "/archive" not in answer.text


@pytest.mark.parametrize("path", ["/", "/news", "/news/"])
def test_below_a_path_it_stays_there(clinic: Clinic, path: str) -> None:
    url = "https://www.clinic.example/news"
    publication = clinic.settings.publication.model_copy(update={"public_url": url})
    answer = home(clinic, path, can_join=True, publication=publication)
    assert answer.headers["location"] == "/news/join"
