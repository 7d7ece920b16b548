"""Joining from the clinic's own web site, by JSON (the Fetch Standard's CORS)."""

from collections.abc import Iterator

import pytest

from tests.integration.web.conftest import Clinic
from tests.integration.web.reader import Reader

FRIEND = {"Origin": "https://www.clinic.example", "Sec-Fetch-Site": "cross-site"}
STRANGER = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
WISH = {"email": "new@reader.example", "topics": ["sleep"], "language": "es"}


@pytest.fixture
def reader(clinic: Clinic) -> Iterator[Reader]:
    with Reader(clinic) as opened:
        yield opened


def test_a_friendly_site_may_ask(reader: Reader) -> None:
    preflight = reader.ask("OPTIONS", "/api/join", headers=FRIEND)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == FRIEND["Origin"]
    assert preflight.headers["access-control-allow-headers"] == "Content-Type"
    answer = reader.ask("POST", "/api/join", json=WISH, headers=FRIEND)
    assert (answer.status_code, answer.json()) == (202, {"result": "confirmation-asked"})
    assert answer.headers["access-control-allow-origin"] == FRIEND["Origin"]
    assert "access-control-allow-credentials" not in answer.headers
    assert reader.mail[0]["To"] == "new@reader.example"


def test_a_stranger_may_not(reader: Reader) -> None:
    assert reader.ask("OPTIONS", "/api/join", headers=STRANGER).status_code == 403
    answer = reader.ask("POST", "/api/join", json=WISH, headers=STRANGER)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    assert reader.mail == []


def test_a_server_without_an_origin_may(reader: Reader) -> None:
    assert reader.ask("POST", "/api/join", json=WISH).status_code == 202


def test_json_must_say_that_it_is_json(reader: Reader) -> None:
    # A form of any web site can post text/plain without a preflight.
    plain = {**FRIEND, "Content-Type": "text/plain"}
    answer = reader.ask("POST", "/api/join", content=b"{}", headers=plain)
    assert (answer.status_code, answer.json()) == (415, {"error": "Unsupported Media Type"})
    assert answer.headers["access-control-allow-origin"] == FRIEND["Origin"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 50_000, b"null"])
def test_what_is_no_object_is_refused(reader: Reader, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    assert reader.ask("POST", "/api/join", content=body, headers=headers).status_code == 400


@pytest.mark.parametrize(
    ("wish", "fields"),
    [
        ({}, {"email", "topics"}),
        ({"email": ["a@b.example"], "topics": ["pain"]}, {"email"}),
        ({"email": "a@b.example\nBcc: c@d.example", "topics": ["pain"]}, {"email"}),
        ({"email": "a@b.example", "topics": {"pain": 1}}, {"topics"}),
        ({"email": "a@b.example", "topics": ["secret-list"]}, {"topics"}),
    ],
)
def test_what_is_wrong_is_named_by_field(reader: Reader, wish: object, fields: set[str]) -> None:
    answer = reader.ask("POST", "/api/join", json=wish, headers=FRIEND)
    assert answer.status_code == 422
    assert set(answer.json()["errors"]) == fields
    assert answer.headers["access-control-allow-origin"] == FRIEND["Origin"]
    assert reader.mail == []


def test_it_is_limited_as_the_form_is(reader: Reader) -> None:
    answers = [
        reader.ask(
            "POST",
            "/api/join",
            json={"email": f"r{n}@reader.example", "topics": ["pain"]},
            headers=FRIEND,
        )
        for n in range(11)
    ]
    assert [answer.status_code for answer in answers] == [202] * 10 + [429]
    last = answers[-1]
    assert last.json() == {"error": "Too Many Requests"}
    assert last.headers["access-control-allow-origin"] == FRIEND["Origin"]
    assert last.headers["access-control-expose-headers"] == "Retry-After"
    assert int(last.headers["retry-after"]) > 0
