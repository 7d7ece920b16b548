"""What strangers try, at every route there is: none of it changes anything.

More of the same stands beside what it attacks: replayed confirmations in `test_join`, forms of
other web sites in `test_join` and `test_preferences`, hostile articles in `test_archive`, the
webhook's signature in `tests/integration/feedback/test_webhook`.
"""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from newsletter.audience.model import Token, TokenPurpose
from newsletter.settings.model import Sendgrid
from newsletter.web.http import request_timeout
from newsletter.web.http.server import background
from newsletter.web.public.app import public_app
from tests.integration.feedback.test_webhook import PUBLIC
from tests.integration.web.conftest import KEYS, LEFT, STAYED, Clinic, ask
from tests.integration.web.reader import OWN_PAGE, Reader, joinable

PURPOSE = {
    "/u/{token}": TokenPurpose.UNSUBSCRIBE,
    "/u/{token}/undo": TokenPurpose.UNSUBSCRIBE,
    "/u/{token}/reason": TokenPurpose.UNSUBSCRIBE,
    "/p/{token}": TokenPurpose.UNSUBSCRIBE,
    "/confirm/{token}": TokenPurpose.CONFIRM,
}
FROM_ELSEWHERE = {"/u/{token}", "/webhooks/sendgrid"}
"""POSTs that come from other machines by their nature: the token, or the signature, says all."""


@pytest.fixture
def app(clinic: Clinic) -> Starlette:
    """Every route that can be switched on."""
    changes = {"archive": "public", "metrics": True, "sendgrid": Sendgrid(webhook_key=PUBLIC)}
    return public_app(clinic.store, KEYS, joinable(clinic.settings, **changes))


@pytest.fixture
def reader(clinic: Clinic) -> Iterator[Reader]:
    with Reader(clinic) as opened:
        yield opened


def routes(app: Starlette, method: str) -> list[str]:
    found = [r for r in app.routes if isinstance(r, Route) and method in (r.methods or ())]
    assert found
    return sorted({route.path for route in found})


def test_every_route_with_a_token_is_attacked_here(app: Starlette) -> None:
    told = {path for method in ("GET", "POST") for path in routes(app, method) if "token" in path}
    assert told == set(PURPOSE)


def forgeries(clinic: Clinic, purpose: TokenPurpose) -> dict[str, str]:
    """Tokens that look like one of this purpose."""
    facts = (clinic.uid, 2**31)
    genuine = clinic.signer.sign(Token(purpose, False, *facts))
    other = clinic.signer.sign(Token(purpose, False, clinic.uid ^ 1, 2**31))
    changed = {
        f"changed {i}": genuine[:i] + ("A" if genuine[i] != "A" else "B") + genuine[i + 1 :]
        for i in range(len(genuine))
    }
    foreign = {
        f"for {each}": clinic.signer.sign(Token(each, proof, *facts))
        for each in TokenPurpose
        for proof in (False, True)
        if each is not purpose
    }
    return {
        **changed,
        **foreign,
        **{f"cut to {size}": genuine[:size] for size in (1, 16, 31)},
        "too long": genuine + "A",
        "doubled": genuine * 2,
        "of two": genuine[:16] + other[16:],
        "zeros": "A" * 32,
        "null": "%00" * 32,
        "upwards": "..%2f" + genuine,
    }


@pytest.mark.parametrize("path", PURPOSE)
def test_no_token_but_the_right_one_does_anything(
    clinic: Clinic, app: Starlette, path: str
) -> None:
    before = clinic.standing()
    form = {"do": "topics", "reason": "other"}
    for name, text in forgeries(clinic, PURPOSE[path]).items():
        url = path.replace("{token}", text)
        for method in ("GET", "POST"):
            if path in routes(app, method):
                data = form if method == "POST" else None
                answer = ask(app, method, url, data=data, headers=OWN_PAGE)
                assert answer.status_code == 404, name
    assert clinic.standing() == before


