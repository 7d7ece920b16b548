"""The keys that sign links and hash suppressed addresses."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.errors import InputError, RefusedError
from newsletter.loopback import is_loopback_url

if TYPE_CHECKING:
    from pydantic import SecretStr

    from newsletter.settings.model import Settings

SHORTEST_KEY = 32
"""Bytes: as long as the hashes that the keys go into."""
MAKE_A_KEY = 'python -c "import secrets; print(secrets.token_urlsafe(48))"'


@dataclass(frozen=True, slots=True)
class Keys:
    """Secret bytes.

    ``signing`` signs links, ``old_signing`` keys only verify them. ``suppression`` hashes addresses
    and must never change: under another key nobody would be found suppressed.
    """

    signing: bytes = field(repr=False)
    suppression: bytes = field(repr=False)
    old_signing: tuple[bytes, ...] = field(default=(), repr=False)


def load_keys(settings: Settings, *, live: bool) -> Keys:
    """The keys from the environment; missing ones are generated in ``var/keys.json``.

    Args:
        settings: Where the keys are set.
        live: Whether real subscribers will get what these keys sign. A generated key would be lost
            with this machine, so then only a public URL on loopback may use one.

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
                f"{names} must be set before sending to real subscribers",
                fix=f"use the keys in var/keys.json, or generate each with: {MAKE_A_KEY}",
            )
        path = settings.var / "keys.json"
        if not path.exists():
            _make_keys(path)
        try:
            made = json.loads(path.read_text(encoding="utf-8"))
            given.update({name: made[name].encode() for name in missing})
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise InputError(
                "the keys cannot be read", file=path, fix="restore the file from a backup"
            ) from None
    old = tuple(_secret(key) for key in settings.old_secret_keys)
    for name, key in [*given.items(), *(("old_secret_keys", key) for key in old)]:
        if len(key) < SHORTEST_KEY:
            raise RefusedError(
                f"NEWSLETTER_{name.upper()} is shorter than {SHORTEST_KEY} bytes",
                fix=f"generate one with: {MAKE_A_KEY}",
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


def _secret(value: SecretStr) -> bytes:
    return value.get_secret_value().encode()


def _make_keys(path: Path) -> None:
    """Link a complete file into place: the first of two processes wins, none reads half a file."""
    keys = {name: secrets.token_urlsafe(48) for name in ("secret_key", "suppression_key")}
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".keys-")
    try:
        # Flushed before it has its name: a crash must not leave an empty key file.
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(keys, file)
            file.flush()
            os.fsync(file.fileno())
        Path(path).hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        Path(draft).unlink()
