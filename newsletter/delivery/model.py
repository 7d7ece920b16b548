"""The values of a delivery, and the interface of transports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol


class Result(StrEnum):
    """How one attempt at one delivery ended."""

    ACCEPTED = "accepted"
    """The next host took responsibility (RFC 5321 section 4.2.5)."""
    DEFERRED = "deferred"
    """Refused for now; the message was not accepted. Try again later."""
    FAILED = "failed"
    """Refused permanently."""
    UNCERTAIN = "uncertain"
    """The whole message was sent and no reply came: it may or may not have been accepted."""
    RETURNED = "returned"
    """Nothing of the body was sent: requeued, and no attempt is counted."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One recipient of one campaign. ``position`` counts from 1 in the audience snapshot."""

    campaign_id: int
    position: int
    subscriber_uid: int
    email: str
    variant: int
    values: Mapping[str, str]


class Outcome(NamedTuple):
    """What happened to one delivery in one attempt.

    ``code`` is the SMTP reply code or HTTP status, ``status`` the enhanced status code
    (RFC 3463, "5.1.1"), ``reply`` the server's text, at most 500 characters.
    """

    position: int
    result: Result
    code: int | None = None
    status: str = ""
    reply: str = ""


class Origin(NamedTuple):
    """The chunk of a journal. ``created_at`` is its campaign's, and tells databases apart."""

    campaign_id: int
    created_at: float
    chunk_id: int


class Message(NamedTuple):
    """One message ready to be sent: CRLF lines, 7 bit, dot-stuffing never needed."""

    mail_from: str
    rcpt_to: str
    data: bytes


class WithheldError(Exception):
    """This delivery must not be begun anymore: it is `Result.RETURNED`."""


class Compose(Protocol):
    """Turns a delivery into its message. Pure, and cheap enough to call just before the write."""

    def __call__(self, delivery: Delivery) -> Message:
        """Compose the message of one delivery.

        Raises:
            WithheldError: Sending was stopped meanwhile; the transport continues with the others.
        """
        ...


class Journal(Protocol):
    """Evidence for after a crash; each call is on disk (not necessarily synced) on return.

    A transport calls `begun` just before the first byte of a body, `replied` when its final
    reply came; `begun` again only after a reply that says that nothing was accepted. A call that
    raises stops the sending: `Transport.deliver` raises, now or at its next call.
    """

    def begun(self, position: int) -> None:
        """The body of this position is about to be written."""
        ...

    def replied(self, outcome: Outcome) -> None:
        """The final reply to this position came."""
        ...


class Transport(Protocol):
    """Sends messages. One batch may be under way while the next is handed over.

    ``batch``: the best number to hand over at once, to fill a provider's calls; 0 if messages are
    sent one by one, and the number that leaves in half a second is best.
    """

    batch: int

    async def deliver(
        self, batch: Sequence[Delivery], compose: Compose, journal: Journal
    ) -> list[Outcome]:
        """Deliver a batch.

        Returns:
            Exactly one outcome per delivery, in any order.

        Raises:
            UnavailableError: The transport cannot be reached or refuses us altogether (for
                example, the login is wrong). Then *nothing* of the batch was sent.
        """
        ...

    def recall(self) -> None:
        """Return at once whatever is not begun, of every batch under way.

        Called about once a second while sending is being stopped, so that nobody waits for a
        server that does not answer, or for the next try.
        """
        ...

    async def close(self) -> None:
        """End sessions properly (QUIT) and release everything."""
        ...
