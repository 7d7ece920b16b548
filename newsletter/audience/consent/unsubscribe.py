"""Unsubscribing with one click (RFC 8058), and undoing it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Connection, bindparam, func, insert, select, update

from newsletter.audience.model import (
    SubscriptionState,
    SuppressionReason,
    Token,
    TokenPurpose,
    UnsubscribeResult,
)
from newsletter.audience.subscribers import Consent, event_row, record
from newsletter.audience.suppression import lift, suppress_all
from newsletter.audience.tables import (
    consent_event,
    mailing_list,
    subscriber,
    subscription,
    suppression,
)

if TYPE_CHECKING:
    from newsletter.store.engine import Store

UNDO_S = 2 * 86_400.0
"""How long an unsubscribe can be undone. Mail gets forwarded: years later, a link in an old message
must not re-add somebody who unsubscribed. They can always join again from their own mailbox.
"""

_LEFT = "unsubscribed"
_BACK = "resubscribed"

_LOCKED = (
    select(subscriber.c.id, subscriber.c.uid, subscriber.c.address_hash)
    .where(subscriber.c.uid.in_(bindparam("uids", expanding=True)))
    .order_by(subscriber.c.id)
    .with_for_update()
)
"""Locked in one order, so that two transactions that lock several rows cannot deadlock."""
_LIVE = (
    subscription.c.subscriber_id.in_(bindparam("people", expanding=True)),
    subscription.c.state != SubscriptionState.UNSUBSCRIBED,
)
_SUBSCRIPTIONS = (
    select(subscription.c.subscriber_id, mailing_list.c.name, subscription.c.state)
    .join(mailing_list, subscription.c.list_id == mailing_list.c.id)
    .where(*_LIVE)
    .order_by(mailing_list.c.name)
)
_END = (
    update(subscription)
    .where(*_LIVE)
    .values(state=SubscriptionState.UNSUBSCRIBED, updated_at=bindparam("at"))
)


class LockedSubscriber(NamedTuple):
    """What unsubscribing needs of a subscriber whose row is locked."""

    id: int
    uid: int
    address_hash: bytes


@dataclass(frozen=True, slots=True)
class Click:
    """One request to unsubscribe.

    ``token`` is verified and for ``UNSUBSCRIBE``; ``source`` is where the request came from:
    ``one-click``, ``page``, ``mailto``.
    """

    token: Token
    source: str


def unsubscribe(store: Store, token: Token, source: str) -> UnsubscribeResult:
    """End every subscription of the token's subscriber; repeating it changes nothing.

    Args and Raises: as `Click` and `unsubscribe_all`.
    """
    return unsubscribe_all(store, [Click(token, source)])[0]


def unsubscribe_all(store: Store, clicks: Sequence[Click]) -> list[UnsubscribeResult]:
    """End every subscription of these subscribers, in one transaction.

    Args:
        store: The database.
        clicks: The requests, perhaps several from one subscriber.

    Returns:
        The result of each click, in the same order.

    Raises:
        ValueError: A token is for another purpose.
        UnavailableError: The database went away; nobody was unsubscribed.
    """
    harmless = [_harmless(click.token) for click in clicks]
    with store.write() as connection:
        uids = {click.token.subscriber_uid for click in clicks if not click.token.proof}
        people = find_subscribers(connection, uids)
        now = store.now(connection)
        asked: dict[int, Consent] = {}
        for click in clicks:
            uid = click.token.subscriber_uid
            if uid in people:
                evidence = {"campaign_id": click.token.campaign_id}
                asked.setdefault(uid, Consent(click.source, now, evidence=evidence))
        done = leave_all(connection, [(people[uid], consent) for uid, consent in asked.items()])
    first = dict(zip(asked, done, strict=True))
    again = UnsubscribeResult(known=True, proof=False, changed=False)
    unknown = UnsubscribeResult(known=False, proof=False, changed=False)
    return [
        proof or (first.pop(uid, again) if uid in asked else unknown)
        for proof, uid in zip(harmless, (c.token.subscriber_uid for c in clicks), strict=True)
    ]


def leave(
    connection: Connection, subscriber: LockedSubscriber, consent: Consent
) -> UnsubscribeResult:
    """End every subscription of a subscriber within the caller's write transaction."""
    return leave_all(connection, [(subscriber, consent)])[0]


