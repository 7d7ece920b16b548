"""A local fake of SendGrid's v3 Mail Send: its published limits, its responses, scripted faults.

Rules: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors, .../limitations, and
the API's description (`twilio/sendgrid-oai`). Like the real API it replaces substitution tags by a
plain search in subject and content, values included, up to four times.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

KEY = "SG.only-for-tests.0123456789abcdef"
MAX_BODY = 30_000_000
RESERVED = {"x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type"}
RESERVED |= {"content-transfer-encoding", "to", "from", "subject", "reply-to", "cc", "bcc"}
FIELDS = {"personalizations", "from", "reply_to", "subject", "content"}
FIELDS |= {"tracking_settings", "mail_settings"}
PERSONAL_FIELDS = {"to", "headers", "substitutions", "custom_args"}
ADDRESS = re.compile(r"[!-~]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z0-9-]{2,63}")

Error = dict[str, str | None]


@dataclass(frozen=True)
class Sent:
    """One accepted message, as its recipient would get it."""

    to: str
    subject: str
    text: str
    html: str
    headers: dict[str, str]
    custom_args: dict[str, str]
    call: dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """What happens to the next request instead of a regular response.

    ``kind``: *answer* gives ``status``, ``errors`` and ``headers``; *late* answers once the server
    is ``released`` and *hang* never; *drop* closes the connection, *cut* breaks off in the middle
    of the answer (whose status is ``status``), *early* closes before the request is read.
    ``taken``: whether the messages are sent all the same.
    """

    kind: Literal["answer", "late", "hang", "drop", "cut", "early"] = "answer"
    status: int = 500
    taken: bool = False
    errors: tuple[Error, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""


def refusal(status: int, message: str, field: str | None = None, **headers: str) -> Fault:
    """A complete error response in SendGrid's format."""
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Fault(status=status, errors=({"message": message, "field": field},), headers=named)


@dataclass
class FakeSendGrid:
    """What the server received, and how it is told to respond.

    ``faults`` are used one per request. ``calls`` counts recipients per request, ``asked_at``
    says when each came (Unix seconds).
    """

    url: str = ""
    faults: deque[Fault] = field(default_factory=deque)
    sent: list[Sent] = field(default_factory=list)
    checked: int = 0
    calls: list[int] = field(default_factory=list)
    asked_at: list[float] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def copies(self, address: str) -> int:
        """How many messages were sent to an address."""
        return sum(one.to == address for one in self.sent)

    def take(self, call: dict[str, Any]) -> int:
        """Send a valid call, or validate it in sandbox mode; returns the HTTP status."""
        if call.get("mail_settings", {}).get("sandbox_mode", {}).get("enable"):
            self.checked += len(call["personalizations"])
            return 200
        self.sent += [render(call, each) for each in call["personalizations"]]
        return 202


def render(call: dict[str, Any], personal: dict[str, Any]) -> Sent:
    """The message of one recipient."""
    values = personal.get("substitutions", {})
    content = {part["type"]: substitute(part["value"], values) for part in call["content"]}
    return Sent(
        to=personal["to"][0]["email"],
        subject=substitute(call["subject"], values),
        text=content["text/plain"],
        html=content["text/html"],
        headers=personal.get("headers", {}),
        custom_args=personal.get("custom_args", {}),
        call=call,
    )


def substitute(text: str, values: dict[str, str]) -> str:
    """Replace tags; tags inside values are replaced in turn, up to four levels deep."""
    for _ in range(4):
        before = text
        for tag, value in values.items():
            text = text.replace(tag, value)
        if text == before:
            break
    return text


def faults_of(call: Any) -> list[Error]:
    """The documented rules that a request breaks; none if it is accepted."""
    if not isinstance(call, dict):
        return [{"message": "Bad Request", "field": None}]
    found = list(_message_faults(call))
    personalizations = call.get("personalizations")
    if not isinstance(personalizations, list) or not 1 <= len(personalizations) <= 1000:
        return [*found, error("1 to 1000 personalizations are allowed", "personalizations")]
    seen: set[str] = set()
    for index, personal in enumerate(personalizations):
        found += _personal_faults(personal, f"personalizations.{index}", seen)
    return found


def error(message: str, field: str) -> Error:
    return {"message": message, "field": field}


