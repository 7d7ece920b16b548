"""The queue of outgoing messages: adding, leasing, settling and expiring them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import and_, delete, func, insert, or_, select, update

from newsletter.queues.tables import outgoing_message

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

LONGEST_WAIT_S = 5 * 3600.0
"""No message is deferred for longer: one that seems due later was written with a wrong clock, and
is due now."""


class MessageState(StrEnum):
    """The state of a message."""

    WAITING = "waiting"
    SENDING = "sending"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to enqueue.

    ``kind`` selects the text; ``email_key`` finds the row when its address is erased. After
    ``expires_at`` (Unix seconds) it is useless. ``details`` are JSON values that its kind needs.
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


class OutgoingMessage(NamedTuple):
    """A queued message as read by a drain. Times are Unix seconds."""

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
    """Which messages a drain takes; the others are for other versions or other transports.

    ``kinds``: those it can compose. ``transport``: only messages enqueued under this one; empty:
    under any. ``alone``: no other process drains this database, so a message left half sent can be
    recovered at once, without waiting for its lease to expire.
    """

    kinds: Collection[str]
    transport: str
    alone: bool


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """The number of messages by kind and state, and the age of the oldest.

    ``oldest_at`` is when the oldest unsent message was created, in Unix seconds; None if all were
    sent.
    """

    counts: Mapping[tuple[str, str], int]
    oldest_at: float | None


_ROW = [outgoing_message.c[name] for name in OutgoingMessage._fields]


def enqueue(connection: Connection, message: NewMessage, at: float) -> None:
    """Queue a message: it is sent if this transaction is committed.

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
    """When the next message is due (Unix seconds, possibly past); None: nothing is queued.

    Args:
        connection: A read transaction.
        now: Unix seconds.
        mine: The ids of messages the caller is sending.
    """
    c = outgoing_message.c
    # Two indexed lookups: this is asked every two seconds by every process.
    waiting = connection.execute(select(func.min(c.due_at)).where(_waiting(scope))).scalar()
    others = (c.state == MessageState.SENDING, c.id.not_in(mine))
    left = connection.execute(select(func.min(c.lease_until)).where(*others)).scalar()
    if left is not None and scope.alone:
        left = now
    found = min((at for at in (waiting, left) if at is not None), default=None)
    return found if found is None or found <= now + LONGEST_WAIT_S else now


def take_due(
    connection: Connection, now: float, scope: Scope, *, count: int, lease_s: float
) -> list[OutgoingMessage]:
    """Lease messages that are due, longest due first; other drains skip them.

    Each counts as tried from now on: this is committed before any byte of it goes out.

    Args:
        connection: A write transaction.
        now: Unix seconds.
        count: The most to take.
        lease_s: Seconds until other drains may recover what is not settled.
    """
    c = outgoing_message.c
    rows = connection.execute(
        select(*_ROW)
        .where(
            _waiting(scope),
            or_(c.due_at <= now, c.due_at > now + LONGEST_WAIT_S),
            c.expires_at > now,
        )
        .order_by(c.due_at, c.id)
        .limit(count)
        .with_for_update(skip_locked=True)
    ).all()
    # A greater fence makes whatever a former holder still writes miss the row.
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
    # The update above is not in the rows, which were read before it.
    taken = (OutgoingMessage._make(row) for row in rows)
    return [one._replace(fence=one.fence + 1, tries=one.tries + 1) for one in taken]


def keep(connection: Connection, ids: Collection[int], until: float) -> None:
    """Renew the leases of messages that are still being sent."""
    connection.execute(
        update(outgoing_message)
        .where(outgoing_message.c.id.in_(ids), outgoing_message.c.state == MessageState.SENDING)
        .values(lease_until=until)
    )


def stranded(
    connection: Connection, now: float, scope: Scope, mine: Collection[int]
) -> list[OutgoingMessage]:
    """Messages that were being sent by a process that is gone.

    Args:
        connection: A write transaction.
        now: Unix seconds.
        mine: The ids of messages the caller is sending.
    """
    c = outgoing_message.c
    rows = connection.execute(
        select(*_ROW)
        .where(
            c.state == MessageState.SENDING,
            c.id.not_in(mine),
            *([] if scope.alone else [c.lease_until < now]),
        )
        .order_by(c.id)
        .with_for_update(skip_locked=True)
    )
    return [OutgoingMessage._make(row) for row in rows]


def expired(connection: Connection, now: float) -> list[OutgoingMessage]:
    """Waiting messages that have expired."""
    c = outgoing_message.c
    rows = connection.execute(
        select(*_ROW)
        .where(c.state == MessageState.WAITING, c.expires_at <= now)
        .order_by(c.id)
        .with_for_update(skip_locked=True)
    )
    return [OutgoingMessage._make(row) for row in rows]


def attach_link(
    connection: Connection, message: OutgoingMessage, link_id: int, expires_at: float
) -> None:
    """Record the link of a message; its details are kept with the link from now on."""
    connection.execute(
        update(outgoing_message)
        .where(_still(message))
        .values(link_id=link_id, expires_at=expires_at, details={})
    )


def remove(connection: Connection, message: OutgoingMessage) -> None:
    """Delete a message that was sent or is not needed, unless another drain has taken it over."""
    connection.execute(delete(outgoing_message).where(_still(message)))


def put_off(
    connection: Connection, message: OutgoingMessage, due_at: float, *, tries: int, unanswered: int
) -> None:
    """Release the lease, and try again at ``due_at`` (Unix seconds)."""
    connection.execute(
        update(outgoing_message)
        .where(_still(message))
        .values(
            state=MessageState.WAITING,
            due_at=due_at,
            tries=tries,
            unanswered=unanswered,
            lease_until=0.0,
        )
    )


def give_up(
    connection: Connection, message: OutgoingMessage, code: int | None, status: str
) -> bool:
    """Record that a message will not be sent, and delete its address.

    Args:
        code: The reply code of the last try, if there was one.
        status: Its enhanced status code (RFC 3463).

    Returns:
        Whether the caller still held the lease.
    """
    given = connection.execute(
        update(outgoing_message)
        .where(_still(message))
        .values(
            state=MessageState.FAILED,
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
    """Delete the record of failed messages that expired before then (Unix seconds)."""
    c = outgoing_message.c
    connection.execute(
        delete(outgoing_message).where(c.state == MessageState.FAILED, c.expires_at < before)
    )


def forget_address(connection: Connection, email_key: str, uid: int = 0) -> int:
    """Delete the queued messages to an address, and to a subscriber (0: to none).

    Returns:
        The number of messages deleted.
    """
    c = outgoing_message.c
    theirs = c.email_key == email_key
    if uid:
        theirs |= c.subscriber_uid == uid
    return connection.execute(delete(outgoing_message).where(theirs)).rowcount


def release_all(connection: Connection) -> None:
    """Release every lease: in a restored copy, the holders work on the original database."""
    connection.execute(
        update(outgoing_message)
        .where(outgoing_message.c.state == MessageState.SENDING)
        .values(state=MessageState.WAITING, lease_until=0.0)
    )


def is_under_way(connection: Connection, now: float) -> bool:
    """Whether any process may be sending a message right now."""
    c = outgoing_message.c
    query = select(c.id).where(c.state == MessageState.SENDING, c.lease_until > now).limit(1)
    return connection.execute(query).first() is not None


def depth(connection: Connection) -> QueueDepth:
    """The size and age of the queue."""
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
    """Whether the caller still holds the row: a later lease has a greater fence."""
    c = outgoing_message.c
    return and_(c.id == message.id, c.fence == message.fence)