def test_a_replayed_click_brings_nobody_back_and_removes_nobody_twice(
    clinic: Clinic, app: Starlette
) -> None:
    path = f"/u/{clinic.token()}"
    ask(app, "POST", path)
    once = clinic.standing()
    ask(app, "POST", path)
    assert clinic.standing() == once
    ask(app, "POST", f"{path}/undo", headers=OWN_PAGE)
    ask(app, "POST", f"{path}/undo", headers=OWN_PAGE)
    assert clinic.standing()[:2] == (STAYED, [])
    ask(app, "POST", path)
    assert clinic.standing()[0] == LEFT


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-site", "Origin": "https://other.clinic.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
    ids=["cross-site", "same-site", "origin", "null"],
)
def test_no_other_web_site_can_press_a_button(
    clinic: Clinic, app: Starlette, headers: dict[str, str]
) -> None:
    before = clinic.standing()
    for path in routes(app, "POST"):
        if path not in FROM_ELSEWHERE:
            purpose = PURPOSE.get(path, TokenPurpose.UNSUBSCRIBE)
            token = clinic.signer.sign(Token(purpose, False, clinic.uid, 2**31))
            answer = ask(app, "POST", path.replace("{token}", token), headers=headers)
            assert answer.status_code == 403, path
    assert clinic.standing() == before


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_nothing_changes_by_looking(clinic: Clinic, app: Starlette, method: str) -> None:
    before = clinic.standing()
    for path in routes(app, "GET"):
        url = path.replace("{token}", clinic.token()).replace("{", "").replace("}", "")
        assert ask(app, method, url).status_code < 500
    assert clinic.standing() == before


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
def test_a_body_past_the_limit_is_refused_everywhere(
    clinic: Clinic, app: Starlette, declared: bool
) -> None:
    sent = 0

    async def endless():
        nonlocal sent
        while sent < 64 * 1024 * 1024:
            sent += 64 * 1024
            yield b"x" * 64 * 1024

    before = clinic.standing()
    for path in routes(app, "POST"):
        sent = 0
        content = b"x" * 5_000_000 if declared else endless()
        kind = "application/json" if path == "/api/join" else "application/x-www-form-urlencoded"
        headers = {**OWN_PAGE, "Content-Type": kind}
        token = clinic.signer.sign(Token(PURPOSE.get(path, "bounce"), False, clinic.uid, 2**31))
        url = path.replace("{token}", token)
        answer = ask(app, "POST", url, content=content, headers=headers)
        expected = {413, 410} if path == "/confirm/{token}" else {413}
        assert answer.status_code in expected, path
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "<h1>" in answer.text
        assert sent < 6_000_000
    assert clinic.standing() == before


INJECTED = [
    "eve@evil.example\r\nBcc: all@victims.example",
    "eve@evil.example\nSubject: Hello",
    "eve@evil.example\0",
    '"eve\r\nBcc: x"@evil.example',
    "eve@evil.example, all@victims.example",
    "<eve@evil.example>",
    "Eve <eve@evil.example>",
    "eve@evil.example?bcc=all@victims.example",
    "eve%0d%0aBcc:x@evil.example\u2028Bcc: x@y.example",
]


@pytest.mark.parametrize("email", INJECTED)
def test_no_address_smuggles_a_header_into_a_letter(reader: Reader, email: str) -> None:
    assert reader.join(email).status_code == 422
    posted = {"email": email, "topics": ["pain"]}
    assert reader.ask("POST", "/api/join", json=posted).status_code == 422
    assert reader.mail == []


