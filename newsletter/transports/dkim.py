"""DKIM signatures (RFC 6376; Ed25519 by RFC 8463), relaxed/relaxed.

The body of every message here is its own relaxed canonical form (see `quoted_printable`), so that
its hash is one pass over the octets as they are. To look for blanks that are not there would take
longer than to hash and to sign with Ed25519.
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
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from newsletter.delivery.model import Compose, Delivery, Journal, Message, Outcome, Transport
from newsletter.dns_checks.dkim_key import load_key, require_signing_key
from newsletter.settings.model import Dkim

SIGNED = (
    *(b"from", b"reply-to", b"to", b"subject", b"date", b"message-id"),
    *(b"mime-version", b"content-type"),
    *(b"list-unsubscribe", b"list-unsubscribe-post", b"list-id", b"feedback-id"),
)
"""Fields that are signed where present. RFC 8058 section 4 wants both of List-Unsubscribe."""
_FIELD = re.compile(rb"([!-9;-~]+):((?:[^\r]|\r\n[ \t])*)\r\n")
_BLANKS = re.compile(rb"[ \t\r\n]+")
_FOLD = 72

Sign = Callable[[bytes], bytes]


class DkimSigner:
    """Puts a signature on top of a message.

    Args:
        domain: Who signs (``d=``), in ASCII.
        selector: Where in DNS the public key stands (``s=``).
        key: A private key: RSA of 2,048 bits or more, or Ed25519.

    Raises:
        InputError: It is another kind of key, or a short one.
    """

    def __init__(self, domain: str, selector: str, key: object) -> None:
        algorithm, self._sign = _method(require_signing_key(key))
        self._domain = f"a={algorithm}; c=relaxed/relaxed; d={domain}; s={selector}".encode("ascii")

    def __call__(self, data: bytes) -> bytes:
        """Sign a message whose body `quoted_printable` encoded; no empty line may end it."""
        head, _, body = data.partition(b"\r\n\r\n")
        fields = dict(_canonical(head + b"\r\n"))
        names = [name for name in SIGNED if name in fields]
        # From is named once more than it occurs: no second one can be added (section 8.15).
        listed = b":".join([*names, b"from"])
        value = b"v=1; %b; t=%d;\r\n h=%b;\r\n bh=%b;\r\n b=" % (
            self._domain,
            int(time.time()),
            listed.replace(b"list-unsubscribe:", b"\r\n list-unsubscribe:", 1),
            base64.b64encode(hashlib.sha256(body).digest()),
        )
        covered = [b"%b:%b\r\n" % (name, fields[name]) for name in names]
        covered.append(b"dkim-signature:" + _relaxed(value))
        signature = base64.b64encode(self._sign(b"".join(covered)))
        lines = [signature[at : at + _FOLD] for at in range(0, len(signature), _FOLD)]
        return b"DKIM-Signature: %b%b\r\n%b" % (value, b"\r\n ".join(lines), data)


def load_signer(settings: Dkim, root: Path) -> DkimSigner:
    """The signer that the settings describe; they must name a domain.

    Args:
        root: Where a relative ``key_file`` starts.

    Raises:
        InputError: The key cannot be read, can be read by others, or is not one to sign with.
    """
    return DkimSigner(settings.domain, settings.selector, load_key(settings, root))


class SigningTransport:
    """Signs what another transport carries; implements `newsletter.delivery.model.Transport`."""

    def __init__(self, transport: Transport, sign: Sign) -> None:
        self.batch = transport.batch
        self._transport = transport
        self._sign = sign

    async def deliver(
        self, batch: Sequence[Delivery], compose: Compose, journal: Journal
    ) -> list[Outcome]:
        """Deliver a batch, signed. Raises: as the transport inside."""

        def signed(delivery: Delivery) -> Message:
            message = compose(delivery)
            return Message(message.mail_from, message.rcpt_to, self._sign(message.data))

        return await self._transport.deliver(batch, signed, journal)

    def recall(self) -> None:
        """Have the transport inside give back what is not begun."""
        self._transport.recall()

    async def close(self) -> None:
        """Close the transport inside."""
        await self._transport.close()


def _method(key: Ed25519PrivateKey | RSAPrivateKey) -> tuple[str, Sign]:
    if isinstance(key, Ed25519PrivateKey):
        return "ed25519-sha256", lambda data: key.sign(hashlib.sha256(data).digest())
    padding, algorithm = PKCS1v15(), SHA256()
    return "rsa-sha256", lambda data: key.sign(data, padding, algorithm)


def _canonical(head: bytes) -> list[tuple[bytes, bytes]]:
    return [(name.lower(), _relaxed(value)) for name, value in _FIELD.findall(head)]


def _relaxed(value: bytes) -> bytes:
    """Section 3.4.2: unfolded, each run of blanks one space, none at either end."""
    return _BLANKS.sub(b" ", value).strip(b" ")
