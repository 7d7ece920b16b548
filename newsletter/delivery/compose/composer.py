"""Compose messages: what all recipients share is encoded once; only slots are filled for each."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache, lru_cache
from typing import Protocol

from newsletter.audience.model import Token, TokenPurpose
from newsletter.delivery.compose.headers import list_phrase, mailbox_header, raw_header, text_header
from newsletter.delivery.compose.quoted_printable import SOFT_BREAK, encode_slot, encode_text
from newsletter.delivery.compose.substitutions import (
    SharedContent,
    Substitutions,
    slot_key,
    with_keys,
)
from newsletter.delivery.message_id import campaign_tag, local_part
from newsletter.delivery.model import Delivery, Message
from newsletter.dns_checks.domains import ascii_domain
from newsletter.errors import InputError
from newsletter.render.model import (
    UNSUBSCRIBE_TOKEN,
    CompiledIssue,
    Part,
    Sender,
    Slot,
    SlotKind,
    Variant,
)
from newsletter.render.slots import encode_value

_ADDRESS = re.compile(r'[^\s\x00-\x20\x7f<>(),:;"\\\[\]@]+@[^\s\x00-\x20\x7f<>(),:;"\\\[\]@]+')
_PART = (
    b'\r\n--%b\r\nContent-Type: text/%b; charset="utf-8"\r\n'
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
)

Values = Mapping[str, str]
Fill = Callable[[Values], bytes]
_TO, _ID, _TOKEN = "\0to", "\0message-id", "\0token"
REMEMBERED = 1000
"""Values of one slot whose encoded form is cached."""
_ONE_CLICK = "List-Unsubscribe=One-Click"


class Signer(Protocol):
    """The part of `newsletter.audience.tokens.TokenSigner` that composing needs."""

    def sign(self, token: Token) -> str:
        """The token for a URL."""
        ...

    def sign_local(self, token: Token) -> str:
        """The token for the local part of an address."""
        ...

    def sign_delivery(self, token: Token, position: int) -> bytes:
        """The MAC for a Message-ID."""
        ...


@dataclass(frozen=True, slots=True)
class _Template:
    """One variant: static pieces with holes between them; equal holes are filled once."""

    pieces: tuple[bytes, ...]
    fills: tuple[tuple[Fill, tuple[int, ...]], ...]

    def fill(self, values: Values) -> bytes:
        pieces = list(self.pieces)
        for fill, places in self.fills:
            piece = fill(values)
            for place in places:
                pieces[place] = piece
        return b"".join(pieces)


class Composer:
    """Composes the messages of one campaign; callable as `newsletter.delivery.model.Compose`.

    It also implements `newsletter.delivery.compose.substitutions.Personalize`, for providers that
    fill the slots themselves.

    Args:
        compiled: The issue.
        signer: Makes the unsubscribe and bounce tokens, and the MACs of Message-IDs.
        bounce_address: Envelope sender, which gets ``+token`` in its local part (VERP); empty
            means the From address.
        proof: Whether tokens are proof tokens, which change nothing.
        campaign_id: The campaign; 0 if there is no campaign.
        date: The Date header in Unix seconds; now by default.
        subject_prefix: Put before every subject.

    Raises:
        InputError: A sender value is not valid in a header.
    """

    def __init__(
        self,
        compiled: CompiledIssue,
        *,
        signer: Signer,
        bounce_address: str,
        proof: bool,
        campaign_id: int,
        date: float | None = None,
        subject_prefix: str = "",
    ) -> None:
        self._compiled = compiled
        self._signer = signer
        self._proof = proof
        self._campaign_id = campaign_id
        self._date = time.time() if date is None else date
        self._subject_prefix = subject_prefix
        self._mail_from = ascii_domain(compiled.sender.from_address)
        local, _, domain = ascii_domain(bounce_address).rpartition("@")
        self._bounce = (f"{local}+", f"@{domain}") if bounce_address else None
        # Secret and the same on every run: readers cannot forge what is derived from it.
        self._seal = signer.sign(self._token(TokenPurpose.BOUNCE, 0))
        self._tag = self._campaign_tag(compiled)
        self._templates = [
            self._template(compiled, index) for index in range(len(compiled.variants))
        ]

    def __call__(self, delivery: Delivery) -> Message:
        """Compose the message of one delivery.

        Raises:
            InputError: The address is not valid in a header; only this delivery fails.
        """
        values = self._values(delivery)
        bounce = self._token(TokenPurpose.BOUNCE, delivery.subscriber_uid)
        values[_ID] = self._message_id(delivery, bounce)
        data = self._templates[delivery.variant].fill(values)
        return Message(self._envelope_sender(bounce), values[_TO], data)

    def shared(self, variant: int) -> SharedContent:
        """The message of a variant, with keys in place of the slots."""
        sender = self._compiled.sender
        parts = self._compiled.variants[variant]
        return SharedContent(
            from_name=sender.from_name,
            from_address=self._mail_from,
            reply_to=ascii_domain(sender.reply_to),
            subject=self._subject_prefix + with_keys(parts.subject, self._seal),
            html=with_keys(parts.html, self._seal),
            text=with_keys(parts.text, self._seal),
        )

    def personal(self, delivery: Delivery) -> Substitutions:
        """The values of the slots for one delivery.

        Raises:
            InputError: The address is not valid in a header; only this delivery fails.
        """
        values = self._values(delivery)
        parts = self._compiled.variants[delivery.variant]
        slots = (slot for part in (parts.subject, parts.html, parts.text) for slot in part.slots)
        substitutions = {
            slot_key(slot, self._seal): encode_value(
                slot.kind, values.get(_value_name(slot), ""), slot.default
            )
            for slot in slots
        }
        return Substitutions(values[_TO], substitutions, self._own_headers(values))

    def _own_headers(self, values: Values) -> Mapping[str, str]:
        """One recipient's headers besides those that a provider writes itself."""
        sender = self._compiled.sender
        return {
            "List-Unsubscribe": f"<{sender.public_url}/u/{values[_TOKEN]}>",
            "List-Unsubscribe-Post": _ONE_CLICK,
            "List-Id": _list_id(sender),
        }

    def _values(self, delivery: Delivery) -> dict[str, str]:
        rcpt_to = ascii_domain(delivery.email)
        # Non-ASCII addresses would need an internationalized message (RFC 6532).
        if not (rcpt_to.isascii() and _ADDRESS.fullmatch(rcpt_to)):
            raise InputError("the address is not valid in a header", fix="correct it in the list")
        token = self._token(TokenPurpose.UNSUBSCRIBE, delivery.subscriber_uid)
        return {
            **delivery.values,
            _TO: rcpt_to,
            _TOKEN: self._signer.sign(token),
        }

    def _token(self, purpose: TokenPurpose, uid: int) -> Token:
        return Token(purpose, self._proof, uid, self._campaign_id)

    def _message_id(self, delivery: Delivery, bounce: Token) -> str:
        mac = self._signer.sign_delivery(bounce, delivery.position)
        return local_part(self._tag, delivery.position, mac)

    def _envelope_sender(self, bounce: Token) -> str:
        if self._bounce is None:
            return self._mail_from
        return self._signer.sign_local(bounce).join(self._bounce)

    def _template(self, compiled: CompiledIssue, index: int) -> _Template:
        variant = compiled.variants[index]
        boundary = f"=_{compiled.digest[:24]}-{index}".encode("ascii")
        pieces: list[bytes | Fill] = [
            *self._headers(compiled),
            *self._subject(variant),
            b'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="%b"\r\n'
            % boundary,
            _PART % (boundary, b"plain"),
            *_body(variant.text),
            _PART % (boundary, b"html"),
            *_body(variant.html),
            b"\r\n--%b--\r\n" % boundary,
        ]
        return _joined(pieces)

    def _headers(self, compiled: CompiledIssue) -> list[bytes | Fill]:
        # Gmail's feedback loop wants 5 to 15 characters that stay the same for one sender.
        sender_id = hashlib.sha256(compiled.sender.list_id.encode()).hexdigest()[:12]
        return [
            *self._who(),
            raw_header("Date", format_datetime(datetime.fromtimestamp(self._date, UTC))),
            *self._message_id_header(),
            *self._way_out(),
            raw_header("Feedback-ID", f"{self._tag}:{compiled.lang}:news:{sender_id}"),
        ]

    def _message_id_header(self) -> list[bytes | Fill]:
        domain = self._mail_from.rpartition("@")[2]
        return [
            b"Message-ID: <",
            lambda values: values[_ID].encode("ascii"),
            f"@{domain}>\r\n".encode("ascii"),
        ]

    def _who(self) -> list[bytes | Fill]:
        sender = self._compiled.sender
        reply_to = sender.reply_to and mailbox_header("Reply-To", "", sender.reply_to)
        return [
            mailbox_header("From", sender.from_name, sender.from_address),
            reply_to or b"",
            b"To: ",
            lambda values: values[_TO].encode(),
            b"\r\n",
        ]

    def _way_out(self) -> list[bytes | Fill]:
        sender = self._compiled.sender
        url = raw_header("List-Unsubscribe", f"<{sender.public_url}/u/")
        return [
            url.removesuffix(b"\r\n"),
            lambda values: values[_TOKEN].encode("ascii"),
            b">\r\n",
            raw_header("List-Unsubscribe-Post", _ONE_CLICK),
            raw_header("List-Id", _list_id(sender)),
        ]

    def _campaign_tag(self, compiled: CompiledIssue) -> str:
        """An opaque name of the campaign: the same on every run, and nobody else can make it."""
        # A new one for each run of proof messages: otherwise mailboxes would discard a second test
        # mail as a duplicate of the first.
        run = repr(self._date) if self._proof else ""
        return campaign_tag(compiled.digest, self._seal, run)

    def _subject(self, variant: Variant) -> list[bytes | Fill]:
        first, *rest = variant.subject.segments
        segments = (self._subject_prefix + first, *rest)
        return [_subject_fill(segments, variant.subject.slots)]


