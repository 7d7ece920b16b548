"""Drains the queue of transactional mail: leases messages, sends them, and settles them.

The serving process drains, and so does every worker; leases keep two from sending one message at
once. A message leaves the queue when the relay has accepted it. If anything goes wrong before (a
kill, a power failure, a relay that is down or silent), it stays in the table and is sent later:
everybody who was told that mail is on its way gets it, and gets it twice only if the relay accepted
the first and its reply was lost.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from newsletter.audience.consent.action_links import find_link, make_link
from newsletter.audience.consent.double_opt_in import may_be_asked
from newsletter.audience.consent.preferences import gets_mail, reader
from newsletter.audience.model import LinkAction, LinkToken
from newsletter.audience.tokens import TokenSigner
from newsletter.delivery.compose.transactional import CREATED_AT, TransactionalComposer
from newsletter.delivery.ledger.sending_lock import sending_lock
from newsletter.delivery.model import Delivery, Message, Outcome, Result, WithheldError
from newsletter.errors import NewsletterError, RefusedError, UnavailableError
from newsletter.i18n.catalog import Catalogs
from newsletter.queues import outgoing
from newsletter.queues.outgoing import OutgoingMessage, Scope
from newsletter.transactional.limits import (
    CONFIRMATIONS,
    LINK_BY_READER,
    give_back,
    mailbox_of,
    take_all,
)
from newsletter.transactional.messages import LINK_TOKEN, WELCOME, Messages
from newsletter.transports.registry import open_transport

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from newsletter.audience.keys import Keys
    from newsletter.delivery.compose.substitutions import SharedContent, Substitutions
    from newsletter.delivery.model import Transport
    from newsletter.settings.model import Settings
    from newsletter.store.engine import Store

log = logging.getLogger("newsletter.transactional")

LIFETIME_S = 48 * 3600.0
"""How long a mailed link is valid, and how long a message is worth sending."""
AT_ONCE = 8
"""Messages one process sends at a time: a killed one may repeat this many, at most."""
WAITS_S = (5.0, 30.0, 120.0, 900.0)
"""Approximate waits before each further try: greylisting servers accept after 1 to 15 minutes.
Later waits double up to `LONGEST_WAIT_S`."""
LONGEST_WAIT_S = 4 * 3600.0
UNANSWERED_WAIT_S = 120.0
MOST_UNANSWERED = 3
"""A relay that accepts messages without replying (RFC 1047) must not flood their readers."""
RELAY_WAITS_S = (5.0, 15.0, 60.0)
"""Waits while the relay cannot be reached; nothing is tried meanwhile, however much is due."""
POLL_S = 2.0
"""How soon a message queued by another process is found."""
LEASE_S = 120.0
STOP_S = 20.0
"""How long a stopping process waits for replies to the messages it is sending."""
FAILED_KEPT_S = 30 * 86_400.0
"""How long the record of a failed message is kept."""

_STRANGERS = frozenset({LinkAction.JOIN, LinkAction.ADDRESS})
"""Mailed to an address that nobody has confirmed yet."""
_KEPT_HERE = frozenset({"outbox", "file", "memory"})
"""Transports that deliver to nobody: each drains only what was queued under it."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """How one try ended; ``error`` if the transport was not reached."""

    message: OutgoingMessage
    outcome: Outcome | None = None
    error: Exception | None = None


class Drain:
    """Drains the queue of one database over the configured transport.

    Args:
        store: The database.
        keys: To sign links and hash addresses.
        settings: The publication, its templates and its transport.
    """

    def __init__(self, store: Store, keys: Keys, settings: Settings) -> None:
        self._store = store
        self._keys = keys
        self._settings = settings
        self._signer = TokenSigner(keys)
        languages = Catalogs(settings.templates / "locale", settings.publication.language)
        self._messages = Messages(settings, languages, self._signer)
        self._scope = Scope(
            kinds=(*LinkAction, WELCOME),
            # A trial run that only writes files must not swallow mail meant to be delivered.
            transport=settings.transport if settings.transport in _KEPT_HERE else "",
            alone=store.is_sqlite,
        )
        self._transport: Transport | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._goodbyes = asyncio.Lock()
        self._under_way: dict[asyncio.Task[_Ended], OutgoingMessage] = {}
        self._ended: list[_Ended] = []
        self._woken = asyncio.Event()
        self._lease = _Lease()
        self._due_in = 0.0
        self._unreachable: UnavailableError | None = None
        self._relay_losses = 0
        self._resume_at = 0.0
        self._trouble = ""

    async def wake(self) -> None:
        """Check the queue now: something was added to it."""
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Drain until stopped; then finish the messages being sent, and leave the rest queued.

        Problems are logged once and waited out: the process has other work to do.
        """
        while not stop.is_set():
            with ExitStack() as stack:
                try:
                    await asyncio.to_thread(stack.enter_context, self._lock())
                except RefusedError:
                    # Another process drains this SQLite file; it may end at any time.
                    await _pause(stop, POLL_S)
                except UnavailableError as error:
                    self._note(error)
                    await _pause(stop, RELAY_WAITS_S[-1])
                else:
                    await self._drain(stop, until_empty=False)

    async def once(self) -> None:
        """Send what is due, then return; at once if another process drains.

        Raises:
            UnavailableError: The relay or the database cannot be reached.
            NewsletterError: The keys are not this database's.
        """
        with ExitStack() as stack, suppress(RefusedError):
            await asyncio.to_thread(stack.enter_context, self._lock())
            await self._drain(asyncio.Event(), until_empty=True)

    def _lock(self) -> AbstractContextManager[None]:
        """On SQLite, the proof that the process which left something half sent is gone."""
        return sending_lock(self._store, "mailing")

    async def _drain(self, stop: asyncio.Event, *, until_empty: bool) -> None:
        try:
            while not stop.is_set():
                try:
                    more = await self._exchange()
                except NewsletterError as error:
                    # Results are kept, and settled once the database is back.
                    if until_empty:
                        raise
                    self._note(error)
                    self._due_in, more = POLL_S, False
                if more and len(self._under_way) < AT_ONCE:
                    continue
                if not self._under_way:
                    self._close_transport()
                    if until_empty:
                        break
                await self._wait(stop)
        finally:
            await self._finish()
        if until_empty and self._unreachable:
            raise self._unreachable

    async def _exchange(self) -> bool:
        """Settle finished tries, and take what is due, in one transaction.

        Returns:
            Whether there may be more to take.
        """
        now = time.monotonic()
        room = AT_ONCE - len(self._under_way) if now >= self._resume_at else 0
        mine = [message.id for message in self._under_way.values()]
        ageing = bool(mine) and now > self._lease.until - LEASE_S / 2
        if not (self._ended or ageing):
            self._due_in = await asyncio.to_thread(self._look, mine) if room else POLL_S
            if self._due_in > 0:
                return False
        settled = list(self._ended)
        taken, ready = await asyncio.to_thread(self._settle_and_take, settled, mine, room)
        del self._ended[: len(settled)]
        self._lease.until = now + LEASE_S
        # A deferred message may be due before anything that was queried.
        self._due_in = 0.0
        for message in ready:
            self._under_way[asyncio.create_task(self._send(message))] = message
        return taken > 0

    async def _wait(self, stop: asyncio.Event) -> None:
        """Wait until a try has ended, a message is due or was queued, or the drain must stop."""
        signals = [asyncio.create_task(event.wait()) for event in (stop, self._woken)]
        # Never zero: what is due may be leased by another process, and this would spin.
        limit = max(0.02, min(POLL_S, self._due_in))
        if (rest := self._resume_at - time.monotonic()) > 0:
            limit = min(POLL_S, rest)
        try:
            await asyncio.wait(
                {*self._under_way, *signals}, timeout=limit, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for signal in signals:
                signal.cancel()
        self._woken.clear()
        self._take_in_ended()

    def _take_in_ended(self) -> None:
        for task in [task for task in self._under_way if task.done()]:
            del self._under_way[task]
            ended = task.result()
            self._ended.append(ended)
            if isinstance(ended.error, UnavailableError):
                self._rest(ended.error)
            elif ended.outcome:
                self._relay_losses, self._unreachable, self._trouble = 0, None, ""

    def _rest(self, error: UnavailableError) -> None:
        """Pause for a while. One lost relay may fail all messages at once: that counts once."""
        self._note(error)
        self._unreachable = error
        self._close_transport()
        if time.monotonic() >= self._resume_at:
            wait = RELAY_WAITS_S[min(self._relay_losses, len(RELAY_WAITS_S) - 1)]
            self._relay_losses += 1
            self._resume_at = time.monotonic() + wait

    async def _send(self, message: OutgoingMessage) -> _Ended:
        """Try once. Never raises: one message that cannot be sent must not stop the others."""
        try:
            composer = await asyncio.to_thread(
                self._messages.composer,
                message.kind,
                message.language,
                message.details.get("lists", ()),
            )
            values = {CREATED_AT: repr(message.created_at)}
            if message.link_id:
                token = LinkToken(message.link_id, int(message.expires_at))
                values[LINK_TOKEN] = self._signer.sign_ticket(token)
            delivery = Delivery(0, message.id, message.subscriber_uid, message.email, 0, values)
            if self._transport is None:
                folder = self._settings.var / "outbox" / "letters"
                self._transport = open_transport(self._settings, folder)
            compose = _WhileLeased(composer, self._lease)
            (outcome,) = await self._transport.deliver([delivery], compose, _QueueIsJournal())
        except Exception as error:
            return _Ended(message, error=error)
        return _Ended(message, outcome)

    async def _finish(self) -> None:
        """Wait for the replies to messages being sent, and leave the rest to the next drain."""
        give_up = time.monotonic() + STOP_S
        while self._under_way and time.monotonic() < give_up:
            if self._transport:
                self._transport.recall()
            await asyncio.wait(self._under_way, timeout=1.0)
            self._take_in_ended()
        for task in self._under_way:
            # It may have been sent: its lease stays until it expires or this process has ended.
            task.cancel()
        self._under_way.clear()
        try:
            if self._ended:
                await asyncio.to_thread(self._settle_and_take, self._ended, (), 0)
        except NewsletterError as error:
            self._note(error)
        self._ended.clear()
        self._close_transport()
        if self._closing:
            await asyncio.wait(self._closing, timeout=STOP_S)

    def _close_transport(self) -> None:
        """Close in the background: the next message need not wait for the reply to QUIT."""
        if self._transport:
            task = asyncio.create_task(self._close(self._transport))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
            self._transport = None

    async def _close(self, transport: Transport) -> None:
        # One at a time, since two may write to one file. Errors do not matter: results are known.
        async with self._goodbyes:
            with suppress(NewsletterError, OSError):
                await transport.close()

    def _note(self, error: NewsletterError) -> None:
        """Log a problem once, however often it occurs."""
        if error.message != self._trouble:
            log.warning("messages are waiting: %s", error.message)
        self._trouble = error.message

    def _look(self, mine: Collection[int]) -> float:
        """Seconds until something is due; zero or less: it is due now."""
        with self._store.read() as connection:
            now = self._store.now(connection)
            due = outgoing.next_due(connection, now, self._scope, mine)
        return POLL_S if due is None else due - now

    def _settle_and_take(
        self, ended: Sequence[_Ended], mine: Collection[int], room: int
    ) -> tuple[int, list[OutgoingMessage]]:
        """Settle, clean up, and take up to ``room`` messages.

        Returns:
            The number taken, and those of them that may be sent.
        """
        with self._store.write() as connection:
            now = self._store.now(connection)
            for each in ended:
                self._settle(connection, each, now)
            if mine:
                outgoing.keep(connection, mine, now + LEASE_S)
            for message in outgoing.stranded(connection, now, self._scope, mine):
                # At once the first time; then with a wait, since this message may be the cause.
                wait = _wait_s(message.tries - 1) if message.tries > 1 else 0.0
                self._put_off(connection, message, now + wait)
            for message in outgoing.expired(connection, now):
                self._give_up(connection, message, None)
            outgoing.forget_failed(connection, now - FAILED_KEPT_S)
            taken = outgoing.take_due(connection, now, self._scope, count=room, lease_s=LEASE_S)
            admitted = [self._admit(connection, message, now) for message in taken]
            return len(taken), [message for message in admitted if message]

    def _admit(
        self, connection: Connection, message: OutgoingMessage, now: float
    ) -> OutgoingMessage | None:
        """The message to send; None if it must not be sent, or is useless by now.

        Whether an unconfirmed address may be mailed is decided here, after the visitor was
        answered: the answer and the time it takes are the same for every address.
        """
        if message.kind == WELCOME:
            good = self._is_current(connection, message)
        elif message.kind in _STRANGERS and not may_be_asked(connection, message.email, self._keys):
            good = False
        elif message.link_id:
            good = find_link(connection, message.link_id) is not None
        else:
            return self._first_time(connection, message, now)
        if not good:
            outgoing.remove(connection, message)
        return message if good else None

    def _is_current(self, connection: Connection, message: OutgoingMessage) -> bool:
        """Whether the subscriber still gets mail, and at this address."""
        person = reader(connection, message.subscriber_uid)
        at_home = person is not None and person.email_key == message.email_key
        return at_home and gets_mail(connection, message.subscriber_uid)

    def _first_time(
        self, connection: Connection, message: OutgoingMessage, now: float
    ) -> OutgoingMessage | None:
        """Count the message and create its link: both are committed together, or neither."""
        who = mailbox_of(message.email_key)
        if not take_all(connection, CONFIRMATIONS, who, self._keys, now):
            outgoing.remove(connection, message)
            return None
        link = make_link(
            connection,
            LinkAction(message.kind),
            message.email,
            at=message.created_at,
            lifetime=now - message.created_at + LIFETIME_S,
            uid=message.subscriber_uid,
            details=message.details,
        )
        outgoing.attach_link(connection, message, link.id, link.expires_at)
        return replace(message, link_id=link.id, expires_at=link.expires_at, details={})

    def _settle(self, connection: Connection, ended: _Ended, now: float) -> None:
        message, outcome = ended.message, ended.outcome
        result = outcome.result if outcome else None
        if result is Result.ACCEPTED:
            outgoing.remove(connection, message)
        elif result is Result.FAILED:
            self._give_up(connection, message, outcome)
        elif result is Result.UNCERTAIN and message.unanswered + 1 >= MOST_UNANSWERED:
            # It may well have arrived, so it counts: its reader need not ask again.
            outgoing.give_up(connection, message, None, "")
            log.error(
                "gave up on a message: the relay does not reply", extra={"kind": message.kind}
            )
        elif result is Result.UNCERTAIN:
            message = replace(message, unanswered=message.unanswered + 1)
            wait = max(UNANSWERED_WAIT_S, _wait_s(message.tries))
            self._put_off(connection, message, now + wait)
        elif result is Result.RETURNED or isinstance(ended.error, UnavailableError):
            # Nothing was sent, and not because of this message: the try does not count.
            self._put_off(connection, replace(message, tries=message.tries - 1), now)
        else:
            if ended.error:
                log.error("a message cannot be sent: %s", _words(ended.error))
            self._put_off(connection, message, now + _wait_s(message.tries))

    def _put_off(self, connection: Connection, message: OutgoingMessage, due_at: float) -> None:
        outgoing.put_off(
            connection, message, due_at, tries=message.tries, unanswered=message.unanswered
        )

    def _give_up(
        self, connection: Connection, message: OutgoingMessage, outcome: Outcome | None
    ) -> None:
        """Record the failure; a message that was never sent does not count against a limit."""
        code, status = (outcome.code, outcome.status) if outcome else (None, "")
        if not outgoing.give_up(connection, message, code, status):
            return
        facts = {"kind": message.kind, "tries": message.tries, "code": code, "status": status}
        log.error("gave up on a message", extra=facts)
        if message.kind in _STRANGERS and message.link_id:
            for limit in CONFIRMATIONS:
                give_back(connection, limit, mailbox_of(message.email_key), self._keys)
        elif message.link_id:
            give_back(connection, LINK_BY_READER, str(message.subscriber_uid), self._keys)


@dataclass(slots=True)
class _Lease:
    """Until when (monotonic seconds) no other process may send the leased messages."""

    until: float = 0.0


@dataclass(frozen=True, slots=True)
class _WhileLeased:
    """Composes while the lease lasts: a message that others may have taken is not started."""

    composer: TransactionalComposer
    lease: _Lease

    def __call__(self, delivery: Delivery) -> Message:
        """The message, just before its first byte goes out."""
        if time.monotonic() > self.lease.until:
            raise WithheldError
        return self.composer(delivery)

    def shared(self, variant: int) -> SharedContent:
        """The shared content, for a provider that writes the headers itself."""
        return self.composer.shared(variant)

    def personal(self, delivery: Delivery) -> Substitutions:
        """The substitutions of one recipient."""
        return self.composer.personal(delivery)


class _QueueIsJournal:
    """No journal is needed: tries are committed before, and unanswered ones are repeated."""

    def begun(self, position: int) -> None:
        """Nothing to keep."""

    def replied(self, outcome: Outcome) -> None:
        """Nothing to keep."""


def _wait_s(tries: int) -> float:
    """Seconds until the next try; randomized, so that not all come back together."""
    more = tries - len(WAITS_S)
    usual = WAITS_S[tries - 1] if more <= 0 else min(WAITS_S[-1] * 2**more, LONGEST_WAIT_S)
    return usual * random.uniform(0.9, 1.1)  # noqa: S311


def _words(error: Exception) -> str:
    """Our own errors are safe to log; others may quote personal data."""
    return error.message if isinstance(error, NewsletterError) else type(error).__name__


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
