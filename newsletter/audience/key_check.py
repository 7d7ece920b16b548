"""Checks that the keys are a database's own: under others, nobody would be found suppressed."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from newsletter.audience.keys import Keys, derive
from newsletter.audience.tables import key_check
from newsletter.errors import RefusedError
from newsletter.store.upsert import insert_new

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from newsletter.store.engine import Store

_CHECK = "suppression"
_SIGNING = "signing"


def check_suppression_key(store: Store, keys: Keys, *, dry_run: bool = False) -> None:
    """Compare the suppression key with the one this database was first used with.

    Args:
        store: The database.
        keys: The keys of this run.
        dry_run: Do not bind the database to the key on first use.

    Raises:
        RefusedError: It is another key: under it, nobody would be found suppressed.
    """
    with store.read() as connection:
        known = _known_check(connection)
    if known is not None:
        _compare(known, keys)
    elif not dry_run:
        with store.write() as connection:
            check_suppression_key_within(connection, keys)


def check_suppression_key_within(connection: Connection, keys: Keys) -> None:
    """The same within the caller's write transaction; the first use stores the check value."""
    insert_new(connection, key_check, {"name": _CHECK, "value": _check_value(keys)})
    known = _known_check(connection)
    assert known is not None  # noqa: S101
    _compare(known, keys)


def check_signing_key(connection: Connection, keys: Keys) -> None:
    """Compare the signing key with the one that signed the links in this database's mail.

    A key may be replaced by another if it is kept among the old ones; then the new one counts.

    Args:
        connection: A write transaction; the first use stores the check value.

    Raises:
        RefusedError: Links signed with one key would not verify under the other.
    """
    # A hash of the key, not the key: whoever reads the database must not be able to sign links.
    value = _signing_value(keys.signing)
    insert_new(connection, key_check, {"name": _SIGNING, "value": value})
    known = _known_check(connection, _SIGNING)
    if known == value:
        return
    if known not in {_signing_value(key) for key in keys.old_signing}:
        raise RefusedError(
            "links in mail from this database are signed with another key, so some of them would "
            "stop working",
            fix="set NEWSLETTER_SECRET_KEY to the key that the other processes use, and put a "
            "replaced key in NEWSLETTER_OLD_SECRET_KEYS",
        )
    connection.execute(update(key_check).where(key_check.c.name == _SIGNING).values(value=value))


def _signing_value(key: bytes) -> bytes:
    return derive(key, b"signing-check", 32).digest()


def _known_check(connection: Connection, name: str = _CHECK) -> bytes | None:
    query = select(key_check.c.value).where(key_check.c.name == name)
    return connection.execute(query).scalar()


def _check_value(keys: Keys) -> bytes:
    return derive(keys.suppression, b"key-check", 32).digest()


def _compare(known: bytes, keys: Keys) -> None:
    if not hmac.compare_digest(known, _check_value(keys)):
        raise RefusedError(
            "this database was created with another suppression key: everyone who unsubscribed "
            "would be mailed again",
            fix="set NEWSLETTER_SUPPRESSION_KEY to the original key (a generated one is in "
            "var/keys.json)",
        )
