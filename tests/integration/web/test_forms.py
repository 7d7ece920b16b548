"""Forms and JSON of any kind, at every page that takes one: answered, and by no codec but UTF-8."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from newsletter.audience.consent.action_links import make_link
from newsletter.audience.model import LinkAction, LinkToken
from newsletter.settings.model import Sendgrid
from newsletter.store.engine import Store
from newsletter.web.http.server import background
from newsletter.web.public.app import public_app
from tests.integration.feedback.test_webhook import PUBLIC
from tests.integration.web.conftest import KEYS, LEFT, Clinic, ask
from tests.integration.web.reader import OWN_PAGE, Reader, joinable

UNKNOWN = "newsletter_test_codec"
"""No such codec exists, so that whoever asks for it is seen to ask."""
URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"
NAME = 'Content-Disposition: form-data; name="email"'


@pytest.fixture
def app(clinic: Clinic) -> Starlette:
    webhook = Sendgrid(webhook_key=PUBLIC)
    return public_app(clinic.store, KEYS, joinable(clinic.settings, sendgrid=webhook))


@pytest.fixture
def asked_for() -> Iterator[list[str]]:
    """The codecs that Python was asked for and does not know."""
    names: list[str] = []

    def look(name: str) -> None:
        names.append(name)

    codecs.register(look)
    yield names
    codecs.unregister(look)


def pages(clinic: Clinic) -> dict[str, str]:
    """Every address that takes a POST, with genuine tokens."""
    with clinic.store.write() as connection:
        link = make_link(
            connection,
            LinkAction.MOVE,
            "maria@reader.example",
            at=clinic.store.now(connection),
            lifetime=3600.0,
            uid=clinic.uid,
            details={"language": "en"},
        )
    move = clinic.signer.sign_ticket(LinkToken(link.id, int(link.expires_at)))
    token = clinic.token()
    return {
        "/u/{token}": f"/u/{token}",
        "/u/{token}/undo": f"/u/{token}/undo",
        "/u/{token}/reason": f"/u/{token}/reason",
        "/p/{token}": f"/p/{token}",
        "/confirm/{token}": f"/confirm/{move}",
        "/join": "/join",
        "/api/join": "/api/join",
        "/webhooks/sendgrid": "/webhooks/sendgrid",
    }


def one_part(*headers: str) -> bytes:
    head = "\r\n".join(headers).encode()
    return b"--b\r\n" + head + b"\r\n\r\nnew@reader.example\r\n--b--\r\n"


def in_parts(**fields: str) -> bytes:
    disposition = 'Content-Disposition: form-data; name="{}"'
    parts = [f"--b\r\n{disposition.format(n)}\r\n\r\n{v}\r\n" for n, v in fields.items()]
    return f"{''.join(parts)}--b--\r\n".encode("utf-8", "surrogatepass")


CHARSETS = {
    "of the form": (f"{URLENCODED}; charset={UNKNOWN}", b"email=new%40reader.example"),
    "of the form in parts": (f"{MULTIPART}; charset={UNKNOWN}", one_part(NAME)),
    "in quotes": (f'multipart/form-data; charset="{UNKNOWN}"; boundary=b', one_part(NAME)),
    "of a parameter": (f"{MULTIPART}; x*={UNKNOWN}''y", one_part(NAME)),
    "of a part": (MULTIPART, one_part(NAME, f"Content-Type: text/plain; charset={UNKNOWN}")),
    "of a name": (MULTIPART, one_part(f"Content-Disposition: form-data; name*={UNKNOWN}''email")),
    "of a file": (MULTIPART, one_part(f"{NAME}; filename*={UNKNOWN}''a.txt")),
    "of a word": (MULTIPART, one_part(f'Content-Disposition: form-data; name="=?{UNKNOWN}?Q?e?="')),
    "of an encoding": (MULTIPART, one_part(NAME, f"Content-Transfer-Encoding: {UNKNOWN}")),
    "as a field": (URLENCODED, f"_charset_={UNKNOWN}&email=new%40reader.example".encode()),
    "as a part": (MULTIPART, in_parts(_charset_=UNKNOWN, email="new@reader.example")),
    "of JSON": (f"application/json; charset={UNKNOWN}", b'{"email": "new@reader.example"}'),
}


def test_every_page_that_takes_a_post_is_asked_here(clinic: Clinic, app: Starlette) -> None:
    posts = {route.path for route in app.routes if "POST" in (getattr(route, "methods", 0) or ())}
    assert posts == set(pages(clinic))


@pytest.mark.parametrize("where", CHARSETS)
def test_no_page_looks_a_charset_up(
    clinic: Clinic, app: Starlette, asked_for: list[str], where: str
) -> None:
    kind, body = CHARSETS[where]
    for page, path in pages(clinic).items():
        headers = {**OWN_PAGE, "Content-Type": kind}
        assert ask(app, "POST", path, content=body, headers=headers).status_code < 500, page
    assert UNKNOWN not in asked_for


@pytest.mark.parametrize("charset", ["UTF-8", "utf8", '"utf-8"', "punycode", "undefined", "\xff"])
@pytest.mark.parametrize("kind", [URLENCODED, MULTIPART])
def test_a_form_is_taken_whatever_charset_it_names(clinic: Clinic, kind: str, charset: str) -> None:
    body = (
        b"email=new%40reader.example&topic=pain"
        if kind == URLENCODED
        else in_parts(email="new@reader.example", topic="pain")
    )
    headers = {**OWN_PAGE, "Content-Type": f"{kind}; charset={charset}".encode("latin-1")}
    with Reader(clinic) as reader:
        answer = reader.ask("POST", "/join", content=body, headers=headers)
        assert (answer.status_code, answer.headers["location"]) == (303, "/join/sent")
        assert [mail["To"] for mail in reader.mail] == ["new@reader.example"]


def test_a_reader_leaves_while_somebody_sends_a_form_in_a_slow_charset(
    clinic: Clinic, app: Starlette, asked_for: list[str]
) -> None:
    slow = {"Content-Type": f"{MULTIPART}; charset={UNKNOWN}"}
    with background(app) as address, httpx.Client(base_url=address) as client:
        answer = client.post("/join", content=in_parts(email="a" * 60_000), headers=slow)
        assert answer.status_code == 413
        answer = client.post("/join", content=in_parts(email="a" * 10_000), headers=slow)
        assert answer.status_code == 422
        body = in_parts(**{"List-Unsubscribe": "One-Click"})
        answer = client.post(f"/u/{clinic.token()}", content=body, headers=slow)
        assert (answer.status_code, answer.text) == (200, "You are unsubscribed.\n")
    assert clinic.standing()[0] == LEFT
    assert UNKNOWN not in asked_for


def test_a_refusal_is_a_page(app: Starlette) -> None:
    for kind, status in {"text/plain": 415, "multipart/form-data": 400}.items():
        headers = {**OWN_PAGE, "Content-Type": kind}
        answer = ask(app, "POST", "/join", content=b"email=a", headers=headers)
        assert answer.status_code == status
        assert "<h1>" in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]


LATIN = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=20)
KINDS = st.sampled_from([URLENCODED, MULTIPART, "application/json"]) | LATIN
CHARSET = st.sampled_from(["utf-8", "punycode", "undefined", "idna", "rot13", "hex"]) | LATIN
CONTENT_TYPES = KINDS | st.builds("{}; charset={}".format, KINDS, CHARSET)
PIECES = [
    *(b"--b", b"--", b"\r\n", b"\r\n\r\n", NAME.encode(), b"; filename*=punycode''a", b"\0"),
    *(b"email=", b"&topic=pain", b"&do=topics", b"&reason=other", b"%", b"%00", b"%ff", b"\xff"),
    *(b"@reader.example", b'{"email": "', b'\\ud800"', b'", "topics": ["pain"]}', b"1" * 5000),
]
WISHES = st.fixed_dictionaries(
    {"email": st.text(max_size=20).map("{}@reader.example".format), "topic": st.just("pain")},
    optional={"do": st.sampled_from(["topics", "pause", "data"]), "language": st.text(max_size=5)},
)
BODIES = st.one_of(
    st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=12).map(b"".join),
    WISHES.map(lambda fields: in_parts(**fields)),
    WISHES.map(lambda fields: urlencode(fields, errors="surrogatepass").encode()),
    WISHES.map(lambda fields: json.dumps(fields | {"topics": ["pain", fields["email"]]}).encode()),
)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@example(kind=f"{MULTIPART}; charset=undefined", body=in_parts(email="a"), origin=None)
@example(kind="application/json", body=b'{"email": "\\ud800@a.example"}', origin=None)
@example(kind="application/json", body=b"[" * 60_000, origin=None)
@example(kind="application/json", body=b'{"email": %b1%b}' % (b"[" * 900, b"]" * 900), origin=None)
@example(kind="application/json", body=b'{"email": %b}' % (b"1" * 60_000), origin=None)
@example(kind=URLENCODED, body=b"email=a", origin="http://[")
@given(kind=CONTENT_TYPES, body=BODIES, origin=st.none() | LATIN)
def test_whatever_comes_the_fault_is_never_ours(
    clinic: Clinic, app: Starlette, kind: str, body: bytes, origin: str | None
) -> None:
    for page, path in pages(clinic).items():
        headers = {"Content-Type": kind.encode("latin-1")}
        if origin is not None:
            headers["Origin"] = origin.encode("latin-1")
        answer = ask(app, "POST", path, content=body, headers=headers)
        assert answer.status_code < 500, page
        if page == "/u/{token}":
            assert answer.status_code == 200
            assert clinic.standing()[0] == LEFT


@pytest.mark.parametrize("origin", ["http://[", "http://\xbd", "x", ""])
def test_an_origin_that_is_none_is_refused(app: Starlette, origin: str) -> None:
    headers = {"Origin": origin.encode("latin-1")}
    assert ask(app, "POST", "/join", headers=headers).status_code == 403


def test_an_issue_that_cannot_be_is_not_found(clinic: Clinic, store: Store) -> None:
    app = public_app(store, KEYS, joinable(clinic.settings, archive="public"))
    for slug in ("a%00b", "%ff", "a" * 5000):
        assert ask(app, "GET", f"/archive/{slug}").status_code == 404
