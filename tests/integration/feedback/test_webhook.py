"""SendGrid's signed events over HTTP: which are applied, and which are refused."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from newsletter.audience.address import address_hash
from newsletter.audience.suppression import reasons
from newsletter.errors import InputError, UnavailableError
from newsletter.settings.load import load_settings
from newsletter.settings.model import Sendgrid
from newsletter.transports.sendgrid import webhook
from newsletter.web.public.app import public_app
from tests.integration.feedback.conftest import KEYS, Sent
from tests.integration.web.conftest import PROJECT, ask

PRIVATE = ec.generate_private_key(ec.SECP256R1())
PUBLIC = base64.b64encode(
    PRIVATE.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()
PATH = "/webhooks/sendgrid"

Post = Callable[..., httpx.Response]


def signed(body: bytes, at: float | None = None, key: Any = PRIVATE) -> dict[str, str]:
    timestamp = str(int(time.time() if at is None else at))
    signature = key.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    return {
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
        "Content-Type": "application/json",
    }


def app_of(store: Any, key: str = PUBLIC) -> Any:
    settings = load_settings(PROJECT / "newsletter.toml")
    return public_app(
        store, KEYS, settings.model_copy(update={"sendgrid": Sendgrid(webhook_key=key)})
    )


@pytest.fixture
def post(sent: Sent) -> Post:
    app = app_of(sent.store)

    def send(body: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
        given = signed(body) if headers is None else headers
        return ask(app, "POST", PATH, content=body, headers=given)

    return send


def told(name: str, of: int, kind: str = "delivered", **fields: Any) -> dict[str, Any]:
    return {
        "email": f"Reader{of}@mail.example",
        "timestamp": int(time.time()) - 60,
        "event": kind,
        "sg_event_id": name,
        "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
        "category": "cat facts",
        "campaign": "1",
        "position": str(of),
        **fields,
    }


def body_of(*events: Any) -> bytes:
    """As SendGrid writes it: one event per line, CRLF at the end."""
    return b"[" + b",\r\n".join(json.dumps(each).encode() for each in events) + b"]\r\n"


def test_a_batch_is_committed_before_it_is_answered(sent, post):
    body = body_of(
        told("a", 1),
        told("b", 2, "bounce", reason="550 5.1.1 no such user", status="5.1.1", type="bounce"),
        told("c", 3, "spamreport"),
        told("d", 4, "unsubscribe"),
        told("e", 5, "processed"),
    )
    assert post(body).status_code == 204
    kinds = ["delivered", "bounced", "complained", "unsubscribed", "accepted"]
    assert [(row.kind, row.verified) for row in sent.rows()] == [(kind, 1) for kind in kinds]
    reasons = [sent.suppressed(position) for position in (1, 2, 3, 4)]
    assert reasons == [set(), {"bounced"}, {"complained"}, {"unsubscribed"}]
    assert sent.result(5) == "accepted"


def test_a_replay_is_answered_and_changes_nothing(sent, post):
    body = body_of(told("a", 2, "spamreport"))
    headers = signed(body)
    assert [post(body, headers).status_code for _ in range(3)] == [204] * 3
    assert sent.count() == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: {},
        lambda body: signed(body[:-2]),
        lambda body: signed(body, key=ec.generate_private_key(ec.SECP256R1())),
        lambda body: signed(body, time.time() - 26 * 3600),
        lambda body: signed(body, time.time() + 3600),
        lambda body: signed(body) | {"X-Twilio-Email-Event-Webhook-Timestamp": "1"},
        lambda body: signed(body) | {"X-Twilio-Email-Event-Webhook-Timestamp": "now"},
        lambda body: signed(body) | {"X-Twilio-Email-Event-Webhook-Signature": "*"},
        lambda body: signed(body) | {"X-Twilio-Email-Event-Webhook-Signature": "AAAA"},
    ],
)
def test_a_request_without_a_valid_signature_is_refused(sent, post, spoil):
    body = body_of(told("a", 2, "spamreport"))
    assert post(body, spoil(body)).status_code == 403
    assert (sent.count(), sent.suppressed(2)) == (0, set())


def test_events_that_were_retried_for_a_day_are_accepted(sent, post):
    body = body_of(told("a", 2, "spamreport"))
    assert post(body, signed(body, time.time() - 24.5 * 3600)).status_code == 204
    assert sent.suppressed(2) == {"complained"}


@pytest.mark.parametrize("body", [b"{}", b"nonsense", b"[" * 100_000, b"7", b"\xff[]"])
def test_a_body_that_is_not_a_list_is_refused(sent, post, body):
    assert post(body).status_code in {400, 403}
    assert sent.count() == 0


def test_events_about_other_mail_and_unknown_events_are_recorded(sent, post):
    foreign = told("a", 1, "bounce")
    del foreign["campaign"], foreign["sg_message_id"]
    odd = {"event": ["bounce"], "category": ["x", "y"], "timestamp": "soon", "position": {}}
    body = body_of(foreign, odd, "text", None, told("b", 1, "group_resubscribe"))
    assert post(body).status_code == 204
    assert sorted((row.kind, row.verified) for row in sent.rows()) == [
        ("bounced", 0),
        ("unknown", 0),
        ("unknown", 0),
        ("unknown", 0),
        ("unknown", 1),
    ]
    assert not sent.suppressed(1)


def letter(name: str, kind: str, **fields: Any) -> dict[str, Any]:
    """About a confirmation mail, which belongs to no campaign."""
    told_of = {"email": "stranger@mail.example", "campaign": "0", "position": "1790000000123"}
    return told(name, 1, kind, **(told_of | fields))


def reasons_of(sent: Sent, email: str) -> set[str]:
    with sent.store.read() as connection:
        return {str(each) for each in reasons(connection, address_hash(email, KEYS))}


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (letter("a", "spamreport"), "complained"),
        (letter("a", "bounce", reason="550 5.1.1 no such user", type="bounce"), "bounced"),
        (letter("a", "dropped", reason="Bounced Address"), "bounced"),
        (letter("a", "dropped", reason="Spam Reporting Address"), "complained"),
    ],
)
def test_a_complaint_or_a_dead_address_of_a_letter_suppresses(sent, post, event, reason):
    assert post(body_of(event)).status_code == 204
    assert reasons_of(sent, "stranger@mail.example") == {reason}
    (row,) = sent.rows()
    assert (row.verified, row.payload, row.campaign_id, row.position) == (1, b"", 0, None)
    assert post(body_of(event)).status_code == 204
    assert sent.count() == 1


@pytest.mark.parametrize(
    "event",
    [
        letter("a", "processed"),
        letter("a", "delivered", response="250 OK"),
        letter("a", "deferred", response="451 4.7.1 greylisted"),
        letter("a", "bounce", reason="552 5.2.2 mailbox full", type="bounce"),
        letter("a", "bounce", reason="550 5.7.1 blocklisted", type="blocked"),
        letter("a", "dropped", reason="Unsubscribed Address"),
        letter("a", "unsubscribe"),
        letter("a", "something new"),
    ],
)
def test_other_events_about_a_letter_are_counted_and_name_nobody(sent, post, event):
    assert post(body_of(event)).status_code == 204
    assert reasons_of(sent, "stranger@mail.example") == set()
    (row,) = sent.rows()
    assert (row.verified, row.payload, row.address_hash) == (1, b"", None)


def test_a_letter_whose_address_cannot_be_read_does_no_harm(sent, post):
    odd = [letter("a", "spamreport", email={}), letter("b", "spamreport", email="nobody")]
    assert post(body_of(*odd)).status_code == 204
    assert [row.address_hash for row in sent.rows()] == [None, None]


def test_opens_and_clicks_are_not_kept(sent, post):
    body = body_of(told("a", 1, "open"), told("b", 1, "click", url="https://clinic.example"))
    assert post(body).status_code == 204
    assert sent.count() == 0


def test_only_the_webhook_accepts_large_bodies(sent, post):
    body = body_of(*(told(f"{n}", 1 + n % 4) for n in range(4000)))
    assert len(body) > 768 * 1024
    assert post(body).status_code == 204
    assert sent.count() == 4000
    assert ask(app_of(sent.store), "POST", "/u/x", content=body).status_code == 413
    assert post(b" " * (webhook.MAX_BYTES + 1)).status_code == 413


def test_while_the_database_is_down_sendgrid_is_told_to_try_again(sent, post, monkeypatch):
    def away(*_arguments, **_options):
        raise UnavailableError("the database cannot be used")

    body = body_of(told("a", 2, "spamreport"))
    with monkeypatch.context() as broken:
        broken.setattr(webhook, "apply", away)
        assert post(body).status_code == 503
    assert post(body).status_code == 204
    assert sent.suppressed(2) == {"complained"}


def test_without_a_key_there_is_no_such_route(sent):
    body = body_of(told("a", 2, "spamreport"))
    answer = ask(app_of(sent.store, ""), "POST", PATH, content=body, headers=signed(body))
    assert answer.status_code == 404


@pytest.mark.parametrize("key", ["nonsense", "AAAA", PUBLIC[:-8]])
def test_an_invalid_key_is_reported_at_the_start(sent, key):
    with pytest.raises(InputError, match="webhook_key"):
        app_of(sent.store, key)
