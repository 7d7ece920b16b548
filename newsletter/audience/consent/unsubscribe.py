"""Unsubscribing with one click (RFC 8058), and undoing it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

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

_PEOPLE = (
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


def leave(connection: Connection, person: Row[Any], consent: Consent) -> UnsubscribeResult:
    """End every subscription of a subscriber within the caller's write transaction."""
    return leave_all(connection, [(person, consent)])[0]


def leave_all(
    connection: Connection, leavers: Sequence[tuple[Row[Any], Consent]]
) -> list[UnsubscribeResult]:
    """The same for thousands of subscribers, each once, with as many statements as for one."""
    if not leavers:
        return []
    new = _suppress(connection, leavers)
    ended = _end(connection, [person.id for person, _ in leavers], leavers[0][1].at)
    results, events = [], []
    for person, consent in leavers:
        lists = ended.get(person.id, [])
        changed = bool(lists) or bytes(person.address_hash) in new
        results.append(UnsubscribeResult(True, False, changed, tuple(name for name, _ in lists)))
        events += [
            event_row(person.uid, name, _LEFT, _with(consent, state)) for name, state in lists
        ]
        if changed and not lists:
            events.append(event_row(person.uid, "", _LEFT, consent))
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
    with store.write() as connection:
        person = _person(connection, token)
        if person is None:
            return UnsubscribeResult(known=False, proof=False, changed=False)
        at = store.now(connection)
        lifted = _left_since(connection, person.address_hash, at - UNDO_S) and lift(
            connection, person.address_hash, SuppressionReason.UNSUBSCRIBED
        )
        given_back = _ended_last(connection, person.uid) if lifted else {}
        for name, state in given_back.items():
            _set_state(connection, person.id, name, SubscriptionState(state), at)
            record(connection, person.uid, name, _BACK, Consent(source, at))
        return UnsubscribeResult(True, False, lifted, tuple(given_back))


LEAVING_REASONS = ("too-often", "not-expected", "not-asked", "other")
"""Nothing about a subscriber's health may be asked or stored here."""


def note_reason(store: Store, token: Token, reason: str) -> None:
    """Record why a subscriber left, one of `LEAVING_REASONS`.

    Raises:
        ValueError: The token is for another purpose.
    """
    if _harmless(token) is not None:
        return
    with store.write() as connection:
        person = _person(connection, token)
        if person is not None:
            consent = Consent("page", store.now(connection), evidence={"reason": reason})
            record(connection, person.uid, "", "leaving-reason", consent)


def _harmless(token: Token) -> UnsubscribeResult | None:
    if token.purpose is not TokenPurpose.UNSUBSCRIBE:
        raise ValueError(f"a token for {token.purpose} cannot unsubscribe")
    if token.proof:
        return UnsubscribeResult(known=False, proof=True, changed=False)
    return None


def find_subscribers(connection: Connection, uids: Collection[int]) -> dict[int, Row[Any]]:
    """Subscribers by uid, locked until the transaction ends; erased ones are missing."""
    rows: Iterable[Row[Any]] = connection.execute(_PEOPLE, {"uids": list(uids)})
    return {row.uid: row for row in rows}


def _person(connection: Connection, token: Token) -> Row[Any] | None:
    return find_subscribers(connection, [token.subscriber_uid]).get(token.subscriber_uid)


def _left_since(connection: Connection, hashed: bytes, since: float) -> bool:
    left = select(suppression.c.at).where(
        suppression.c.address_hash == hashed,
        suppression.c.reason == SuppressionReason.UNSUBSCRIBED,
    )
    at = connection.execute(left).scalar()
    return at is not None and at >= since


def _suppress(connection: Connection, leavers: Sequence[tuple[Row[Any], Consent]]) -> set[bytes]:
    return suppress_all(
        connection,
        SuppressionReason.UNSUBSCRIBED,
        [(person.address_hash, consent.source, consent.at) for person, consent in leavers],
    )


def _end(
    connection: Connection, people: Sequence[int], at: float
) -> dict[int, list[tuple[str, str]]]:
    """End subscriptions; gives lists and former states by person."""
    ended: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for person_id, name, state in connection.execute(_SUBSCRIPTIONS, {"people": people}):
        ended[person_id].append((name, state))
    connection.execute(_END, {"people": people, "at": at})
    return ended


def _with(consent: Consent, state: str) -> Consent:
    return replace(consent, evidence={**(consent.evidence or {}), "was": state})


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


def _set_state(
    connection: Connection, person_id: int, list_name: str, state: SubscriptionState, at: float
) -> None:
    which = select(mailing_list.c.id).where(mailing_list.c.name == list_name).scalar_subquery()
    connection.execute(
        update(subscription)
        .where(subscription.c.subscriber_id == person_id, subscription.c.list_id == which)
        .values(state=state, updated_at=at)
    )
