"""Request bodies: forms and JSON, limited before they are parsed, always in UTF-8.

Starlette's ``Request.form`` decodes with whatever codec the Content-Type names. Some of Python's
codecs are quadratic (``punycode``) or always fail (``undefined``): one such request would block all
others, or get a 500. So no charset is ever looked up here, neither that of the request nor those of
its parts (RFC 7578 section 4.6, RFC 2231).
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import ImmutableMultiDict
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

MOST_FIELDS = 100
LONGEST_FIELD = 16 * 1024
"""Bytes of one field as sent, with its name."""
LONGEST_HEAD = 1024
"""Bytes of a Content-Type, or of the headers of one part."""
_LONGEST_BOUNDARY = 70
"""RFC 2046 section 5.1.1."""

_URLENCODED = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"
_JSON = "application/json"
_PARAMETER = re.compile(r";[ \t]*([!#-'*+.0-9A-Z^-z|~-]+)=(?:\"([^\"]*)\"|([^\s;\"]*))")
"""RFC 9110 section 5.6.6."""

Form = ImmutableMultiDict[str, str]
_Pairs = list[tuple[str, str]]


async def read_form(request: Request) -> Form:
    """The fields of a form; a button without fields may send no body at all.

    Bytes that are not UTF-8 become U+FFFD, as in the URL Standard: one byte does not cost a field.

    Raises:
        HTTPException: 400: the form is malformed, or contains a file; 413: it has too many fields,
            or too long ones; 415: the body is not a form.
    """
    kind, parameters = _media_type(request)
    body = await read_body(request)
    if kind == _URLENCODED:
        # WHATWG URL Standard, section 5.1; a long field is refused before it is decoded.
        if any(len(pair) > LONGEST_FIELD for pair in body.split(b"&", MOST_FIELDS)):
            raise HTTPException(413)
        text = body.decode("utf-8", "replace")
        try:
            return Form(parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS))
        except ValueError:
            raise HTTPException(413) from None
    if kind == _MULTIPART:
        return Form(_multipart(body, parameters.get("boundary", "")))
    if body:
        raise HTTPException(415)
    return Form()


async def read_object(request: Request) -> dict[str, Any]:
    """A JSON object. RFC 8259 allows UTF-8 only, so a charset is ignored.

    Raises:
        HTTPException: 400: the body is not a JSON object, or is nested too deep; 415: its
            Content-Type is not JSON.
    """
    if _media_type(request)[0] != _JSON:
        raise HTTPException(415)
    try:
        data = json.loads((await read_body(request)).decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise HTTPException(400) from None
    if not isinstance(data, dict):
        raise HTTPException(400)
    return data


async def read_body(request: Request) -> bytes:
    """All bytes of the body; the application's middleware limits its size.

    Raises:
        HTTPException: 400: the client hung up before the end.
    """
    try:
        return await request.body()
    except ClientDisconnect:
        raise HTTPException(400) from None


async def read_past(request: Request) -> None:
    """Read and ignore the body, within the size limit; a client may hang up before the end."""
    with suppress(ClientDisconnect):
        async for _ in request.stream():
            pass


def _media_type(request: Request) -> tuple[str, dict[str, str]]:
    header = request.headers.get("content-type", "")
    if len(header) > LONGEST_HEAD:
        raise HTTPException(400)
    return header.partition(";")[0].strip(" \t").lower(), _parameters(header)


def _parameters(header: str) -> dict[str, str]:
    found = _PARAMETER.finditer(header)
    return {match[1].lower(): match[2] or match[3] or "" for match in found}


def _multipart(body: bytes, boundary: str) -> _Pairs:
    """RFC 7578, without files. Text before the first part and after the last is ignored."""
    if not 0 < len(boundary) <= _LONGEST_BOUNDARY:
        raise HTTPException(400)
    delimiter = b"\r\n--" + boundary.encode("latin-1")
    _, *parts = (b"\r\n" + body).split(delimiter, MOST_FIELDS + 1)
    fields: _Pairs = []
    for part in parts:
        if part.startswith(b"--"):
            return fields
        if len(fields) == MOST_FIELDS:
            raise HTTPException(413)
        fields.append(_field(part))
    raise HTTPException(400)


def _field(part: bytes) -> tuple[str, str]:
    """One part after its delimiter, which blanks may follow (RFC 2046 section 5.1.1)."""
    head, gap, value = part.partition(b"\r\n\r\n")
    if len(head) > LONGEST_HEAD or len(value) > LONGEST_FIELD:
        raise HTTPException(413)
    blank, *lines = head.decode("utf-8", "replace").split("\r\n")
    named = [line for line in lines if line.lower().startswith("content-disposition:")]
    if not gap or blank.strip(" \t") or len(named) != 1:
        raise HTTPException(400)
    parameters = _parameters(named[0])
    if "name" not in parameters or {"filename", "filename*"} & parameters.keys():
        raise HTTPException(400)
    return parameters["name"], value.decode("utf-8", "replace")
