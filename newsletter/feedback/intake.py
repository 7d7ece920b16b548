"""Process mail that came back: each message into events, applied batch by batch."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from itertools import islice

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
"""Messages in one transaction."""
MAX_HEADER = 64 * 1024

_KINDS = {
    FeedbackKind.BOUNCE: EventKind.BOUNCED,
    FeedbackKind.COMPLAINT: EventKind.COMPLAINED,
    FeedbackKind.DELIVERED: EventKind.DELIVERED,
}
_OPT_OUTS = frozenset(["opt-out", "opt-out-list"])


@dataclass(slots=True)
class IntakeSummary:
    """What a run did; the fields are the keys of ``bounces read --json``.

    ``messages`` is the sum of ``kinds``, which counts messages as they were understood. ``events``
    counts new, verified events by kind; ``unverified`` events are new, too. ``asked_to_leave`` of
    these are unsubscribe requests, which a person should handle.
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

    def as_json(self) -> dict[str, object]:
        """The same as plain JSON values."""
        return {
            name: dict(value) if isinstance(value := getattr(self, name), Counter) else value
            for name in self.__slots__
        }


class MailIntake:
    """Processes mail about the campaigns of one database."""

    def __init__(self, store: Store, keys: Keys, *, hold_after: int) -> None:
        self._store = store
        self._keys = keys
        self._hold_after = hold_after
        self._signer = TokenSigner(keys)
        with store.read() as connection:
            campaigns = connection.execute(select(campaign.c.id, campaign.c.digest)).all()
        # Under each key that ever signed: a bounce may arrive long after the key was replaced.
        signers = [TokenSigner(replace(keys, signing=k)) for k in (keys.signing, *keys.old_signing)]
        self._campaign_by_tag = {
            campaign_tag(digest, signer.sign(Token(TokenPurpose.BOUNCE, False, 0, number))): number
            for number, digest in campaigns
            for signer in signers
        }

    def read(self, messages: Iterable[bytes]) -> IntakeSummary:
        """Process every message; messages that were processed before change nothing.

        A run that is interrupted has processed whole batches; running it again does the rest.

        Raises:
            RefusedError, UnavailableError: As `apply`.
        """
        summary = IntakeSummary()
        left = iter(messages)
        while batch := list(islice(left, BATCH)):
            self.process(batch, summary)
        return summary

    def process(self, batch: Sequence[bytes], summary: IntakeSummary) -> list[bool]:
        """Process a few messages in one transaction, and add to the counts.

        Returns:
            For each message, whether a person should look at it: a letter, or unverified.

        Raises:
            RefusedError, UnavailableError: As `apply`; nothing of the batch was kept.
        """
        reports = [classify(raw, self._signer) for raw in batch]
        of_each = [self._events(raw, report) for raw, report in zip(batch, reports, strict=True)]
        events = [event for some in of_each for event in some]
        done = apply(self._store, self._keys, events, hold_after=self._hold_after)
        summary.messages += len(batch)
        summary.kinds.update(report.kind.value for report in reports)
        summary.events.update(done.kinds)
        summary.unverified += done.unverified
        summary.asked_to_leave += done.unsubscribe_requests
        summary.repeated += done.repeated
        summary.suppressed += done.suppressed
        summary.settled += done.settled
        summary.held += done.held
        return [
            report.kind is FeedbackKind.OTHER
            or any(event.provider_id in done.unattributed for event in some)
            for report, some in zip(reports, of_each, strict=True)
        ]

    def _events(self, raw: bytes, report: FeedbackReport) -> list[Event]:
        """One event for each recipient of a report, with whatever names its delivery."""
        kind = _KINDS.get(report.kind)
        if kind is None:
            return []
        if report.feedback_type in _OPT_OUTS:
            kind = EventKind.UNSUBSCRIBED
        fields, _ = parse_fields(raw[:MAX_HEADER].decode("latin-1"))
        try:
            at = max(0.0, parsedate_to_datetime(fields.get("Date")).timestamp())
        except (ValueError, TypeError, OverflowError):
            at = math.inf  # `apply` replaces a time in the future by the time of receipt
        recipients = report.recipients or (ReportedRecipient("", ReplyClass.UNKNOWN),)
        message_id = read_message_id(report.message_id)
        campaign_id = self._campaign_by_tag.get(message_id.tag) if message_id else None
        # Named by its content: the same message is the same event wherever it is read from.
        name = hashlib.sha256(raw).hexdigest()
        events: list[Event] = []
        for number, recipient in enumerate(recipients):
            event = Event(
                provider_id=f"{SOURCE}:{name}:{number}",
                kind=kind,
                source=SOURCE,
                at=at,
                payload=raw,
                verdict=recipient.verdict,
                email=recipient.address,
            )
            if report.token and not report.token.proof:
                event = replace(
                    event,
                    campaign_id=report.token.campaign_id,
                    subscriber_uid=report.token.subscriber_uid,
                    # The token names the only recipient, whatever address a forwarder reports.
                    email="" if len(recipients) == 1 else event.email,
                )
            elif not report.token and campaign_id is not None:
                event = replace(event, campaign_id=campaign_id, message_id=message_id)
            events.append(event)
        return events
