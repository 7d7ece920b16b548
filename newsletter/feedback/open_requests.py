"""Unsubscribe requests by mail that do not prove who they are from: for a person to handle."""

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

MAX_REQUESTS = 1000


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """One request. ``at``: when it was written, in Unix seconds."""

    email: str
    at: float
    subject: str


def open_requests(store: Store) -> list[OpenRequest]:
    """Unverified requests from addresses that may still be mailed; the oldest first, up to 1,000.

    A request is done once its address is suppressed, in whichever way.
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
        .limit(MAX_REQUESTS)
    )
    with store.read() as connection:
        rows = connection.execute(query).all()
    found: list[OpenRequest] = []
    for payload, at in rows:
        # The payload of somebody who was erased is empty.
        if payload:
            mail = read(zlib.decompress(payload))
            # It is shown in terminals, where control characters could rewrite other lines.
            subject = "".join(c if c.isprintable() else " " for c in mail.fields.decoded("Subject"))
            found.append(OpenRequest(author(mail), at, subject[:200]))
    return found
