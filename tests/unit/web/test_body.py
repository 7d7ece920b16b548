"""Forms and JSON as they arrive: what is read, what is refused, and that nobody else reads them."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException
from starlette.requests import Request

import newsletter
from newsletter.web.http.body import (
    LONGEST_FIELD,
    LONGEST_HEAD,
    MOST_FIELDS,
    read_form,
    read_object,
)

T = TypeVar("T")
URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"
EMAIL = b'Content-Disposition: form-data; name="email"'


def read(how: Callable[[Request], Awaitable[T]], kind: str | None, *chunks: bytes) -> T:
    """What is read from a request with this Content-Type, its body coming in chunks."""
    waiting = [*chunks]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

    headers = [] if kind is None else [(b"content-type", kind.encode("latin-1"))]
    return asyncio.run(_await(how(Request({"type": "http", "headers": headers}, receive))))


async def _await(coming: Awaitable[T]) -> T:
    return await coming


def fields(kind: str | None, *chunks: bytes) -> list[tuple[str, str]]:
    return read(read_form, kind, *chunks).multi_items()


def parts(*heads_and_values: tuple[bytes, bytes], boundary: bytes = b"b") -> bytes:
    whole = (b"--%b\r\n%b\r\n\r\n%b\r\n" % (boundary, *each) for each in heads_and_values)
    return b"".join(whole) + b"--%b--\r\n" % boundary


def test_only_one_module_reads_what_a_request_brings() -> None:
    folder = Path(newsletter.__file__).parent
    readers = {
        file.name
        for file in folder.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in {"form", "json", "body", "stream"}
        and "request" in ast.unparse(node.value)
    }
    assert readers == {"body.py"}


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
PAIRS = st.lists(st.tuples(TEXT, TEXT), max_size=8)


@given(PAIRS)
def test_a_form_is_read_as_a_browser_sends_it(pairs: list[tuple[str, str]]) -> None:
    assert fields(URLENCODED, urlencode(pairs).encode()) == pairs


@given(st.lists(TEXT.filter(bool), max_size=5), TEXT, st.data())
def test_a_form_in_parts_is_read_as_a_program_sends_it(
    values: list[str], odd: str, data: st.DataObject
) -> None:
    given = [("topic", (None, value.encode())) for value in [*values, odd]]
    request = httpx.Request("POST", "http://news.clinic.example", files=given)
    body = request.read()
    cut = data.draw(st.integers(0, len(body)))
    read = fields(request.headers["content-type"], body[:cut], body[cut:])
    assert read == [("topic", value) for value in [*values, odd]]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (URLENCODED, b"email=a%C3%BC"),
        (URLENCODED, "email=aü".encode()),
        (f"{URLENCODED}; charset=UTF-8", b"email=a%C3%BC"),
        ("Application/X-WWW-Form-URLEncoded ;Charset=latin1", b"email=a%C3%BC"),
        (MULTIPART, parts((EMAIL, "aü".encode()))),
        ('Multipart/Form-Data;charset="utf8";Boundary="b"', parts((EMAIL, "aü".encode()))),
        ('multipart/form-data; x="; boundary=no"; boundary=b', parts((EMAIL, "aü".encode()))),
        (MULTIPART, b"preamble\r\n" + parts((EMAIL, "aü".encode())) + b"epilogue"),
        (MULTIPART, parts((EMAIL, "aü".encode())).replace(b"--b\r\n", b"--b \t\r\n")),
        (
            MULTIPART,
            parts((b"X: y\r\nCONTENT-disposition:form-data;name=email", "aü".encode())),
        ),
    ],
)
def test_spellings_that_mean_the_same(kind: str, body: bytes) -> None:
    assert fields(kind, body) == [("email", "aü")]


@pytest.mark.parametrize("kind", [None, "", URLENCODED, "text/plain"])
def test_a_button_alone_may_send_nothing(kind: str | None) -> None:
    assert fields(kind, b"") == []


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (b"%", "%"),
        (b"%zz%4", "%zz%4"),
        (b"%00\0", "\0\0"),
        (b"\xff%ff", "\ufffd\ufffd"),
        (b"%ED%A0%80", "\ufffd" * 3),
        (b"+AGE-", " AGE-"),
        (b"=?x?=", "=?x?="),
        (b";email=b", ";email=b"),
    ],
)
def test_odd_bytes_become_some_text(sent: bytes, read: str) -> None:
    assert fields(URLENCODED, b"email=" + sent) == [("email", read)]


REFUSED = {
    "no kind": (415, None, b"email=a"),
    "text": (415, "text/plain", b"email=a"),
    "json": (415, "application/json", b"{}"),
    "mixed parts": (415, "multipart/mixed; boundary=b", parts((EMAIL, b"a"))),
    "a long kind": (400, f"{URLENCODED}; x={'y' * LONGEST_HEAD}", b"email=a"),
    "no boundary": (400, "multipart/form-data", parts((EMAIL, b"a"))),
    "an empty boundary": (400, 'multipart/form-data; boundary=""', parts((EMAIL, b"a"))),
    "a long boundary": (
        400,
        f"multipart/form-data; boundary={'b' * 71}",
        parts((EMAIL, b"a"), boundary=b"b" * 71),
    ),
    "another boundary": (400, "multipart/form-data; boundary=c", parts((EMAIL, b"a"))),
    "the beginning of a boundary": (400, MULTIPART, parts((EMAIL, b"a\r\n--bc\r\nd"))),
    "cut off": (400, MULTIPART, parts((EMAIL, b"a"))[:-6]),
    "not in parts": (400, MULTIPART, b"\xff\0{]"),
    "no headers": (400, MULTIPART, parts((b"", b"a"))),
    "no name": (400, MULTIPART, parts((b"Content-Disposition: form-data", b"a"))),
    "two names": (400, MULTIPART, parts((EMAIL + b"\r\n" + EMAIL, b"a"))),
    "a name with a charset": (
        400,
        MULTIPART,
        parts((b"Content-Disposition: form-data; name*=punycode''email", b"a")),
    ),
    "a file": (400, MULTIPART, parts((EMAIL + b'; filename="a"', b"a"))),
    "a file with a charset": (400, MULTIPART, parts((EMAIL + b"; filename*=punycode''a", b"a"))),
    "long headers": (413, MULTIPART, parts((EMAIL + b"; x=" + b"y" * LONGEST_HEAD, b"a"))),
    "many headers": (413, MULTIPART, parts((b"a:\r\n" * 400 + EMAIL, b"a"))),
    "a long part": (413, MULTIPART, parts((EMAIL, b"a" * (LONGEST_FIELD + 1)))),
    "a long field": (413, URLENCODED, b"email=" + b"a" * LONGEST_FIELD),
    "many fields": (413, URLENCODED, b"&".join([b"a=b"] * (MOST_FIELDS + 1))),
    "many separators": (413, URLENCODED, b"&" * MOST_FIELDS),
    "many parts": (413, MULTIPART, parts(*[(EMAIL, b"a")] * (MOST_FIELDS + 1))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_form_or_too_much_is_refused(name: str) -> None:
    status, kind, body = REFUSED[name]
    with pytest.raises(HTTPException) as refusal:
        fields(kind, body)
    assert refusal.value.status_code == status


@pytest.mark.parametrize("kind", [URLENCODED, MULTIPART])
def test_as_many_and_as_long_fields_as_there_may_be(kind: str) -> None:
    value = b"a" * (LONGEST_FIELD - len(b"email="))
    many = [(EMAIL, b"a")] * (MOST_FIELDS - 1)
    body = (
        parts((EMAIL, value), *many)
        if kind == MULTIPART
        else b"&".join([b"email=" + value, *[b"email=a"] * len(many)])
    )
    assert [text for _, text in fields(kind, body)] == [value.decode(), *["a"] * len(many)]


PIECES = [b"--b", b"--", b"\r\n", b"\r\n\r\n", EMAIL, b"=", b"&", b"%", b"%E", b"\xff", b"\0", b'"']
BODY = st.binary(max_size=60) | st.lists(
    st.sampled_from(PIECES) | st.binary(max_size=3), max_size=30
).map(b"".join)


@given(
    st.sampled_from([URLENCODED, MULTIPART]) | st.text(st.characters(max_codepoint=255)),
    BODY,
)
def test_whatever_comes_is_text_or_refused(kind: str, body: bytes) -> None:
    status, found = 200, []
    try:
        found = fields(kind, body)
    except HTTPException as refusal:
        status = refusal.status_code
    assert status in {200, 400, 413, 415}
    assert all((name + value).encode().decode() == name + value for name, value in found)


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=punycode", "application/json;charset="]
)
def test_json_is_utf_8_whatever_it_says(kind: str) -> None:
    assert read(read_object, kind, '{"email": "aü"}'.encode()) == {"email": "aü"}
    assert read(read_object, kind, '\ufeff{"email": "aü"}'.encode()) == {"email": "aü"}


@pytest.mark.parametrize(
    "body",
    [
        '{"email": "aü"}'.encode("utf-16"),
        '{"email": "aü"}'.encode("latin-1"),
        b"[" * 60_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b'{"a": %s}' % (b"1" * 60_000),
        b"[]",
        b"",
    ],
)
def test_what_is_no_object_in_utf_8_is_refused(body: bytes) -> None:
    with pytest.raises(HTTPException) as refusal:
        read(read_object, "application/json", body)
    assert refusal.value.status_code == 400
