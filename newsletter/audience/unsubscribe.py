"""Leaving with one click (RFC 8058), and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, func, select, update

from newsletter.audience.model import (
    SubscriptionState,
    SuppressionReason,
    Token,
    TokenPurpose,
    UnsubscribeResult,
)
from newsletter.audience.subscribers import Consent, record
from newsletter.audience.suppression import lift, suppress
from newsletter.store.schema import consent_event, mailing_list, subscriber, subscription

if TYPE_CHECKING:
    from newsletter.store import Store

_LEFT = "unsubscribed"
_BACK = "resubscribed"


def unsubscribe(store: Store, token: Token, source: str) -> UnsubscribeResult:
    """End every subscription of the token's reader; repeating it changes nothing.

    Args:
        store: The database.
        token: A verified token of purpose ``UNSUBSCRIBE``.
        source: Where the click came from: ``one-click``, ``page``, ``mailto``.

    Raises:
        ValueError: The token is for something else.
    """
    if (harmless := _harmless(token)) is not None:
        return harmless
    with store.write() as connection:
        person = _person(connection, token)
        if person is None:
            return UnsubscribeResult(known=False, proof=False, changed=False)
        evidence = {"campaign_id": token.campaign_id}
        return leave(connection, person, Consent(source, store.now(connection), evidence=evidence))


def leave(connection: Connection, person: Row[Any], consent: Consent) -> UnsubscribeResult:
    """End every subscription of a person within the caller's write transaction."""
    new = suppress(
        connection,
        person.address_hash,
        SuppressionReason.UNSUBSCRIBED,
        consent.source,
        consent.at,
    )
    ended = connection.execute(
        select(mailing_list.c.name, subscription.c.state)
        .join(subscription, subscription.c.list_id == mailing_list.c.id)
        .where(
            subscription.c.subscriber_id == person.id,
            subscription.c.state != SubscriptionState.UNSUBSCRIBED,
        )
        .order_by(mailing_list.c.name)
    ).all()
    _set_state(connection, person.id, None, SubscriptionState.UNSUBSCRIBED, consent.at)
    for name, state in ended:
        evidence = {**(consent.evidence or {}), "was": state}
        record(
            connection, person.uid, name, _LEFT, Consent(consent.source, consent.at, "", evidence)
        )
    if new and not ended:
        record(connection, person.uid, "", _LEFT, consent)
    return UnsubscribeResult(True, False, bool(new or ended), tuple(name for name, _ in ended))


def resubscribe(store: Store, token: Token, source: str) -> UnsubscribeResult:
    """Undo: lift the unsubscribe, and no other reason; give back what it ended.

    Args and Raises: as `unsubscribe`.
    """
    if (harmless := _harmless(token)) is not None:
        return harmless
    with store.write() as connection:
        person = _person(connection, token)
        if person is None:
            return UnsubscribeResult(known=False, proof=False, changed=False)
        lifted = lift(connection, person.address_hash, SuppressionReason.UNSUBSCRIBED)
        at = store.now(connection)
        given_back = _ended_last(connection, person.uid) if lifted else {}
        for name, state in given_back.items():
            _set_state(connection, person.id, name, SubscriptionState(state), at)
            record(connection, person.uid, name, _BACK, Consent(source, at))
        return UnsubscribeResult(True, False, lifted, tuple(given_back))


LEAVING_REASONS = ("too-often", "not-expected", "not-asked", "other")
"""Nothing about a reader's health may be asked or kept here."""


def note_reason(store: Store, token: Token, reason: str) -> None:
    """Keep why a reader left, one of `LEAVING_REASONS`, if they said so.

    Raises:
        ValueError: The token is for something else.
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


def _person(connection: Connection, token: Token) -> Row[Any] | None:
    query = select(subscriber).where(subscriber.c.uid == token.subscriber_uid)
    return connection.execute(query.with_for_update()).first()


def _ended_last(connection: Connection, uid: int) -> dict[str, str]:
    """The lists that the latest unsubscribe ended, and the state each had before."""
    mine = (consent_event.c.subscriber_uid == uid, consent_event.c.action == _LEFT)
    latest = select(func.max(consent_event.c.at)).where(*mine).scalar_subquery()
    rows = connection.execute(
        select(consent_event.c.list_name, consent_event.c.evidence)
        .where(*mine, consent_event.c.at == latest, consent_event.c.list_name != "")
        .order_by(consent_event.c.list_name)
    )
    return {row.list_name: row.evidence["was"] for row in rows}


def _set_state(
    connection: Connection,
    person_id: int,
    list_name: str | None,
    state: SubscriptionState,
    at: float,
) -> None:
    change = update(subscription).where(
        subscription.c.subscriber_id == person_id, subscription.c.state != state
    )
    if list_name is not None:
        which = select(mailing_list.c.id).where(mailing_list.c.name == list_name)
        change = change.where(subscription.c.list_id == which.scalar_subquery())
    connection.execute(change.values(state=state, updated_at=at))
