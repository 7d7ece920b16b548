"""Settles tries to send transactional mail, and admits the messages to send next."""

from __future__ import annotations

import logging
import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from newsletter.audience.consent.action_links import find_link, make_link
from newsletter.audience.consent.double_opt_in import may_be_asked
from newsletter.audience.consent.preferences import gets_mail, reader
from newsletter.audience.model import LinkAction
from newsletter.delivery.model import Outcome, Result
from newsletter.errors import NewsletterError, UnavailableError
from newsletter.queues import outgoing
from newsletter.queues.outgoing import OutgoingMessage, Scope
from newsletter.transactional.limits import (
    CONFIRMATIONS,
    LINK_BY_READER,
    give_back,
    mailbox_of,
    take_all,
)
from newsletter.transactional.messages import WELCOME

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from newsletter.audience.keys import Keys
    from newsletter.store.engine import Store

log = logging.getLogger("newsletter.transactional")

LIFETIME_S = 48 * 3600.0
"""How long a mailed link is valid, and how long a message is worth sending."""
WAITS_S = (5.0, 30.0, 120.0, 900.0)
"""Approximate waits before each further try: greylisting servers accept after 1 to 15 minutes.
Later waits double up to `LONGEST_WAIT_S`."""
LONGEST_WAIT_S = 4 * 3600.0
UNANSWERED_WAIT_S = 120.0
MOST_UNANSWERED = 3
"""A relay that accepts messages without replying (RFC 1047) must not flood their readers."""
FAILED_KEPT_S = 30 * 86_400.0
"""How long the record of a failed message is kept."""

_STRANGERS = frozenset({LinkAction.JOIN, LinkAction.ADDRESS})
"""Mailed to an address that nobody has confirmed yet."""


@dataclass(frozen=True, slots=True)
class EndedTry:
    """How one try ended; ``error`` if the transport was not reached."""

    message: OutgoingMessage
    outcome: Outcome | None = None
    error: Exception | None = None


