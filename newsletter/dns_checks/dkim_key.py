"""The private DKIM key: read, and judged fit to sign with."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from newsletter.errors import InputError
from newsletter.settings.model import Dkim

SHORTEST_RSA = 2048
"""Bits (RFC 8301 section 3.2)."""


def load_key(settings: Dkim, root: Path) -> Ed25519PrivateKey | RSAPrivateKey:
    """The private key that the settings name.

    Args:
        root: Where a relative ``key_file`` starts.

    Raises:
        InputError: The key cannot be read, can be read by others, or is not one to sign with.
    """
    try:
        secret = settings.key.get_secret_value()
        pem = secret.encode() if secret else _read_private(root / settings.key_file)
        return require_signing_key(load_pem_private_key(pem, password=None))
    except OSError as error:
        raise InputError(
            f"the DKIM key cannot be read: {error.strerror}", file=root / settings.key_file
        ) from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InputError(
            "the DKIM key is no private key in PEM without a password",
            fix="make one as docs/operating.md says",
        ) from None


def _read_private(path: Path) -> bytes:
    """A key that others can read signs whatever they like in our name; ssh refuses those, too."""
    with path.open("rb") as file:
        found = os.fstat(file.fileno())
        if found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) & 0o077:
            raise InputError(
                "others on this machine can read the DKIM key",
                file=path,
                fix=f"chmod 600 {shlex.quote(str(path))}",
            )
        return file.read()


def require_signing_key(key: object) -> Ed25519PrivateKey | RSAPrivateKey:
    """The key, if it is one to sign with: RSA of 2,048 bits or more, or Ed25519.

    Raises:
        InputError: It is another kind of key, or a short one.
    """
    if isinstance(key, Ed25519PrivateKey):
        return key
    if isinstance(key, RSAPrivateKey) and key.key_size >= SHORTEST_RSA:
        return key
    raise InputError(
        "the DKIM key is neither RSA of 2,048 bits or more nor Ed25519",
        fix="make one as docs/operating.md says",
    )
