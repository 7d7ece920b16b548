"""Stateless tokens for links and envelope senders: signed, scoped, at most 32 characters.

Layout, 24 bytes: kind (1), subscriber uid (8), campaign id (4), MAC (11, so 88 bits). The token of
a mailed link has the link's id and its expiry in Unix seconds (until 2106) instead. In a URL these
are 32 characters of base64url (RFC 4648 section 5); in the local part of an address, 39 characters
of lower-case base32 (section 6), because mail servers may change the case.

A Message-ID has a MAC of its own: over the payload of its bounce token and the position of its
delivery (4 bytes), with a hash that no token shares.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import struct
from typing import TYPE_CHECKING

from newsletter.audience.keys import derive
from newsletter.audience.model import LinkToken, Token, TokenPurpose

if TYPE_CHECKING:
    import hashlib
    from collections.abc import Sequence

    from newsletter.audience.keys import Keys

MAC_BYTES = 11
_KINDS = {
    (purpose, proof): number << 1 | proof
    for number, purpose in enumerate(
        (TokenPurpose.UNSUBSCRIBE, TokenPurpose.BOUNCE, TokenPurpose.CONFIRM), start=1
    )
    for proof in (False, True)
}
_BY_KIND = {kind: meaning for meaning, kind in _KINDS.items()}
_PAYLOAD = struct.Struct(">BQI")
_DELIVERY = struct.Struct(">BQII")
_URL_FORM = re.compile(r"[A-Za-z0-9_-]{32}").fullmatch
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for first in _BASE32 for second in _BASE32]
_SHIFTS = range(190, -1, -10)
_LOCAL_FORM = re.compile(r"[A-Za-z2-7]{39}").fullmatch


class TokenSigner:
    """Makes and verifies tokens. Old keys still verify, so unsubscribe links never expire."""

    def __init__(self, keys: Keys) -> None:
        known = (keys.signing, *keys.old_signing)
        self._states = [derive(key, b"token", MAC_BYTES) for key in known]
        self._state = self._states[0]
        self._delivery_states = [derive(key, b"message-id", MAC_BYTES) for key in known]

    def sign(self, token: Token) -> str:
        """The token as 32 URL-safe characters.

        Raises:
            ValueError: The uid (64 bits) or the campaign id (32 bits) does not fit.
        """
        return base64.urlsafe_b64encode(self._signed(token)).decode()

    def sign_local(self, token: Token) -> str:
        """The token as 39 lower-case characters that survive a change of case.

        Raises:
            ValueError: As `sign`.
        """
        return _to_local(self._signed(token))

    def verify(self, text: str, purpose: TokenPurpose) -> Token | None:
        """The content of a token in either form; None if it is forged or for another purpose."""
        raw = _decode(text)
        if raw is None or not _is_genuine(self._states, raw[:-MAC_BYTES], raw[-MAC_BYTES:]):
            return None
        kind, subscriber_uid, campaign_id = _PAYLOAD.unpack_from(raw)
        meaning = _BY_KIND.get(kind)
        if meaning is None or meaning[0] != purpose:
            return None
        return Token(*meaning, subscriber_uid, campaign_id)

    def sign_ticket(self, ticket: LinkToken) -> str:
        """The token of a mailed link, as 32 URL-safe characters. Raises: as `sign`."""
        return self.sign(Token(TokenPurpose.CONFIRM, False, ticket.link_id, ticket.expires_at))

    def verify_ticket(self, text: str) -> LinkToken | None:
        """The content of a mailed link, expired or not; None if it is malformed or forged."""
        token = self.verify(text, TokenPurpose.CONFIRM)
        if token is None or token.proof:
            return None
        return LinkToken(token.subscriber_uid, token.campaign_id)

    def sign_delivery(self, token: Token, position: int) -> bytes:
        """The MAC by which a Message-ID proves its delivery.

        Args:
            token: The bounce token of that delivery.
            position: The delivery's position in its campaign.

        Raises:
            ValueError: As `sign`, or the position (32 bits) does not fit.
        """
        state = self._delivery_states[0].copy()
        state.update(_delivery_payload(token, position))
        return state.digest()

    def verify_delivery(self, mac: bytes, token: Token, position: int) -> bool:
        """Whether `sign_delivery` made this MAC, under any key. Raises: as `sign_delivery`."""
        return _is_genuine(self._delivery_states, _delivery_payload(token, position), mac)

    def _signed(self, token: Token) -> bytes:
        kind = _KINDS[token.purpose, token.proof]
        try:
            payload = _PAYLOAD.pack(kind, token.subscriber_uid, token.campaign_id)
        except struct.error:
            raise ValueError("the uid or the campaign id does not fit into a token") from None
        state = self._state.copy()
        state.update(payload)
        return payload + state.digest()


def _delivery_payload(token: Token, position: int) -> bytes:
    kind = _KINDS[token.purpose, token.proof]
    try:
        return _DELIVERY.pack(kind, token.subscriber_uid, token.campaign_id, position)
    except struct.error:
        raise ValueError("the uid, the campaign id or the position does not fit") from None


def _is_genuine(states: Sequence[hashlib.blake2b], payload: bytes, mac: bytes) -> bool:
    genuine = False
    for known in states:
        state = known.copy()
        state.update(payload)
        genuine |= hmac.compare_digest(state.digest(), mac)
    return genuine


def _to_local(raw: bytes) -> str:
    # Two characters at a time: a send makes millions, and this takes half as long as base64's.
    bits = int.from_bytes(raw, "big") << 8
    return "".join([_PAIRS[bits >> shift & 1023] for shift in _SHIFTS])[:-1]


def _decode(text: str) -> bytes | None:
    if _URL_FORM(text):
        return base64.urlsafe_b64decode(text)
    if not _LOCAL_FORM(text):
        return None
    try:
        raw = base64.b32decode(text.upper() + "=")
    except binascii.Error:
        return None
    # Three spare bits must be zero, so that each token has exactly one spelling.
    return raw if _to_local(raw) == text.lower() else None