def leave_all(
    connection: Connection, leavers: Sequence[tuple[LockedSubscriber, Consent]]
) -> list[UnsubscribeResult]:
    """The same for thousands of subscribers, each once, with as many statements as for one."""
    if not leavers:
        return []
    # The address is suppressed, too: it may come back with an import, as a new subscriber.
    new = suppress_all(
        connection,
        SuppressionReason.UNSUBSCRIBED,
        [(leaver.address_hash, consent.source, consent.at) for leaver, consent in leavers],
    )
    ids = [leaver.id for leaver, _ in leavers]
    ended: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for subscriber_id, name, state in connection.execute(_SUBSCRIPTIONS, {"people": ids}):
        ended[subscriber_id].append((name, state))
    connection.execute(_END, {"people": ids, "at": leavers[0][1].at})
    results, events = [], []
    for leaver, consent in leavers:
        lists = ended.get(leaver.id, [])
        changed = bool(lists) or leaver.address_hash in new
        results.append(UnsubscribeResult(True, False, changed, tuple(name for name, _ in lists)))
        for name, state in lists:
            # The former state is what an undo restores.
            evidence = {**(consent.evidence or {}), "was": state}
            events.append(event_row(leaver.uid, name, _LEFT, replace(consent, evidence=evidence)))
        if changed and not lists:
            events.append(event_row(leaver.uid, "", _LEFT, consent))
    if events:
        connection.execute(insert(consent_event), events)
    return results


def resubscribe(store: Store, token: Token, source: str) -> UnsubscribeResult:
    """Undo: lift the unsubscribe, and no other reason; restore what it ended.

    After `UNDO_S`, nothing changes.

    Args and Raises: as `unsubscribe`.
    """
    if (harmless := _harmless(token)) is not None:
        return harmless
    uid = token.subscriber_uid
    with store.write() as connection:
        found = find_subscribers(connection, [uid]).get(uid)
        if found is None:
            return UnsubscribeResult(known=False, proof=False, changed=False)
        now = store.now(connection)
        query = select(suppression.c.at).where(
            suppression.c.address_hash == found.address_hash,
            suppression.c.reason == SuppressionReason.UNSUBSCRIBED,
        )
        left_at = connection.execute(query).scalar()
        if left_at is None or left_at < now - UNDO_S:
            return UnsubscribeResult(known=True, proof=False, changed=False)
        lift(connection, found.address_hash, SuppressionReason.UNSUBSCRIBED)
        restored = _ended_last(connection, uid)
        for name, state in restored.items():
            which = select(mailing_list.c.id).where(mailing_list.c.name == name)
            connection.execute(
                update(subscription)
                .where(
                    subscription.c.subscriber_id == found.id,
                    subscription.c.list_id == which.scalar_subquery(),
                )
                .values(state=SubscriptionState(state), updated_at=now)
            )
            record(connection, uid, name, _BACK, Consent(source, now))
        return UnsubscribeResult(True, False, True, tuple(restored))


LEAVING_REASONS = ("too-often", "not-expected", "not-asked", "other")
"""Nothing about a subscriber's health may be asked or stored here."""


def note_reason(store: Store, token: Token, reason: str) -> None:
    """Record why a subscriber left, one of `LEAVING_REASONS`.

    Raises:
        ValueError: The token is for another purpose.
    """
    if _harmless(token) is not None:
        return
    uid = token.subscriber_uid
    with store.write() as connection:
        if find_subscribers(connection, [uid]):
            consent = Consent("page", store.now(connection), evidence={"reason": reason})
            record(connection, uid, "", "leaving-reason", consent)


def _harmless(token: Token) -> UnsubscribeResult | None:
    if token.purpose is not TokenPurpose.UNSUBSCRIBE:
        raise ValueError(f"a token for {token.purpose} cannot unsubscribe")
    if token.proof:
        return UnsubscribeResult(known=False, proof=True, changed=False)
    return None


def find_subscribers(connection: Connection, uids: Collection[int]) -> dict[int, LockedSubscriber]:
    """Subscribers by uid, locked until the transaction ends; erased ones are missing."""
    rows = connection.execute(_LOCKED, {"uids": list(uids)})
    found = (LockedSubscriber(id_, uid, bytes(hashed)) for id_, uid, hashed in rows)
    return {each.uid: each for each in found}


def _ended_last(connection: Connection, uid: int) -> dict[str, str]:
    """The lists that the latest unsubscribe ended, with the state each had before."""
    mine = (consent_event.c.subscriber_uid == uid, consent_event.c.action == _LEFT)
    latest = select(func.max(consent_event.c.at)).where(*mine).scalar_subquery()
    rows = connection.execute(
        select(consent_event.c.list_name, consent_event.c.evidence)
        .where(*mine, consent_event.c.at == latest, consent_event.c.list_name != "")
        .order_by(consent_event.c.list_name)
    )
    return {row.list_name: row.evidence["was"] for row in rows}
