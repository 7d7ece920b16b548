"""The outgoing messages: who may take one, for how long, and how each ends."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, func, insert, or_, select, update

from newsletter.queues.tables import outgoing_message

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Row

LONGEST_WAIT_S = 5 * 3600.0
"""No message is put off for longer: what seems to be due later was written by a clock that was
wrong, and is due now."""


class MessageState(StrEnum):
    """Where a message is on its way."""

    WAITING = "waiting"
    SENDING = "sending"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class NewMessage:
    """Mail that is owed to somebody.

    ``kind`` says which text; ``email_key`` finds the row again when its address is erased.
    ``expires_at`` (Unix seconds): it is of no use later. ``details`` are JSON values that its kind
    needs.
    """

    kind: str
    email: str
    email_key: str
    language: str
    transport: str
    expires_at: float
    subscriber_uid: int = 0
    link_id: int = 0
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message that somebody holds the lease of, or is about to take. Times are Unix seconds."""

    id: int
    kind: str
    email: str
    email_key: str
    language: str
    subscriber_uid: int
    link_id: int
    details: Mapping[str, Any]
    created_at: float
    expires_at: float
    tries: int
    unanswered: int
    fence: int


@dataclass(frozen=True, slots=True)
class Scope:
    """Which messages a drain takes: others are for processes that know or reach more.

    ``kinds``: those that it can write. ``transport``: written under this one; empty: under any.
    ``alone``: nobody else drains this database, so that what somebody left half sent is anybody's
    at once, and not when a lease has run out.
    """

    kinds: Collection[str]
    transport: str
    alone: bool


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How many messages of each kind are in each state, and since when the oldest one waits.

    ``oldest_at`` is in Unix seconds; None where none waits.
    """

    counts: Mapping[tuple[str, str], int]
    oldest_at: float | None


_ROW = [outgoing_message.c[name] for name in OutgoingMessage.__dataclass_fields__]


def enqueue(connection: Connection, message: NewMessage, at: float) -> None:
    """Owe a message: it is sent if this transaction is committed.

    Args:
        connection: The write transaction of what causes it.
        at: Unix seconds.
    """
    connection.execute(
        insert(outgoing_message).values(
            kind=message.kind,
            state=MessageState.WAITING,
            transport=message.transport,
            email=message.email,
            email_key=message.email_key,
            subscriber_uid=message.subscriber_uid,
            link_id=message.link_id,
            language=message.language,
            details=dict(message.details),
            created_at=at,
            expires_at=message.expires_at,
            due_at=at,
        )
    )


def next_due(
    connection: Connection, now: float, scope: Scope, mine: Collection[int]
) -> float | None:
    """When there is next something to do (Unix seconds; perhaps past); None: nothing is queued.

    Args:
        connection: A read transaction.
        now: Unix seconds.
        mine: What the caller has under way.
    """
    c = outgoing_message.c
    waiting = connection.execute(select(func.min(c.due_at)).where(_waiting(scope))).scalar()
    others = (c.state == MessageState.SENDING, c.id.not_in(mine))
    left = connection.execute(select(func.min(c.lease_until)).where(*others)).scalar()
    if left is not None and scope.alone:
        # Whoever held it is gone, whatever the lease says.
        left = now
    found = min((at for at in (waiting, left) if at is not None), default=None)
    return found if found is None or found <= now + LONGEST_WAIT_S else now


def take_due(
    connection: Connection, now: float, scope: Scope, *, count: int, lease_s: float
) -> list[OutgoingMessage]:
    """Take the lease of what is due, longest due first; another drain passes over these.

    Each counts as tried from here on, since this is committed before any byte of it goes out.

    Args:
        connection: A write transaction.
        now: Unix seconds.
        count: How many at most.
        lease_s: Seconds until others may take what is not settled by then.
    """
    c = outgoing_message.c
    rows = connection.execute(
        select(*_ROW)
        .where(
            _waiting(scope),
            or_(c.due_at <= now, c.due_at > now + LONGEST_WAIT_S),
            c.expires_at > now,
        )
        # The order of asking decides which of two requests for one address leads to mail.
        .order_by(c.due_at, c.id)
        .limit(count)
        .with_for_update(skip_locked=True)
    ).all()
    if rows:
        connection.execute(
            update(outgoing_message)
            .where(c.id.in_([row.id for row in rows]))
            .values(
                state=MessageState.SENDING,
                fence=c.fence + 1,
                tries=c.tries + 1,
                lease_until=now + lease_s,
            )
        )
    return [_read(row, leased=True) for row in rows]


def keep(connection: Connection, ids: Collection[int], until: float) -> None:
    """Renew the leases of messages that are still under way."""
    connection.execute(
        update(outgoing_message)
        .where(outgoing_message.c.id.in_(ids), outgoing_message.c.state == MessageState.SENDING)
        .values(lease_until=until)
    )


def stranded(
    connection: Connection, now: float, scope: Scope, mine: Collection[int]
) -> list[OutgoingMessage]:
    """What was being sent by somebody who is gone.

    Args:
        connection: A write transaction.
        now: Unix seconds.
        mine: What the caller has under way.
    """
    c = outgoing_message.c
    rows = connection.execute(
        select(*_ROW)
        .where(
            c.state == MessageState.SENDING,
            # A lease that could not be renewed in time is no reason to send it beside oneself.
            c.id.not_in(mine),
            *([] if scope.alone else [c.lease_until < now]),
        )
        .order_by(c.id)
        .with_for_update(skip_locked=True)
    )
    return [_read(row) for row in rows]


def expired(connection: Connection, now: float) -> list[OutgoingMessage]:
    """What waited until it was of no use to anybody."""
    c = outgoing_message.c
    rows = connection.execute(
        select(*_ROW)
        .where(c.state == MessageState.WAITING, c.expires_at <= now)
        .order_by(c.id)
        .with_for_update(skip_locked=True)
    )
    return [_read(row) for row in rows]


def attach_link(
    connection: Connection, message: OutgoingMessage, link_id: int, expires_at: float
) -> None:
    """Note which link a message carries; what it was made from is in the link from here on."""
    connection.execute(
        update(outgoing_message)
        .where(_still(message))
        .values(link_id=link_id, expires_at=expires_at, details={})
    )


def remove(connection: Connection, message: OutgoingMessage) -> None:
    """Forget a message that was taken, or that nobody has a use for; not one that others hold."""
    connection.execute(delete(outgoing_message).where(_still(message)))


def put_off(connection: Connection, message: OutgoingMessage, due_at: float) -> None:
    """Let the lease go, and try again at ``due_at`` (Unix seconds).

    Args:
        message: Its ``tries`` and ``unanswered`` are recorded as they are here.
    """
    connection.execute(
        update(outgoing_message)
        .where(_still(message))
        .values(
            state=MessageState.WAITING,
            due_at=due_at,
            tries=message.tries,
            unanswered=message.unanswered,
            lease_until=0.0,
        )
    )


def give_up(
    connection: Connection, message: OutgoingMessage, code: int | None, status: str
) -> bool:
    """Record that a message will not be sent, and forget who it was for.

    Args:
        code: The reply code of the last try, where there was one.
        status: Its enhanced status (RFC 3463).

    Returns:
        Whether the caller still held it.
    """
    given = connection.execute(
        update(outgoing_message)
        .where(_still(message))
        .values(
            state=MessageState.FAILED,
            # What counts is that it failed, and why: not whose it was.
            email="",
            email_key="",
            subscriber_uid=0,
            link_id=0,
            details={},
            code=code,
            status=status,
            lease_until=0.0,
        )
    )
    return given.rowcount == 1


def forget_failed(connection: Connection, before: float) -> None:
    """Delete the record of what was given up and had expired by then (Unix seconds)."""
    c = outgoing_message.c
    connection.execute(
        delete(outgoing_message).where(c.state == MessageState.FAILED, c.expires_at < before)
    )


def forget_address(connection: Connection, email_key: str, uid: int = 0) -> int:
    """Delete what is owed to an address, and to a subscriber (0: to nobody).

    Returns:
        How many messages there were.
    """
    c = outgoing_message.c
    theirs = c.email_key == email_key
    if uid:
        theirs |= c.subscriber_uid == uid
    return connection.execute(delete(outgoing_message).where(theirs)).rowcount


def release_all(connection: Connection) -> None:
    """Let every lease go: its holder holds it in another copy of this database."""
    connection.execute(
        update(outgoing_message)
        .where(outgoing_message.c.state == MessageState.SENDING)
        .values(state=MessageState.WAITING, lease_until=0.0)
    )


def is_under_way(connection: Connection, now: float) -> bool:
    """Whether somebody may be sending a message right now."""
    c = outgoing_message.c
    query = select(c.id).where(c.state == MessageState.SENDING, c.lease_until > now).limit(1)
    return connection.execute(query).first() is not None


def depth(connection: Connection) -> QueueDepth:
    """What there is in the queue."""
    c = outgoing_message.c
    rows = connection.execute(
        select(c.kind, c.state, func.count(), func.min(c.created_at)).group_by(c.kind, c.state)
    ).all()
    unsent = [oldest for _, state, _, oldest in rows if state != MessageState.FAILED]
    return QueueDepth(
        {(kind, state): count for kind, state, count, _ in rows}, min(unsent, default=None)
    )


def _waiting(scope: Scope) -> ColumnElement[bool]:
    c = outgoing_message.c
    waits = and_(c.state == MessageState.WAITING, c.kind.in_(scope.kinds))
    return and_(waits, c.transport == scope.transport) if scope.transport else waits


def _still(message: OutgoingMessage) -> ColumnElement[bool]:
    """Whether the row is as the caller took it: a later lease has a greater fence."""
    c = outgoing_message.c
    return and_(c.id == message.id, c.fence == message.fence)


def _read(row: Row[Any], *, leased: bool = False) -> OutgoingMessage:
    values = dict(row._mapping)
    if leased:
        values["fence"] += 1
        values["tries"] += 1
    return OutgoingMessage(**values)
