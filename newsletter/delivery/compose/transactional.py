"""Compose transactional mail: the same parts and slots as campaigns, with other headers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime

from newsletter.audience.model import Token
from newsletter.delivery.compose.composer import Composer, Fill, Signer, Values
from newsletter.delivery.compose.headers import raw_header
from newsletter.delivery.model import Delivery
from newsletter.dns_checks.domains import ascii_domain
from newsletter.render.model import CompiledIssue

CREATED_AT = "\0created_at"
"""The delivery's value that says when the message was requested: Unix seconds, as text."""
_DATE = "\0date"
_AUTOMATIC = ("Auto-Submitted", "auto-generated")
"""RFC 3834 section 5: vacation responders do not answer it."""


class TransactionalComposer(Composer):
    """Composes the messages of one template in one language.

    They belong to no campaign, so bounces go to the plain address, without a token. Date and
    Message-ID are those of the request on every try: a mailbox that receives a message twice,
    because the first reply was lost, can tell that it is the same.

    Args:
        compiled: The message.
        signer: Makes the token that unsubscribes.
        bounce_address: Envelope sender; empty means the From address.
        can_leave: Whether its recipients are on a list, and so receive the headers for one-click
            unsubscribing (RFC 8058).

    Raises:
        InputError: A sender value is not valid in a header.
    """

    def __init__(
        self, compiled: CompiledIssue, *, signer: Signer, bounce_address: str, can_leave: bool
    ) -> None:
        self._can_leave = can_leave
        super().__init__(compiled, signer=signer, bounce_address="", proof=False, campaign_id=0)
        self._return_path = ascii_domain(bounce_address) or self._mail_from

    def _values(self, delivery: Delivery) -> dict[str, str]:
        created = datetime.fromtimestamp(float(delivery.values[CREATED_AT]), UTC)
        return {**super()._values(delivery), _DATE: format_datetime(created)}

    def _message_id(self, delivery: Delivery, _bounce: Token) -> str:
        created = delivery.values[CREATED_AT]
        name = f"{self._compiled.digest} {self._seal} {delivery.position} {created}"
        return hashlib.sha256(name.encode()).hexdigest()[:32]

    def _envelope_sender(self, _bounce: Token) -> str:
        return self._return_path

    def _headers(self, compiled: CompiledIssue) -> list[bytes | Fill]:
        return [
            *self._who(),
            b"Date: ",
            lambda values: values[_DATE].encode("ascii"),
            b"\r\n",
            *self._message_id_header(),
            *(self._way_out() if self._can_leave else []),
            raw_header(*_AUTOMATIC),
        ]

    def _own_headers(self, values: Values) -> Mapping[str, str]:
        way_out = super()._own_headers(values) if self._can_leave else {}
        return {**way_out, _AUTOMATIC[0]: _AUTOMATIC[1]}