class Settlement:
    """The transactions of a drain: what a try's result means, and what may be sent next.

    Args:
        store: The database.
        keys: To hash addresses.
        scope: The messages that the drain takes.
    """

    def __init__(self, store: Store, keys: Keys, scope: Scope) -> None:
        self._store = store
        self._keys = keys
        self._scope = scope

    def settle_and_take(
        self, ended: Sequence[EndedTry], mine: Collection[int], room: int, lease_s: float
    ) -> tuple[int, list[OutgoingMessage]]:
        """Settle, clean up, and take up to ``room`` messages, in one transaction.

        Args:
            ended: The tries to settle.
            mine: The ids of messages still being sent, whose leases are renewed.
            room: The most to take.
            lease_s: Seconds that a lease lasts.

        Returns:
            The number taken, and those of them that may be sent.
        """
        with self._store.write() as connection:
            now = self._store.now(connection)
            for each in ended:
                self._settle(connection, each, now)
            if mine:
                outgoing.keep(connection, mine, now + lease_s)
            for message in outgoing.stranded(connection, now, self._scope, mine):
                # At once the first time; then with a wait, since this message may be the cause.
                wait = _wait_s(message.tries - 1) if message.tries > 1 else 0.0
                self._put_off(connection, message, now + wait)
            for message in outgoing.expired(connection, now):
                self._give_up(connection, message, None)
            outgoing.forget_failed(connection, now - FAILED_KEPT_S)
            taken = outgoing.take_due(connection, now, self._scope, count=room, lease_s=lease_s)
            admitted = [self._admit(connection, message, now) for message in taken]
            return len(taken), [message for message in admitted if message]

    def _admit(
        self, connection: Connection, message: OutgoingMessage, now: float
    ) -> OutgoingMessage | None:
        """The message to send; None if it must not be sent, or is useless by now.

        Whether an unconfirmed address may be mailed is decided here, after the visitor was
        answered: the answer and the time it takes are the same for every address.
        """
        if message.kind == WELCOME:
            # They may have changed their address or unsubscribed since.
            person = reader(connection, message.subscriber_uid)
            same = person is not None and person.email_key == message.email_key
            good = same and gets_mail(connection, message.subscriber_uid)
        elif message.kind in _STRANGERS and not may_be_asked(connection, message.email, self._keys):
            good = False
        elif message.link_id:
            good = find_link(connection, message.link_id) is not None
        else:
            return self._first_time(connection, message, now)
        if not good:
            outgoing.remove(connection, message)
        return message if good else None

    def _first_time(
        self, connection: Connection, message: OutgoingMessage, now: float
    ) -> OutgoingMessage | None:
        """Count the message and create its link: both are committed together, or neither."""
        who = mailbox_of(message.email_key)
        if not take_all(connection, CONFIRMATIONS, who, self._keys, now):
            outgoing.remove(connection, message)
            return None
        link = make_link(
            connection,
            LinkAction(message.kind),
            message.email,
            at=message.created_at,
            lifetime=now - message.created_at + LIFETIME_S,
            uid=message.subscriber_uid,
            details=message.details,
        )
        outgoing.attach_link(connection, message, link.id, link.expires_at)
        return message._replace(link_id=link.id, expires_at=link.expires_at, details={})

    def _settle(self, connection: Connection, ended: EndedTry, now: float) -> None:
        message, outcome = ended.message, ended.outcome
        result = outcome.result if outcome else None
        if result is Result.ACCEPTED:
            outgoing.remove(connection, message)
        elif result is Result.FAILED:
            self._give_up(connection, message, outcome)
        elif result is Result.UNCERTAIN and message.unanswered + 1 >= MOST_UNANSWERED:
            # It may well have arrived, so it counts: its reader need not ask again.
            outgoing.give_up(connection, message, None, "")
            log.error(
                "gave up on a message: the relay does not reply", extra={"kind": message.kind}
            )
        elif result is Result.UNCERTAIN:
            message = message._replace(unanswered=message.unanswered + 1)
            wait = max(UNANSWERED_WAIT_S, _wait_s(message.tries))
            self._put_off(connection, message, now + wait)
        elif result is Result.RETURNED or isinstance(ended.error, UnavailableError):
            # Nothing was sent, and not because of this message: the try does not count.
            self._put_off(connection, message._replace(tries=message.tries - 1), now)
        else:
            if error := ended.error:
                # Our own errors are safe to log; others may quote personal data.
                what = error.message if isinstance(error, NewsletterError) else type(error).__name__
                log.error("a message cannot be sent: %s", what)
            self._put_off(connection, message, now + _wait_s(message.tries))

    def _put_off(self, connection: Connection, message: OutgoingMessage, due_at: float) -> None:
        outgoing.put_off(
            connection, message, due_at, tries=message.tries, unanswered=message.unanswered
        )

    def _give_up(
        self, connection: Connection, message: OutgoingMessage, outcome: Outcome | None
    ) -> None:
        """Record the failure; a message that was never sent does not count against a limit."""
        code, status = (outcome.code, outcome.status) if outcome else (None, "")
        if not outgoing.give_up(connection, message, code, status):
            return
        facts = {"kind": message.kind, "tries": message.tries, "code": code, "status": status}
        log.error("gave up on a message", extra=facts)
        if message.kind in _STRANGERS and message.link_id:
            for limit in CONFIRMATIONS:
                give_back(connection, limit, mailbox_of(message.email_key), self._keys)
        elif message.link_id:
            give_back(connection, LINK_BY_READER, str(message.subscriber_uid), self._keys)


def _wait_s(tries: int) -> float:
    """Seconds until the next try; randomized, so that not all come back together."""
    more = tries - len(WAITS_S)
    usual = WAITS_S[tries - 1] if more <= 0 else min(WAITS_S[-1] * 2**more, LONGEST_WAIT_S)
    return usual * random.uniform(0.9, 1.1)  # noqa: S311


def _words(error: Exception) -> str:
    """Our own errors are safe to log; others may quote personal data."""
    return error.message if isinstance(error, NewsletterError) else type(error).__name__
