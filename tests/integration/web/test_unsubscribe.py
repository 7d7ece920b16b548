"""Leaving the list, as mail providers' machines (RFC 8058) and people do it."""

import logging

import pytest
from sqlalchemy import select, update
from starlette.applications import Starlette

from newsletter.audience.tables import consent_event, subscriber
from newsletter.web.public.app import public_app
from tests.integration.web.conftest import KEYS, LEFT, STAYED, Clinic, ask

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
BODIES = {
    "urlencoded": {"data": ONE_CLICK},
    "multipart": {"files": {"List-Unsubscribe": (None, "One-Click")}},
    "empty": {},
    "odd": {"content": b"\xff\x00{]", "headers": {"Content-Type": "multipart/form-data"}},
    "json": {"json": {"List-Unsubscribe": "no"}},
}
AS_HTML = {"Accept": "text/html,*/*;q=0.8"}
OWN_PAGE = {"Sec-Fetch-Site": "same-origin", **AS_HTML}


@pytest.fixture
def app(clinic: Clinic) -> Starlette:
    return public_app(clinic.store, KEYS, clinic.settings)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
def test_only_a_post_changes_anything(clinic: Clinic, app: Starlette, method: str) -> None:
    before = clinic.standing()
    answer = ask(app, method, f"/u/{clinic.token()}")
    assert answer.status_code == (200 if method in {"GET", "HEAD"} else 405)
    assert clinic.standing() == before


def test_the_page_has_one_button_that_posts_to_itself(clinic: Clinic, app: Starlette) -> None:
    token = clinic.token()
    page = ask(app, "GET", f"/u/{token}").text
    assert page.count("<button") == 1
    assert f'<form method="post" action="/u/{token}">' in page


@pytest.mark.parametrize("body", BODIES)
def test_a_post_unsubscribes_at_once_whatever_it_says(
    clinic: Clinic, app: Starlette, body: str
) -> None:
    answer = ask(app, "POST", f"/u/{clinic.token()}", **BODIES[body])
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert "location" not in answer.headers
    states, reasons, events = clinic.standing()
    assert (states, reasons) == (LEFT, ["unsubscribed"])
    assert [source for action, source in events if action == "unsubscribed"] == ["one-click"] * 2


def test_a_machine_is_told_in_one_line(clinic: Clinic, app: Starlette) -> None:
    answer = ask(app, "POST", f"/u/{clinic.token()}", data=ONE_CLICK)
    assert answer.text == "You are unsubscribed.\n"
    assert answer.headers["content-type"].startswith("text/plain")


def test_a_post_from_anywhere_counts(clinic: Clinic, app: Starlette) -> None:
    foreign = {"Origin": "https://mail.example", "Sec-Fetch-Site": "cross-site"}
    assert ask(app, "POST", f"/u/{clinic.token()}", headers=foreign).status_code == 200
    assert clinic.standing()[0] == LEFT


def test_repeating_it_changes_nothing_more(clinic: Clinic, app: Starlette) -> None:
    path = f"/u/{clinic.token()}"
    first = ask(app, "POST", path, data=ONE_CLICK)
    before = clinic.standing()
    again = ask(app, "POST", path, data=ONE_CLICK)
    assert (again.status_code, again.text) == (first.status_code, first.text)
    assert clinic.standing() == before


def test_our_own_button_is_told_apart_in_the_record(clinic: Clinic, app: Starlette) -> None:
    ask(app, "POST", f"/u/{clinic.token()}", data=ONE_CLICK, headers=OWN_PAGE)
    assert ("unsubscribed", "page") in clinic.standing()[2]


def test_undo_gives_both_lists_back(clinic: Clinic, app: Starlette) -> None:
    path = f"/u/{clinic.token()}"
    page = ask(app, "POST", path, headers=AS_HTML)
    assert f'action="{path}/undo"' in page.text
    assert ask(app, "POST", f"{path}/undo", headers=OWN_PAGE).status_code == 200
    assert clinic.standing()[:2] == (STAYED, [])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://news.clinic.example"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 200),
        ({"Origin": "http://news.clinic.example"}, 200),
        ({}, 200),
    ],
)
def test_undo_is_taken_from_our_own_page_only(
    clinic: Clinic, app: Starlette, headers: dict[str, str], status: int
) -> None:
    path = f"/u/{clinic.token()}"
    ask(app, "POST", path)
    assert ask(app, "POST", f"{path}/undo", headers=headers).status_code == status
    assert clinic.standing()[0] == (STAYED if status == 200 else LEFT)


@pytest.mark.parametrize(
    ("method", "end"), [("GET", ""), ("POST", ""), ("POST", "/reason"), ("POST", "/undo")]
)
@pytest.mark.parametrize("language", ["es", "es-MX", "es_ES"])
def test_the_pages_speak_the_readers_language_before_the_browsers(
    clinic: Clinic, app: Starlette, method: str, end: str, language: str
) -> None:
    with clinic.store.write() as connection:
        connection.execute(update(subscriber).values(language=language))
    headers = {**OWN_PAGE, "Accept-Language": "en"}
    page = ask(app, method, f"/u/{clinic.token()}{end}", headers=headers)
    assert '<html lang="es" ' in page.text


