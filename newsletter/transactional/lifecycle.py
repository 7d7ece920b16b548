"""The life of a message within the database: admitted, settled or put off, given up.

Each step is a function of the caller's write transaction, so that what it counts, links and records
is committed together or not at all.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from newsletter.audience.consent.action_links import find_link, make_link
from newsletter.audience.consent.double_opt_in import may_be_asked
from newsletter.audience.consent.preferences import gets_mail, reader
from newsletter.audience.model import LinkAction
from newsletter.delivery.model import Outcome, Result
from newsletter.errors import NewsletterError, UnavailableError
from newsletter.queues import outgoing
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
    from newsletter.queues.outgoing import OutgoingMessage, Scope

log = logging.getLogger("newsletter.transactional")

LIFETIME_S = 48 * 3600.0
"""How long a mailed link is good, and how long a message is worth sending."""
WAITS_S = (5.0, 30.0, 120.0, 900.0)
"""Before each further try, about: servers that greylist take it after 1 to 15 minutes. Later waits
double up to `LONGEST_WAIT_S`."""
LONGEST_WAIT_S = 4 * 3600.0
RETURNED_WAIT_S = 1.0
UNANSWERED_WAIT_S = 120.0
MOST_UNANSWERED = 3
"""A relay that takes messages and never says so (RFC 1047) must not flood their readers."""
FAILED_KEPT_S = 30 * 86_400.0
"""How long the record of what was given up is kept."""

_STRANGERS = frozenset({LinkAction.JOIN, LinkAction.ADDRESS})
"""Mailed to an address of which nobody has proved anything yet."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How one try ended; ``error`` where the transport was never asked, or is out of reach."""

    message: OutgoingMessage
    outcome: Outcome | None = None
    error: Exception | None = None


def admit(
    connection: Connection, message: OutgoingMessage, keys: Keys, now: float
) -> OutgoingMessage | None:
    """Decide whether a message that is leased may be sent now; one that may not is removed.

    Whether a stranger's request leads to mail is decided here, after it was answered: the answer
    and the time it takes are the same for every address.

    Args:
        connection: A write transaction.
        keys: Hash the address.
        now: Unix seconds.

    Returns:
        The message with its link; None where it may not go, or is of no use any more.

    Raises:
        RefusedError: The suppression key is not this database's.
    """
    if message.kind == WELCOME:
        person = reader(connection, message.subscriber_uid)
        # Their former address is somebody else's business.
        at_home = person is not None and person.email_key == message.email_key
        good = at_home and gets_mail(connection, message.subscriber_uid)
    elif message.kind in _STRANGERS and not may_be_asked(connection, message.email, keys):
        good = False
    elif message.link_id:
        # It is gone once it was used, and when its subscriber was erased or has moved.
        good = find_link(connection, message.link_id) is not None
    else:
        who = mailbox_of(message.email_key)
        good = take_all(connection, CONFIRMATIONS, who, keys, now)
        message = _with_link(connection, message, now) if good else message
    if not good:
        outgoing.remove(connection, message)
    return message if good else None


def _with_link(connection: Connection, message: OutgoingMessage, now: float) -> OutgoingMessage:
    link = make_link(
        connection,
        LinkAction(message.kind),
        message.email,
        # When it was asked for goes into the record of consent; two days begin only now.
        at=message.created_at,
        lifetime=now - message.created_at + LIFETIME_S,
        uid=message.subscriber_uid,
        details=message.details,
    )
    outgoing.attach_link(connection, message, link.id, link.expires_at)
    return replace(message, link_id=link.id, expires_at=link.expires_at, details={})


def settle(connection: Connection, ended: Ended, keys: Keys, now: float) -> None:
    """Record how a try ended: gone, to be tried again, or given up. Args: as `admit`."""
    message, outcome, error = ended.message, ended.outcome, ended.error
    result = outcome.result if outcome else None
    if result is Result.ACCEPTED:
        outgoing.remove(connection, message)
    elif result is Result.FAILED:
        give_up(connection, message, keys, outcome)
    elif result is Result.UNCERTAIN and message.unanswered + 1 >= MOST_UNANSWERED:
        # It may well be there: nothing is given back, lest it is asked for at once again.
        outgoing.give_up(connection, message, None, "")
        log.error("gave up on a message: the relay never replied", extra=_facts(message))
    elif result is Result.UNCERTAIN:
        wait = max(UNANSWERED_WAIT_S, wait_s(message.tries))
        message = replace(message, unanswered=message.unanswered + 1)
        outgoing.put_off(connection, message, now + wait)
    elif result is Result.RETURNED or isinstance(error, UnavailableError):
        # Nothing of it went out, and that says nothing about this message.
        message = replace(message, tries=message.tries - 1)
        outgoing.put_off(connection, message, now + RETURNED_WAIT_S)
    else:
        if error:
            told = error.message if isinstance(error, NewsletterError) else type(error).__name__
            ours = isinstance(error, NewsletterError)
            log.error("a message cannot be sent: %s", told, exc_info=None if ours else error)
        outgoing.put_off(connection, message, now + wait_s(message.tries))


def tidy(
    connection: Connection, keys: Keys, now: float, scope: Scope, mine: Collection[int]
) -> None:
    """Take over what somebody left half sent, and give up what has expired.

    Args:
        scope: What the caller drains.
        mine: What it has under way.
    """
    for message in outgoing.stranded(connection, now, scope, mine):
        # At once, unless it might be why its process died.
        wait = wait_s(message.tries - 1) if message.tries > 1 else 0.0
        outgoing.put_off(connection, message, now + wait)
    for message in outgoing.expired(connection, now):
        give_up(connection, message, keys, None)
    outgoing.forget_failed(connection, now - FAILED_KEPT_S)


def give_up(
    connection: Connection, message: OutgoingMessage, keys: Keys, outcome: Outcome | None
) -> None:
    """Record the failure; what never left does not count against anybody's limit.

    Args:
        outcome: Of the last try; None where it has expired.
    """
    code, status = (outcome.code, outcome.status) if outcome else (None, "")
    if not outgoing.give_up(connection, message, code, status):
        return
    log.error("gave up on a message", extra={**_facts(message), "code": code, "status": status})
    if not message.link_id:
        return
    if message.kind in _STRANGERS:
        for limit in CONFIRMATIONS:
            give_back(connection, limit, mailbox_of(message.email_key), keys)
    else:
        give_back(connection, LINK_BY_READER, str(message.subscriber_uid), keys)


def wait_s(tries: int) -> float:
    """Seconds until the next try after this many; spread, lest all come back together."""
    doublings = min(tries - len(WAITS_S), 16)
    usual = WAITS_S[tries - 1] if doublings <= 0 else WAITS_S[-1] * 2**doublings
    usual = min(usual, LONGEST_WAIT_S)
    return usual * random.uniform(0.9, 1.1)  # noqa: S311


def _facts(message: OutgoingMessage) -> dict[str, object]:
    return {"kind": message.kind, "tries": message.tries}
