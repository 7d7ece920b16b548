"""The queue of transactional mail: from the commit of its cause until it has been sent."""

from sqlalchemy import JSON, BigInteger, Column, Double, Index, Integer, String, Table, Text

from newsletter.store.metadata import MANY, metadata

outgoing_message = Table(
    "outgoing_message",
    metadata,
    Column("id", MANY, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("state", String(8), nullable=False),
    Column("transport", String(16), nullable=False),
    Column("email", Text, nullable=False),
    Column("email_key", Text, nullable=False, index=True),
    Column("subscriber_uid", BigInteger, nullable=False, server_default="0", index=True),
    Column("link_id", BigInteger, nullable=False, server_default="0"),
    Column("language", String(35), nullable=False),
    Column("details", JSON, nullable=False, server_default="{}"),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("due_at", Double, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("unanswered", Integer, nullable=False, server_default="0"),
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("lease_until", Double, nullable=False, server_default="0"),
    Column("code", Integer),
    Column("status", String(16), nullable=False, server_default=""),
    Index("ix_outgoing_message_state_due_at", "state", "due_at"),
    sqlite_autoincrement=True,
)
"""A row is ``waiting`` until ``due_at``, then ``sending`` under a fenced lease, and deleted once
the relay has accepted it. A message given up stays for a while as ``failed``, with the ``code`` and
``status`` of the last reply and without the address.

A row contains no link and no token: ``link_id`` names the `mailed_link` whose token is signed when
the message is composed (0: not yet decided whether the address may be mailed). ``tries`` counts the
started tries, and is committed before any byte goes out; ``unanswered`` counts those that the relay
may have accepted without a reply. ``transport`` is the writer's, so that a process that only writes
files does not take mail that is meant to leave.
"""