def _message_faults(call: dict[str, Any]) -> Iterator[Error]:
    for name in call.keys() - FIELDS:
        yield error("the property is not allowed here", name)
    for name in ("from", "reply_to"):
        if not ADDRESS.fullmatch(
            call.get(name, {}).get("email", "" if name == "from" else "a@b.cc")
        ):
            yield error("Does not contain a valid address.", f"{name}.email")
    if not call.get("subject"):
        yield error("The subject is required.", "subject")
    content = call.get("content") or [{}]
    if [part.get("type") for part in content] != ["text/plain", "text/html"]:
        yield error("text/plain must be first, followed by text/html", "content")
    if not all(part.get("value") for part in content):
        yield error("The content value must be a string at least one character long", "content")


def _personal_faults(personal: dict[str, Any], at: str, seen: set[str]) -> Iterator[Error]:
    for name in personal.keys() - PERSONAL_FIELDS:
        yield error("the property is not allowed here", f"{at}.{name}")
    recipients = personal.get("to") or []
    if len(recipients) != 1:
        yield error("The to array is required for all personalization objects", f"{at}.to")
    for index, recipient in enumerate(recipients):
        address = recipient.get("email", "")
        if not ADDRESS.fullmatch(address):
            yield error("Does not contain a valid address.", f"{at}.to.{index}.email")
        if address.lower() in seen:
            yield error("Each unique email address should only be included once.", f"{at}.to")
        seen.add(address.lower())
    yield from _table_faults(personal, at)


def _table_faults(personal: dict[str, Any], at: str) -> Iterator[Error]:
    for name in ("headers", "substitutions", "custom_args"):
        table = personal.get(name, {})
        if not all(isinstance(value, str) for value in table.values()):
            yield error("all values must be strings", f"{at}.{name}")
            return
    for name in personal.get("headers", {}):
        if name.lower() in RESERVED:
            yield error("The header is reserved.", f"{at}.headers.{name}")
    if size(personal.get("substitutions", {})) > 10_000:
        yield error("Substitutions may not exceed 10000 bytes.", f"{at}.substitutions")
    if size(personal.get("custom_args", {})) >= 10_000:
        yield error("Custom arguments may not exceed 10000 bytes.", f"{at}.custom_args")


def size(table: dict[str, str]) -> int:
    return sum(len(name.encode()) + len(value.encode()) for name, value in table.items())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: FakeSendGrid
    numbers = itertools.count(1)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        self.close_connection = True
        with self.fake.lock:
            self.fake.asked_at.append(time.time())
            fault = self.fake.faults.popleft() if self.fake.faults else None
        if fault and fault.kind == "early":
            return
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.fake.lock:
            self.fake.bodies.append(body)
        status, errors = self._judge(body, fault)
        if fault and fault.kind in {"hang", "late"}:
            self.fake.released.wait()
        if fault and fault.kind == "cut":
            self._cut(fault.status)
        elif not fault or fault.kind in {"answer", "late"}:
            self._answer(status, errors, fault)

    def _judge(self, body: bytes, fault: Fault | None) -> tuple[int, list[Error]]:
        if self.path != "/v3/mail/send":
            return 404, [{"message": "not found", "field": None}]
        if self.headers["Authorization"] != f"Bearer {KEY}":
            return 401, [{"message": "The provided authorization grant is invalid", "field": None}]
        if len(body) >= MAX_BODY:
            return 413, []
        call = json.loads(body)
        with self.fake.lock:
            self.fake.calls.append(len(call["personalizations"]))
            if fault and not fault.taken:
                return fault.status, list(fault.errors)
            found = faults_of(call)
            return (400, found) if found else (self.fake.take(call), [])

    def _answer(self, status: int, errors: list[Error], fault: Fault | None) -> None:
        body = (fault.body if fault else "") or (json.dumps({"errors": errors}) if errors else "")
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        if status == 202:
            self.send_header("X-Message-Id", f"message-{next(self.numbers)}")
        for name, value in fault.headers if fault else ():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def _cut(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "500")
        self.end_headers()
        self.wfile.write(b'{"errors": [')


@contextmanager
def sendgrid() -> Iterator[FakeSendGrid]:
    """Serve on a free loopback port until the end of the block."""
    fake = FakeSendGrid()
    handler = type("Handler", (_Handler,), {"fake": fake})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield fake
    finally:
        fake.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
