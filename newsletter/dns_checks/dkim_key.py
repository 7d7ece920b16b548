"""The private DKIM key: read, and checked for its fitness to sign."""

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
        InputError: The key cannot be read, can be read by others, or is not fit to sign.
    """
    path = root / settings.key_file
    try:
        pem = settings.key.get_secret_value().encode()
        if not pem:
            with path.open("rb") as file:
                found = os.fstat(file.fileno())
                # Whoever can read it can sign mail in our name; ssh refuses such keys, too.
                if found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) & 0o077:
                    raise InputError(
                        "other users of this machine can read the DKIM key",
                        file=path,
                        fix=f"chmod 600 {shlex.quote(str(path))}",
                    )
                pem = file.read()
        return require_signing_key(load_pem_private_key(pem, password=None))
    except OSError as error:
        raise InputError(f"the DKIM key cannot be read: {error.strerror}", file=path) from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InputError(
            "the DKIM key is not an unencrypted private key in PEM format",
            fix="create one as described in docs/operating.md",
        ) from None


def require_signing_key(key: object) -> Ed25519PrivateKey | RSAPrivateKey:
    """The key, if it is fit to sign: RSA of 2,048 bits or more, or Ed25519.

    Raises:
        InputError: It is another kind of key, or too short.
    """
    if isinstance(key, Ed25519PrivateKey):
        return key
    if isinstance(key, RSAPrivateKey) and key.key_size >= SHORTEST_RSA:
        return key
    raise InputError(
        "the DKIM key is neither RSA of 2,048 bits or more nor Ed25519",
        fix="create one as described in docs/operating.md",
    )