def test_a_forged_link_gets_one_neutral_answer(clinic: Clinic, app: Starlette) -> None:
    token = clinic.token()
    forged = [token[:-1] + ("A" if token[-1] != "A" else "B"), "x", "A" * 32, token + "A", "ü" * 32]
    before = clinic.standing()
    answers = {
        (answer.status_code, answer.text)
        for text in forged
        for answer in (
            ask(app, "GET", f"/u/{text}"),
            ask(app, "POST", f"/u/{text}", data=ONE_CLICK),
            ask(app, "POST", f"/u/{text}/undo"),
        )
    }
    assert len(answers) == 1
    status, page = answers.pop()
    assert status == 404
    assert "office@clinic.example" in page
    assert clinic.standing() == before


def test_a_genuine_link_of_somebody_erased_looks_like_any_other(
    clinic: Clinic, app: Starlette
) -> None:
    known, erased = clinic.token(), clinic.token(uid=clinic.uid ^ 1)
    for headers in (AS_HTML, {}):
        answers = [ask(app, "POST", f"/u/{t}", headers=headers) for t in (known, erased)]
        assert answers[0].text.replace(known, "") == answers[1].text.replace(erased, "")


@pytest.mark.parametrize(("method", "end"), [("GET", ""), ("POST", ""), ("POST", "/undo")])
def test_a_proof_link_says_so_and_changes_nothing(
    clinic: Clinic, app: Starlette, method: str, end: str
) -> None:
    before = clinic.standing()
    answer = ask(app, method, f"/u/{clinic.token(proof=True)}{end}")
    assert answer.status_code == 200
    assert "This link is a sample" in answer.text
    assert clinic.standing() == before


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_past_the_limit_is_refused_before_anything_happens(
    clinic: Clinic, app: Starlette, declared: bool
) -> None:
    async def endless():
        for _ in range(100):
            yield b"x" * 4096

    content = b"x" * 70_000 if declared else endless()
    answer = ask(app, "POST", f"/u/{clinic.token()}", content=content)
    assert answer.status_code == 413
    assert clinic.standing()[0] == STAYED


def test_headers_that_keep_the_token_from_leaking(clinic: Clinic, app: Starlette) -> None:
    for method in ("GET", "POST"):
        headers = ask(app, method, f"/u/{clinic.token()}").headers
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "script-src" not in policy
        assert "strict-transport-security" not in headers


def test_https_is_promised_over_https_only(clinic: Clinic, app: Starlette) -> None:
    answer = ask(app, "GET", f"https://news.clinic.example/u/{clinic.token()}")
    assert answer.headers["strict-transport-security"].startswith("max-age=")


def test_the_access_log_names_the_route_and_never_the_token(
    clinic: Clinic, app: Starlette, caplog: pytest.LogCaptureFixture
) -> None:
    token = clinic.token()
    with caplog.at_level(logging.DEBUG):
        ask(app, "POST", f"/u/{token}")
        ask(app, "GET", f"/nowhere/{token}")
    ours = [vars(r) for r in caplog.records if r.name == "newsletter.web.access"]
    told = [(line["method"], line["route"], line["status"]) for line in ours]
    assert told == [("POST", "/u/{token}", 200), ("GET", "(no route)", 404)]
    assert all(line["ms"] >= 0 for line in ours)
    assert token not in str(ours)


def test_without_a_database_it_asks_to_come_back(
    clinic: Clinic, app: Starlette, caplog: pytest.LogCaptureFixture
) -> None:
    clinic.store.close()
    database = clinic.settings.var / "newsletter.db"
    for file in database.parent.glob("newsletter.db*"):
        file.unlink()
    database.mkdir()
    answer = ask(app, "POST", f"/u/{clinic.token()}")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    (line,) = [vars(r) for r in caplog.records if r.message == "unavailable"]
    assert "cannot be used" in line["reason"]
    assert str(clinic.uid) not in str(line)
    health = ask(app, "GET", "/health")
    assert (health.status_code, health.text) == (503, "database unavailable")


def test_health(app: Starlette) -> None:
    answer = ask(app, "GET", "/health")
    assert (answer.status_code, answer.text) == (200, "ok")


def test_who_left_may_say_why(clinic: Clinic, app: Starlette) -> None:
    path = f"/u/{clinic.token()}"
    page = ask(app, "POST", path, headers=OWN_PAGE).text
    assert f'action="{path}/reason"' in page
    for reason in ("too-often", "anything <b>", ""):
        answer = ask(app, "POST", f"{path}/reason", data={"reason": reason}, headers=OWN_PAGE)
        assert answer.status_code == 200
    with clinic.store.read() as connection:
        kept = connection.execute(
            select(consent_event.c.evidence).where(consent_event.c.action == "leaving-reason")
        )
        assert kept.scalars().all() == [{"reason": "too-often"}]
    assert ask(app, "POST", f"{path}/undo", headers=OWN_PAGE).status_code == 200
    assert clinic.standing()[0] == STAYED


def test_why_is_asked_on_our_own_page_only(clinic: Clinic, app: Starlette) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}
    path = f"/u/{clinic.token()}/reason"
    assert ask(app, "POST", path, data={"reason": "other"}, headers=headers).status_code == 403
    proof = f"/u/{clinic.token(proof=True)}/reason"
    before = clinic.standing()
    ask(app, "POST", proof, data={"reason": "other"})
    assert clinic.standing() == before