@pytest.mark.parametrize("language", ["en\r\nBcc: x@y.example", "<script>", "es;q=9" * 99])
def test_no_language_smuggles_a_header_into_a_letter(reader: Reader, language: str) -> None:
    posted = {"email": "new@reader.example", "topics": ["pain"], "language": language}
    assert reader.ask("POST", "/api/join", json=posted).status_code == 202
    (mail,) = reader.mail
    assert mail["To"] == "new@reader.example"
    assert mail["Bcc"] is None
    assert "<script" not in mail.as_string()


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example/join",
        "//evil.example/",
        "/\\evil.example/archive/",
        "/join/?next=https://evil.example",
        "/join?next=//evil.example&url=//evil.example",
        "/https://evil.example/",
        "/%2f%2fevil.example/archive/",
        "/archive//evil.example/",
        "/u/..%2f..%2f%2fevil.example/",
    ],
)
@pytest.mark.parametrize("host", ["news.clinic.example", "evil.example"])
def test_no_answer_leads_to_another_site(app: Starlette, path: str, host: str) -> None:
    with background(app) as address:
        status, headers = raw(address, f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert status < 500
        assert "location" not in headers
        form = {"email": "x@reader.example", "topic": "pain", "next": "//evil.example"}
    answer = ask(app, "POST", "/join", data=form, headers=OWN_PAGE)
    assert answer.headers["location"] == "/join/sent"


def raw(address: str, request: bytes) -> tuple[int, dict[str, str]]:
    """Status and headers of what a server answers to these very bytes."""
    place = urlsplit(address)
    with socket.create_connection((place.hostname, place.port), timeout=120) as line:
        line.sendall(request)
        got = b""
        while b"\r\n\r\n" not in got:
            part = line.recv(65536)
            assert part
            got += part
    first, *lines = got.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    pairs = (each.split(": ", 1) for each in lines)
    return int(first.split()[1]), {name.lower(): value for name, value in pairs}


def test_headers_without_end_are_refused(app: Starlette) -> None:
    with background(app) as address:
        flood = b"GET /join HTTP/1.1\r\nHost: x\r\n" + b"X-A: " + b"a" * 200_000
        assert raw(address, flood)[0] == 400
        split = b"GET /join\r\nX: y HTTP/1.1\r\nHost: x\r\n\r\n"
        assert raw(address, split)[0] == 400


SLOW = {
    "nothing": b"",
    "half a header": b"GET /join HTTP/1.1\r\nHost: x\r\nX-A",
    "half a body": b"POST /join HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\nemail=",
    "a second request": b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /health HT",
}


@pytest.mark.parametrize("name", SLOW)
def test_who_asks_slowly_is_cut_off_and_blocks_nobody(
    app: Starlette, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(request_timeout, "REQUEST_S", 2.0)
    with background(app) as address:
        place = urlsplit(address)
        lines = [socket.create_connection((place.hostname, place.port)) for _ in range(100)]
        for line in lines:
            line.sendall(SLOW[name])
        with urllib.request.urlopen(f"{address}/health", timeout=120) as answer:
            assert answer.read() == b"ok"
        for line in lines:
            with suppress(OSError):
                line.sendall(b"a")
        for line in lines:
            assert is_cut_off(line)
            line.close()


def is_cut_off(line: socket.socket) -> bool:
    """Whether the server hangs up on somebody who goes on sending byte by byte."""
    line.settimeout(0.1)
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            line.sendall(b"a")
            if not line.recv(65536):
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


def test_who_leaves_slowly_has_left_all_the_same(
    clinic: Clinic, app: Starlette, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_timeout, "REQUEST_S", 0.3)
    head = f"POST /u/{clinic.token()} HTTP/1.1\r\nHost: x\r\nContent-Length: 26\r\n\r\nList"
    with background(app) as address:
        place = urlsplit(address)
        with socket.create_connection((place.hostname, place.port)) as line:
            line.sendall(head.encode())
            assert is_cut_off(line)
            until = time.monotonic() + 120
            while clinic.standing()[0] != LEFT:
                assert time.monotonic() < until
                time.sleep(0.02)


def test_json_of_any_depth_and_kind_is_answered(app: Starlette) -> None:
    bodies = [
        "[" * 60_000,
        "NaN",
        '{"email": {"a": []}}',
        json.dumps({"topics": {"a": 1}}),
        "\ud800",
    ]
    for body in bodies:
        headers = {**OWN_PAGE, "Content-Type": "application/json"}
        content = body.encode("utf-8", "surrogatepass")
        answer = ask(app, "POST", "/api/join", content=content, headers=headers)
        assert answer.status_code in {400, 422}, body[:20]
