"""Once the database file is another one, nobody is told that anything was done."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from newsletter.audience.consent.action_links import make_link
from newsletter.audience.model import LinkAction, LinkToken
from newsletter.database.backup import backup
from newsletter.database.open import open_store
from newsletter.settings.model import Sendgrid
from newsletter.web.public.app import public_app
from tests.integration.feedback.test_webhook import PUBLIC, body_of, signed, told
from tests.integration.web.conftest import KEYS, LEFT, STAYED, Clinic, ask
from tests.integration.web.reader import OWN_PAGE, joinable
from tests.integration.web.test_attacks import routes


def app_of(clinic: Clinic) -> Starlette:
    """Every route that can be switched on."""
    changes = {"archive": "public", "metrics": True, "sendgrid": Sendgrid(webhook_key=PUBLIC)}
    return public_app(clinic.store, KEYS, joinable(clinic.settings, **changes))


def good_posts(clinic: Clinic) -> dict[str, tuple[str, dict[str, Any]]]:
    """For each route, its path and a request that changes something."""
    with clinic.store.write() as connection:
        link = make_link(
            connection,
            LinkAction.JOIN,
            "new@reader.example",
            at=time.time(),
            lifetime=3600.0,
            details={
                "lists": ["pain"],
                "language": "en",
                "source": "page",
                "wording": "Yes",
                "wording_version": "1",
            },
        )
    ticket = clinic.signer.sign_ticket(LinkToken(link.id, int(link.expires_at)))
    token, events = clinic.token(), body_of(told("a", 1))

    def form(**data: Any) -> dict[str, Any]:
        return {"data": data, "headers": OWN_PAGE}

    person = {"email": "other@reader.example", "topics": ["pain"]}
    return {
        "/u/{token}": (f"/u/{token}", {}),
        "/u/{token}/undo": (f"/u/{token}/undo", form()),
        "/u/{token}/reason": (f"/u/{token}/reason", form(reason="other")),
        "/p/{token}": (f"/p/{token}", form(do="topics", topic="pain")),
        "/join": ("/join", form(email="other@reader.example", topic="pain", website="")),
        "/api/join": ("/api/join", {"json": person, "headers": OWN_PAGE}),
        "/confirm/{token}": (f"/confirm/{ticket}", form()),
        "/webhooks/sendgrid": (
            "/webhooks/sendgrid",
            {"content": events, "headers": signed(events)},
        ),
    }


@pytest.fixture
def place(clinic: Clinic) -> Path:
    return clinic.settings.var / "newsletter.db"


def replace_by_a_backup(clinic: Clinic, place: Path) -> None:
    """What an operator does who restores by hand and leaves the pages running."""
    backup(clinic.store, place.with_name("backup.db"))
    (place.parent / "old").mkdir()
    for file in place.parent.glob("newsletter.db*"):
        file.rename(place.parent / "old" / file.name)
    shutil.copy(place.with_name("backup.db"), place)


def test_no_request_is_answered_as_if_it_were_done(clinic: Clinic, place: Path) -> None:
    app, posts = app_of(clinic), good_posts(clinic)
    assert set(posts) == set(routes(app, "POST")), "each route is tried here"
    replace_by_a_backup(clinic, place)
    before = place.read_bytes()
    for route, (path, request) in posts.items():
        answer = ask(app, "POST", path, **request)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "60"), route
    for path in ("/health", "/metrics", f"/p/{clinic.token()}", "/archive"):
        assert ask(app, "GET", path).status_code == 503, path
    assert place.read_bytes() == before
    assert not place.with_name("newsletter.db-wal").exists()


def test_each_of_these_requests_does_something_otherwise(clinic: Clinic) -> None:
    app = app_of(clinic)
    for route, (path, request) in good_posts(clinic).items():
        assert ask(app, "POST", path, **request).status_code < 400, route


def test_started_again_the_pages_work_on_the_new_file(clinic: Clinic, place: Path) -> None:
    replace_by_a_backup(clinic, place)
    clinic.store.close()
    clinic.store = open_store(clinic.settings)
    assert clinic.standing()[0] == STAYED
    assert ask(app_of(clinic), "POST", f"/u/{clinic.token()}").status_code == 200
    assert clinic.standing()[0] == LEFT
