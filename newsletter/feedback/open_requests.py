"""Who asked by mail to leave without proving who they are: for a person to see to."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from sqlalchemy import exists, select

from newsletter.audience.tables import suppression
from newsletter.feedback.event import EventKind
from newsletter.feedback.message import read
from newsletter.feedback.tables import event
from newsletter.feedback.unsubscribe_request import author
from newsletter.store.engine import Store

MOST = 1000


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """One letter. ``at``: when it was written, in Unix seconds."""

    email: str
    at: float
    subject: str


def open_requests(store: Store) -> list[OpenRequest]:
    """The wishes without proof whose address may still be mailed; the oldest first, 1,000 at most.

    One is done once its address is suppressed, whoever did it.
    """
    done = exists().where(suppression.c.address_hash == event.c.address_hash)
    query = (
        select(event.c.payload, event.c.at)
        .where(
            event.c.kind == EventKind.UNSUBSCRIBED,
            event.c.verified == 0,
            event.c.source == "mail",
            ~done,
        )
        .order_by(event.c.at, event.c.id)
        .limit(MOST)
    )
    with store.read() as connection:
        rows = connection.execute(query).all()
    return [_wish(zlib.decompress(row.payload), row.at) for row in rows if row.payload]


def _wish(raw: bytes, at: float) -> OpenRequest:
    mail = read(raw)
    shown = "".join(c if c.isprintable() else " " for c in mail.fields.decoded("Subject"))
    return OpenRequest(author(mail), at, shown[:200])
