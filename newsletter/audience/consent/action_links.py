"""Links mailed to an address: pressing the button proves who reads it. Each works once."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from newsletter.audience.address import address_key
from newsletter.audience.model import ActionLink, LinkAction
from newsletter.audience.subscribers import UID_BITS
from newsletter.audience.tables import mailed_link

if TYPE_CHECKING:
    from sqlalchemy import Connection


def make_link(
    connection: Connection,
    action: LinkAction,
    email: str,
    *,
    at: float,
    lifetime: float,
    uid: int = 0,
    details: Mapping[str, Any] | None = None,
) -> ActionLink:
    """Store a request until its button is pressed, and delete expired ones.

    Args:
        connection: A write transaction.
        email: The address the link will be mailed to.
        at: Unix seconds.
        lifetime: Seconds.
        uid: The subscriber it changes; 0 for nobody yet.
        details: JSON values that the action needs.
    """
    # Here and not in a timer: nothing about a stranger is kept longer than the next request.
    connection.execute(delete(mailed_link).where(mailed_link.c.expires_at < at))
    link = ActionLink(
        id=secrets.randbits(UID_BITS),
        action=action,
        email=email,
        subscriber_uid=uid,
        details=details or {},
        created_at=at,
        # Whole seconds, as the token has them.
        expires_at=float(int(at + lifetime)),
    )
    connection.execute(
        insert(mailed_link).values(
            id=link.id,
            action=action,
            email=email,
            email_key=address_key(email),
            subscriber_uid=uid,
            details=dict(link.details),
            created_at=at,
            expires_at=link.expires_at,
        )
    )
    return link


def find_link(connection: Connection, link_id: int, *, used: bool = False) -> ActionLink | None:
    """The request behind an unused link (or, with ``used``, a used one); None if not found."""
    is_used = mailed_link.c.used_at.is_not(None) if used else mailed_link.c.used_at.is_(None)
    query = select(mailed_link).where(mailed_link.c.id == link_id, is_used)
    row = connection.execute(query).first()
    if row is None:
        return None
    return ActionLink(
        row.id,
        LinkAction(row.action),
        row.email,
        row.subscriber_uid,
        row.details,
        row.created_at,
        row.expires_at,
    )


def forget_links(connection: Connection, uid: int) -> None:
    """Delete every link that would change this subscriber.

    Args:
        connection: A write transaction.
        uid: Never 0, which stands for everybody who has yet to join.
    """
    connection.execute(delete(mailed_link).where(mailed_link.c.subscriber_uid == uid))


def redeem(connection: Connection, link_id: int, at: float) -> ActionLink | None:
    """Use a link: of two concurrent attempts, one succeeds.

    Args:
        connection: A write transaction, in which the request is then carried out.

    Returns:
        The request; None if it was used before or deleted.
    """
    link = find_link(connection, link_id)
    # The update decides, not the query before it: another transaction may be between.
    used = connection.execute(
        update(mailed_link)
        .where(mailed_link.c.id == link_id, mailed_link.c.used_at.is_(None))
        .values(used_at=at)
    )
    return link if used.rowcount == 1 else None
