"""A campaign that was sent to a few recipients, and events about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from newsletter.audience.keys import Keys
from newsletter.audience.subscribers import Consent, add, subscribe
from newsletter.audience.suppression import reasons
from newsletter.audience.tokens import TokenSigner
from newsletter.campaign.tables import compiled_issue
from newsletter.delivery.ledger.tables import attempt, campaign, campaign_event, chunk, delivery
from newsletter.feedback.apply import Applied, apply
from newsletter.feedback.event import Event, EventKind
from newsletter.feedback.tables import event
from newsletter.smtp_replies.classify import ReplyClass
from newsletter.store.engine import Store

KEYS = Keys(signing=b"signing key of the tests, 32 byte", suppression=b"s" * 32)
SIGNER = TokenSigner(KEYS)
DAY = 86_400.0
DIGEST = "d" * 64
HOLD_AFTER = 3


@dataclass
class Sent:
    """Campaign 1: position N is ``readerN@mail.example``."""

    store: Store
    now: float

    def address(self, position: int) -> str:
        return f"reader{position}@mail.example"

    def event(self, name: str, kind: EventKind, of: int, **changes: Any) -> Event:
        facts = {
            "provider_id": name,
            "kind": kind,
            "source": "tests",
            "at": self.now,
            "payload": b"{}",
            "email": self.address(of),
            "campaign_id": 1,
            "position": of,
            "verdict": ReplyClass.HARD,
        }
        return Event(**(facts | changes))

    def apply(self, *events: Event) -> Applied:
        return apply(self.store, KEYS, events, hold_after=HOLD_AFTER)

    def suppressed(self, position: int) -> set[str]:
        with self.store.read() as connection:
            return {str(each) for each in reasons(connection, self.row(position).address_hash)}

    def row(self, position: int) -> Any:
        with self.store.read() as connection:
            place = (delivery.c.campaign_id == 1, delivery.c.position == position)
            query = select(delivery).where(*place)
            return connection.execute(query).one()

    def rows(self) -> list[Any]:
        with self.store.read() as connection:
            return list(connection.execute(select(event).order_by(event.c.provider_id)))

    def count(self) -> int:
        with self.store.read() as connection:
            return int(connection.execute(select(func.count()).select_from(event)).scalar_one())

    def result(self, position: int) -> str:
        with self.store.read() as connection:
            query = select(attempt.c.result).where(attempt.c.position == position)
            return str(connection.execute(query).scalar_one())

    def state(self) -> tuple[str, list[str]]:
        with self.store.read() as connection:
            notes = connection.execute(select(campaign_event.c.note).order_by(campaign_event.c.id))
            return connection.execute(select(campaign.c.state)).scalar_one(), list(notes.scalars())


def fill(store: Store, people: int = 6, uncertain: Iterable[int] = ()) -> Sent:
    """A running campaign with one attempt for each recipient."""
    with store.write() as connection:
        now = store.now(connection)
        connection.execute(
            insert(compiled_issue).values(digest=DIGEST, slug="s", payload=b"", created_at=now)
        )
        connection.execute(
            insert(campaign).values(
                id=1,
                slug="s",
                audience="readers",
                digest=DIGEST,
                state="sending",
                transport="sendgrid",
                created_by="tests",
                created_at=now,
            )
        )
        connection.execute(
            insert(chunk).values(
                id=1,
                campaign_id=1,
                kind="first",
                first=1,
                last=people,
                offered=people,
                state="done",
            )
        )
        for position in range(1, people + 1):
            added = add(connection, f"reader{position}@mail.example", KEYS, at=now)
            subscribe(connection, added, "readers", Consent("form", now))
            connection.execute(insert(delivery).values(_delivery(position, added)))
            result = "uncertain" if position in set(uncertain) else "accepted"
            tried = {"campaign_id": 1, "position": position, "chunk_id": 1, "result": result}
            connection.execute(insert(attempt).values(**tried, at=now - 1))
    return Sent(store, now)


def _delivery(position: int, added: Any) -> dict[str, Any]:
    return {
        "campaign_id": 1,
        "position": position,
        "subscriber_uid": added.uid,
        "email": added.email,
        "email_key": added.email_key,
        "address_hash": added.address_hash,
        "first_name": "",
        "last_name": "",
        "attributes": {},
        "variant": 0,
        "skipped": "",
    }


@pytest.fixture
def sent(store: Store) -> Sent:
    return fill(store, uncertain=[5, 6])
