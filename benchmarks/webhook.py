"""How fast SendGrid's signed events are taken in, beside verifying and parsing alone.

Batches of 2,000 events about one campaign go through the web application into a SQLite file, then
come a second time, as repeats.

    python benchmarks/webhook.py [BATCHES]
"""

from __future__ import annotations

import base64
import json
import sys
import tempfile
import time
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sendgrid.helpers.eventwebhook import EventWebhook

from newsletter.database.open import migrate
from newsletter.settings.load import load_settings
from newsletter.settings.model import Sendgrid
from newsletter.store.engine import sqlite_store
from newsletter.transports.sendgrid.events import read_events
from newsletter.web.public.app import public_app
from tests.integration.feedback.conftest import KEYS, fill
from tests.integration.web.conftest import Browser

PEOPLE = 2000
PRIVATE = ec.generate_private_key(ec.SECP256R1())
PUBLIC = base64.b64encode(
    PRIVATE.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()


def batch(number: int) -> bytes:
    kinds = ("processed", "delivered", "delivered", "bounce")
    events = [
        {
            "email": f"reader{position}@mail.example",
            "timestamp": int(time.time()) - 60,
            "smtp-id": "<14c5d75ce93.dfd.64b469@ismtpd-555>",
            "event": kinds[position % 4],
            "category": ["newsletter"],
            "sg_event_id": f"{number}-{position}-ZGVsaXZlcmVkLTAtMTIzNDU2Nzg5MA",
            "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
            "reason": "452 4.2.2 The mailbox is over quota",
            "campaign": "1",
            "position": str(position),
        }
        for position in range(1, PEOPLE + 1)
    ]
    return json.dumps(events).encode()


def signed(body: bytes) -> dict[str, str]:
    at = str(int(time.time()))
    signature = PRIVATE.sign(at.encode() + body, ec.ECDSA(hashes.SHA256()))
    return {
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": at,
    }


def post_all(browser: Browser, bodies: list[bytes]) -> float:
    started = time.perf_counter()
    for body in bodies:
        answer = browser.ask("POST", "/webhooks/sendgrid", content=body, headers=signed(body))
        if answer.status_code != 204:
            raise SystemExit(f"answered {answer.status_code}")
    return time.perf_counter() - started


def read_all(bodies: list[bytes]) -> float:
    started = time.perf_counter()
    for body in bodies:
        headers = signed(body)
        EventWebhook(PUBLIC).verify_signature(body.decode(), *headers.values())
        read_events(body.decode(), time.time())
    return time.perf_counter() - started


def main() -> None:
    bodies = [batch(number) for number in range(int(sys.argv[1]) if sys.argv[1:] else 5)]
    count = PEOPLE * len(bodies)
    with tempfile.TemporaryDirectory() as folder:
        store = sqlite_store(Path(folder) / "newsletter.db")
        migrate(store)
        fill(store, PEOPLE)
        settings = load_settings(Path("newsletter.toml"))
        settings = settings.model_copy(update={"sendgrid": Sendgrid(webhook_key=PUBLIC)})
        with Browser(public_app(store, KEYS, settings)) as browser:
            first = post_all(browser, bodies)
            again = post_all(browser, bodies)
        store.close()
    alone = read_all(bodies)
    print(f"{count:,} signed events in batches of {PEOPLE:,}, into a SQLite file")
    print(f"taken in        {count / first:8,.0f} a second")
    print(f"repeats         {count / again:8,.0f} a second ({first / again:.1f} times as fast)")
    print(f"read alone      {count / alone:8,.0f} a second ({first / alone:.1f} times as fast)")


if __name__ == "__main__":
    main()
