"""Mail that came back, taken in: each message into events, batch after batch."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Any

from sqlalchemy import select

from newsletter.audience.keys import Keys
from newsletter.audience.model import Token, TokenPurpose
from newsletter.audience.tokens import TokenSigner
from newsletter.delivery.ledger.tables import campaign
from newsletter.delivery.message_id import campaign_tag, read_message_id
from newsletter.feedback.apply import apply
from newsletter.feedback.classify import classify
from newsletter.feedback.event import Event, EventKind
from newsletter.feedback.message import parse_fields
from newsletter.feedback.model import FeedbackKind, FeedbackReport, ReportedRecipient
from newsletter.smtp_replies.classify import ReplyClass
from newsletter.store.engine import Store

SOURCE = "mail"
BATCH = 100
LONGEST_HEADER = 64 * 1024

_KINDS = {
    FeedbackKind.BOUNCE: EventKind.BOUNCED,
    FeedbackKind.COMPLAINT: EventKind.COMPLAINED,
    FeedbackKind.DELIVERED: EventKind.DELIVERED,
}
_WISHES = frozenset(["opt-out", "opt-out-list"])


@dataclass(slots=True)
class IntakeSummary:
    """What became of a heap of mail.

    ``messages`` is the sum of ``kinds``, which counts messages as they were understood. ``events``
    counts new, verified events; ``unverified`` are new and without proof. ``asked_to_leave`` of
    these are wishes to unsubscribe, which a person should see to.
    """

    messages: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    unverified: int = 0
    asked_to_leave: int = 0
    repeated: int = 0
    suppressed: int = 0
    settled: int = 0
    held: list[int] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return {
            name: dict(value) if isinstance(value := getattr(self, name), Counter) else value
            for name in self.__slots__
        }


class MailIntake:
    """Understands mail about this database's campaigns."""

    def __init__(self, store: Store, keys: Keys, *, hold_after: int) -> None:
        self._store = store
        self._keys = keys
        self._hold_after = hold_after
        self._signer = TokenSigner(keys)
        self._campaigns = _tags(store, keys)

    def read(self, messages: Iterable[bytes]) -> IntakeSummary:
        """Take in every message; what was taken in before changes nothing.

        Broken off, it has taken in whole batches; the same mail again does the rest.

        Raises:
            RefusedError, UnavailableError: As `apply`.
        """
        taken = IntakeSummary()
        left = iter(messages)
        while batch := list(islice(left, BATCH)):
            self.take_in(batch, taken)
        return taken

    def take_in(self, batch: Sequence[bytes], taken: IntakeSummary) -> list[bool]:
        """Take in a few messages, in one transaction, and add to the counts.

        Returns:
            For each message, whether a person should look at it: a letter, or without proof.

        Raises:
            RefusedError, UnavailableError: As `apply`; nothing of the batch was kept.
        """
        understood = [(raw, classify(raw, self._signer)) for raw in batch]
        of_each = [self._events(raw, report) for raw, report in understood]
        events = [event for some in of_each for event in some]
        done = apply(self._store, self._keys, events, hold_after=self._hold_after)
        taken.kinds.update(report.kind.value for _, report in understood)
        taken.messages += len(batch)
        taken.events.update(done.kinds)
        taken.unverified += done.unverified
        taken.asked_to_leave += done.asked_to_leave
        taken.repeated += done.repeated
        taken.suppressed += done.suppressed
        taken.settled += done.settled
        taken.held += done.held
        return [
            report.kind is FeedbackKind.OTHER or any(e.provider_id in done.unproved for e in some)
            for (_, report), some in zip(understood, of_each, strict=True)
        ]

    def _events(self, raw: bytes, report: FeedbackReport) -> list[Event]:
        kind = _KINDS.get(report.kind)
        if kind is None:
            return []
        if report.feedback_type in _WISHES:
            kind = EventKind.UNSUBSCRIBED
        people = report.recipients or (ReportedRecipient("", ReplyClass.UNKNOWN),)
        name = hashlib.sha256(raw).hexdigest()
        return [
            self._proved(
                Event(
                    provider_id=f"{SOURCE}:{name}:{number}",
                    kind=kind,
                    source=SOURCE,
                    at=_date(raw),
                    payload=raw,
                    verdict=person.verdict,
                    email=person.address,
                ),
                report,
                alone=len(people) == 1,
            )
            for number, person in enumerate(people)
        ]

    def _proved(self, event: Event, report: FeedbackReport, *, alone: bool) -> Event:
        """With what names a delivery: a token, which of one recipient needs no address, or an id.

        A token from a test mail names none.
        """
        if report.token is not None:
            token = report.token
            if token.proof:
                return event
            return replace(
                event,
                campaign_id=token.campaign_id,
                subscriber_uid=token.subscriber_uid,
                email="" if alone else event.email,
            )
        named = read_message_id(report.message_id)
        if named is None or named.tag not in self._campaigns:
            return event
        return replace(event, campaign_id=self._campaigns[named.tag], message_id=named)


def _date(raw: bytes) -> float:
    """When a message says that it was written, in Unix seconds; infinity if it does not."""
    fields, _ = parse_fields(raw[:LONGEST_HEADER].decode("latin-1"))
    try:
        return max(0.0, parsedate_to_datetime(fields.get("Date")).timestamp())
    except (ValueError, TypeError, OverflowError):
        return math.inf


def _tags(store: Store, keys: Keys) -> dict[str, int]:
    """Campaigns by what their Message-IDs begin with, under each key that ever signed."""
    with store.read() as connection:
        campaigns = connection.execute(select(campaign.c.id, campaign.c.digest)).all()
    signers = [TokenSigner(replace(keys, signing=key)) for key in (keys.signing, *keys.old_signing)]
    return {
        campaign_tag(row.digest, signer.sign(Token(TokenPurpose.BOUNCE, False, 0, row.id))): row.id
        for row in campaigns
        for signer in signers
    }
