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
import time
from collections.abc import Collection
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from newsletter.audience.model import LinkAction, LinkToken
from newsletter.audience.tokens import TokenSigner
from newsletter.delivery.compose.transactional import CREATED_AT, TransactionalComposer
from newsletter.delivery.ledger.sending_lock import sending_lock
from newsletter.delivery.model import Delivery, Message, Outcome, WithheldError
from newsletter.errors import NewsletterError, RefusedError, UnavailableError
from newsletter.i18n.catalog import Catalogs
from newsletter.queues import outgoing
from newsletter.queues.outgoing import OutgoingMessage, Scope
from newsletter.transactional.messages import LINK_TOKEN, WELCOME, Messages
from newsletter.transactional.settlement import EndedTry, Settlement
from newsletter.transports.registry import open_transport

if TYPE_CHECKING:
    from newsletter.audience.keys import Keys
    from newsletter.delivery.compose.substitutions import SharedContent, Substitutions
    from newsletter.delivery.model import Transport
    from newsletter.settings.model import Settings
    from newsletter.store.engine import Store

log = logging.getLogger("newsletter.transactional")

AT_ONCE = 8
"""Messages one process sends at a time: a killed one may repeat this many, at most."""
RELAY_WAITS_S = (5.0, 15.0, 60.0)
"""Waits while the relay cannot be reached; nothing is tried meanwhile, however much is due."""
POLL_S = 2.0
"""How soon a message queued by another process is found."""
LEASE_S = 120.0
STOP_S = 20.0
"""How long a stopping process waits for replies to the messages it is sending."""

_KEPT_HERE = frozenset({"outbox", "file", "memory"})
"""Transports that deliver to nobody: each drains only what was queued under it."""


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
        self._settlement = Settlement(store, keys, self._scope)
        self._transport: Transport | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._goodbyes = asyncio.Lock()
        self._under_way: dict[asyncio.Task[EndedTry], OutgoingMessage] = {}
        self._ended: list[EndedTry] = []
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
        taken, ready = await asyncio.to_thread(
            self._settlement.settle_and_take, settled, mine, room, LEASE_S
        )
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
                self._note(ended.error)
                self._unreachable = ended.error
                self._close_transport()
                # One lost relay fails all messages being sent: that counts once.
                if time.monotonic() >= self._resume_at:
                    wait = RELAY_WAITS_S[min(self._relay_losses, len(RELAY_WAITS_S) - 1)]
                    self._relay_losses += 1
                    self._resume_at = time.monotonic() + wait
            elif ended.outcome:
                self._relay_losses, self._unreachable, self._trouble = 0, None, ""

    async def _send(self, message: OutgoingMessage) -> EndedTry:
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
            return EndedTry(message, error=error)
        return EndedTry(message, outcome)

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
                await asyncio.to_thread(
                    self._settlement.settle_and_take, self._ended, (), 0, LEASE_S
                )
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


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