def _list_id(sender: Sender) -> str:
    return f"{list_phrase(sender.list_name)}<{sender.list_id}>"


def _subject_fill(segments: tuple[str, ...], slots: tuple[Slot, ...]) -> bytes | Fill:
    if not slots:
        return text_header("Subject", segments[0])
    names = [_value_name(slot) for slot in slots]

    @lru_cache(maxsize=REMEMBERED)
    def header(given: tuple[str, ...]) -> bytes:
        written = [segments[0]]
        for slot, value, segment in zip(slots, given, segments[1:], strict=True):
            written += (encode_value(slot.kind, value, slot.default), segment)
        return text_header("Subject", "".join(written))

    return lambda values: header(tuple([values.get(name, "") for name in names]))


def _value_name(slot: Slot) -> str:
    return _TOKEN if slot.name == UNSUBSCRIBE_TOKEN else slot.name


def _body(part: Part) -> list[bytes | Fill]:
    """The part's pieces. The last ends without a soft break: there is nothing to join it to."""
    pieces: list[bytes | Fill] = [encode_text(part.segments[0])]
    for slot, segment in zip(part.slots, part.segments[1:], strict=True):
        pieces += (_slot_fill(slot), encode_text(segment))
    last = pieces.pop()
    assert isinstance(last, bytes)  # noqa: S101
    if not last and part.slots:
        pieces[-1] = _slot_fill(part.slots[-1], last=True)
    return [*pieces, last.removesuffix(SOFT_BREAK)]


@cache
def _slot_fill(slot: Slot, *, last: bool = False) -> Fill:
    """The function that fills a slot."""
    name = _value_name(slot)

    def coded(value: str) -> bytes:
        piece = encode_slot(encode_value(slot.kind, value, slot.default))
        return piece.removesuffix(SOFT_BREAK) if last else piece

    # Recipients share names and towns, so their encoding is cached; no two share a token.
    write = coded if slot.kind is SlotKind.TOKEN else lru_cache(maxsize=REMEMBERED)(coded)
    return lambda values: write(values.get(name, ""))


def _joined(pieces: list[bytes | Fill]) -> _Template:
    """Merge adjacent static pieces, and note where the holes are."""
    joined: list[bytes] = [b""]
    places: dict[Fill, tuple[int, ...]] = {}
    for piece in pieces:
        if isinstance(piece, bytes):
            joined[-1] += piece
        else:
            places[piece] = (*places.get(piece, ()), len(joined))
            joined += (b"", b"")
    return _Template(tuple(joined), tuple(places.items()))
