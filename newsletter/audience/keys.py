"""The keys that sign links and hash suppressed addresses."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from newsletter.audience.tables import key_check
from newsletter.errors import InputError, RefusedError
from newsletter.loopback import is_loopback_url
from newsletter.store.upsert import insert_new

if TYPE_CHECKING:
    from pydantic import SecretStr
    from sqlalchemy import Connection

    from newsletter.settings.model import Settings
    from newsletter.store.engine import Store

SHORTEST_KEY = 32
"""Bytes: as long as the hashes that the keys go into."""
MAKE_A_KEY = 'python -c "import secrets; print(secrets.token_urlsafe(48))"'
_CHECK = "suppression"
_SIGNING = "signing"


@dataclass(frozen=True, slots=True)
class Keys:
    """Secret bytes.

    ``signing`` signs links, ``old_signing`` only verifies them. ``suppression`` hashes addresses
    and never changes: under another key nobody would be found suppressed.
    """

    signing: bytes = field(repr=False)
    suppression: bytes = field(repr=False)
    old_signing: tuple[bytes, ...] = field(default=(), repr=False)


def load_keys(settings: Settings, *, live: bool) -> Keys:
    """The keys from the environment; missing ones are made in ``var/keys.json``.

    Args:
        settings: Where the keys are set.
        live: Whether real readers will hold what these keys sign. Then a key made here would
            be lost with this machine, so only a public URL on loopback may use one.

    Raises:
        RefusedError: A key is missing for a live send, or too short.
        InputError: ``var/keys.json`` cannot be read.
    """
    given = {
        "secret_key": _secret(settings.secret_key),
        "suppression_key": _secret(settings.suppression_key),
    }
    missing = [name for name, value in given.items() if not value]
    if missing:
        if live and not is_loopback_url(settings.publication.public_url):
            names = " and ".join(f"NEWSLETTER_{name.upper()}" for name in missing)
            raise RefusedError(
                f"{names} must be set before real readers are written to",
                fix=f"take over those of var/keys.json, or else make each with: {MAKE_A_KEY}",
            )
        made = _made_keys(settings.var)
        given.update({name: made[name] for name in missing})
    old = tuple(_secret(key) for key in settings.old_secret_keys)
    for name, key in [*given.items(), *(("old_secret_keys", key) for key in old)]:
        if len(key) < SHORTEST_KEY:
            raise RefusedError(
                f"NEWSLETTER_{name.upper()} is shorter than {SHORTEST_KEY} bytes",
                fix=f"make one with: {MAKE_A_KEY}",
            )
    return Keys(given["secret_key"], given["suppression_key"], old)


def derive(key: bytes, purpose: bytes, size: int) -> hashlib.blake2b:
    """A keyed hash for one purpose (BLAKE2, RFC 7693): copy it, update it, take its digest.

    Args:
        key: A secret of any length.
        purpose: At most 16 bytes; hashes of different purposes are unrelated.
        size: Bytes of the digest, at most 64.
    """
    return hashlib.blake2b(key=hashlib.blake2b(key).digest(), person=purpose, digest_size=size)


def check_suppression_key(store: Store, keys: Keys, *, dry_run: bool = False) -> None:
    """Hold the suppression key against the one this database was first used with.

    Args:
        store: The database.
        keys: The keys of this run.
        dry_run: On first use, do not yet bind the database to the key.

    Raises:
        RefusedError: It is another key, under which nobody would be found suppressed.
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
    """Hold the signing key against the one that links in this database's mail are signed with.

    A key may be replaced by another that keeps it among the old ones: that one counts from then on.

    Args:
        connection: A write transaction; the first use stores the check value.

    Raises:
        RefusedError: Links signed with the one would not verify under the other.
    """
    value = _signing_value(keys.signing)
    insert_new(connection, key_check, {"name": _SIGNING, "value": value})
    known = _known_check(connection, _SIGNING)
    if known == value:
        return
    if known not in {_signing_value(key) for key in keys.old_signing}:
        raise RefusedError(
            "links in this database's mail are signed with another key: some of them would not "
            "work any more",
            fix="set NEWSLETTER_SECRET_KEY to the one the other processes use; a key that was "
            "replaced belongs in NEWSLETTER_OLD_SECRET_KEYS",
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
            "this database was begun with another suppression key: everyone who left would be "
            "mailed again",
            fix="set NEWSLETTER_SUPPRESSION_KEY to the first one (one made by itself is in "
            "var/keys.json)",
        )


def _secret(value: SecretStr) -> bytes:
    return value.get_secret_value().encode()


def _made_keys(var: Path) -> dict[str, bytes]:
    path = var / "keys.json"
    if not path.exists():
        _make_keys(path)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {name: found[name].encode() for name in ("secret_key", "suppression_key")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise InputError(
            "the keys cannot be read", file=path, fix="restore the file from a backup"
        ) from None


def _make_keys(path: Path) -> None:
    """Link a complete file into place: of two processes the first wins, none reads half a file."""
    keys = {name: secrets.token_urlsafe(48) for name in ("secret_key", "suppression_key")}
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".keys-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(keys, file)
            file.flush()
            os.fsync(file.fileno())
        Path(path).hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        Path(draft).unlink()
