"""DKIM signatures (RFC 6376; Ed25519 by RFC 8463), relaxed/relaxed.

Every body here already is in relaxed canonical form (see `quoted_printable`), so it is hashed in
one pass as it is. Canonicalizing it would take longer than hashing it and signing with Ed25519.
"""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from newsletter.delivery.model import Compose, Delivery, Journal, Message, Outcome, Transport
from newsletter.dns_checks.dkim_key import load_key, require_signing_key
from newsletter.settings.model import Dkim

SIGNED = (
    *(b"from", b"reply-to", b"to", b"subject", b"date", b"message-id"),
    *(b"mime-version", b"content-type"),
    *(b"list-unsubscribe", b"list-unsubscribe-post", b"list-id", b"feedback-id"),
)
"""Fields signed if present. RFC 8058 section 4 requires both List-Unsubscribe fields."""
_FIELD = re.compile(rb"([!-9;-~]+):((?:[^\r]|\r\n[ \t])*)\r\n")
_BLANKS = re.compile(rb"[ \t\r\n]+")
_FOLD = 72
"""Characters of the signature per line."""

Sign = Callable[[bytes], bytes]


class DkimSigner:
    """Adds a signature to a message.

    Args:
        domain: The signing domain (``d=``), in ASCII.
        selector: The name of the public key in DNS (``s=``).
        key: A private key: RSA with at least 2,048 bits, or Ed25519.

    Raises:
        InputError: The key is of another kind, or too short.
    """

    def __init__(self, domain: str, selector: str, key: object) -> None:
        private = require_signing_key(key)
        self._sign: Sign
        if isinstance(private, Ed25519PrivateKey):
            algorithm = "ed25519-sha256"
            # RFC 8463 section 3: Ed25519 signs the hash, not the text.
            self._sign = lambda data: private.sign(hashlib.sha256(data).digest())
        else:
            algorithm = "rsa-sha256"
            padding, digest = PKCS1v15(), SHA256()
            self._sign = lambda data: private.sign(data, padding, digest)
        self._domain = f"a={algorithm}; c=relaxed/relaxed; d={domain}; s={selector}".encode("ascii")

    def __call__(self, data: bytes) -> bytes:
        """Sign a message with a body from `quoted_printable` and no empty lines at its end."""
        head, _, body = data.partition(b"\r\n\r\n")
        fields = {name.lower(): _relaxed(value) for name, value in _FIELD.findall(head + b"\r\n")}
        names = [name for name in SIGNED if name in fields]
        # Section 8.15: naming From once more than it occurs keeps anyone from adding a second one.
        listed = b":".join([*names, b"from"])
        value = b"v=1; %b; t=%d;\r\n h=%b;\r\n bh=%b;\r\n b=" % (
            self._domain,
            int(time.time()),
            # All names on one line would exceed the 78 characters of RFC 5322.
            listed.replace(b"list-unsubscribe:", b"\r\n list-unsubscribe:", 1),
            base64.b64encode(hashlib.sha256(body).digest()),
        )
        covered = [b"%b:%b\r\n" % (name, fields[name]) for name in names]
        covered.append(b"dkim-signature:" + _relaxed(value))
        signature = base64.b64encode(self._sign(b"".join(covered)))
        lines = [signature[at : at + _FOLD] for at in range(0, len(signature), _FOLD)]
        return b"DKIM-Signature: %b%b\r\n%b" % (value, b"\r\n ".join(lines), data)


def load_signer(settings: Dkim, root: Path) -> DkimSigner:
    """Return the signer for settings that name a domain.

    Args:
        settings: The section ``dkim``.
        root: The folder that a relative ``key_file`` starts from.

    Raises:
        InputError: The key cannot be read, can be read by other users, or cannot sign.
    """
    return DkimSigner(settings.domain, settings.selector, load_key(settings, root))


class SigningTransport:
    """Signs the mail of another transport; implements `newsletter.delivery.model.Transport`."""

    def __init__(self, transport: Transport, sign: Sign) -> None:
        self.batch = transport.batch
        self._transport = transport
        self._sign = sign

    async def deliver(
        self, batch: Sequence[Delivery], compose: Compose, journal: Journal
    ) -> list[Outcome]:
        """Deliver a batch, signed.

        Raises:
            Exception: Whatever the inner transport raises.
        """

        def signed(delivery: Delivery) -> Message:
            message = compose(delivery)
            return Message(message.mail_from, message.rcpt_to, self._sign(message.data))

        return await self._transport.deliver(batch, signed, journal)

    def recall(self) -> None:
        """Have the inner transport return what it has not begun."""
        self._transport.recall()

    async def close(self) -> None:
        """Close the inner transport."""
        await self._transport.close()


def _relaxed(value: bytes) -> bytes:
    # Section 3.4.2: unfolded, each run of blanks one space, none at either end.
    return _BLANKS.sub(b" ", value).strip(b" ")
