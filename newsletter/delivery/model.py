"""What delivering is about: the values that `deliver` owns, and the seam of its transports."""

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
    """Refused for now; the message was not taken. Try later."""
    FAILED = "failed"
    """Refused for good."""
    UNCERTAIN = "uncertain"
    """The whole message went out and no reply came: it may or may not have been taken."""
    RETURNED = "returned"
    """Nothing of the body was sent: put back in the queue, and no attempt is counted."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One recipient of one campaign. ``position`` counts from 1 in the frozen audience."""

    campaign_id: int
    position: int
    subscriber_uid: int
    email: str
    variant: int
    values: Mapping[str, str]


class Outcome(NamedTuple):
    """What happened to one delivery in one attempt.

    ``code`` is the SMTP reply code or HTTP status, ``status`` the enhanced status code
    (RFC 3463, "5.1.1"), ``reply`` what the other side said, at most 500 characters.
    """

    position: int
    result: Result
    code: int | None = None
    status: str = ""
    reply: str = ""


class Origin(NamedTuple):
    """Which chunk a journal is about. ``created_at``, its campaign's, tells databases apart."""

    campaign_id: int
    created_at: float
    chunk_id: int


class Message(NamedTuple):
    """One message ready for the wire: CRLF lines, 7 bit, dot-stuffing never needed."""

    mail_from: str
    rcpt_to: str
    data: bytes


class WithheldError(Exception):
    """This delivery is not to be begun any more: it is `Result.RETURNED`."""


class Compose(Protocol):
    """Turns a delivery into its message. Pure, and cheap enough to call just before the write."""

    def __call__(self, delivery: Delivery) -> Message:
        """Compose the message of one delivery.

        Raises:
            WithheldError: Sending was stopped meanwhile; the transport goes on with the others.
        """
        ...


class Journal(Protocol):
    """Evidence for after a crash; each call is on disk (not necessarily synced) on return.

    A transport calls `begun` just before the first byte of a body, `replied` when its final
    reply came; `begun` again only after a reply that says that nothing was taken. A call that
    raises stops the sending: `Transport.deliver` raises, now or at its next call.
    """

    def begun(self, position: int) -> None:
        """The body of this position is about to be written."""
        ...

    def replied(self, outcome: Outcome) -> None:
        """The final reply to this position came."""
        ...


class Transport(Protocol):
    """Carries messages. One batch may be under way while the next is handed over.

    ``batch``: how many are best handed over at once, to fill a provider's calls; 0 where each goes
    by itself, and as many as leave in a moment are best.
    """

    batch: int

    async def deliver(
        self, batch: Sequence[Delivery], compose: Compose, journal: Journal
    ) -> list[Outcome]:
        """Deliver a batch.

        Returns:
            Exactly one outcome per delivery, in any order.

        Raises:
            UnavailableError: The transport cannot be reached or refuses us altogether (wrong
                login, say). Then *nothing* of the batch went out.
        """
        ...

    def recall(self) -> None:
        """Give back at once whatever is not begun, of every batch under way.

        Asked about once a second while a sending is being stopped: nobody waits for a server that
        does not answer, or for a time at which it would.
        """
        ...

    async def close(self) -> None:
        """Finish politely (QUIT) and give everything back."""
        ...
