"""Sends what is owed: takes messages from the queue, hands them to the transport, settles them.

The serving process drains, and so does every worker; a message is leased, so that no two send it
at once. It leaves the queue when the relay has said that it took it. Whatever comes before that
moment (a kill, a power failure, a relay that is away or says nothing) leaves it in the table, and
it is sent later: everybody who was told that mail is on its way gets it, and gets it twice only
where the relay took the first and its reply was lost.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Sequence
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
from newsletter.transactional.lifecycle import Ended, admit, settle, tidy
from newsletter.transactional.messages import LINK_TOKEN, WELCOME, Messages
from newsletter.transports.registry import open_transport

if TYPE_CHECKING:
    from newsletter.audience.keys import Keys
    from newsletter.delivery.compose.substitutions import SharedContent, Substitutions
    from newsletter.delivery.model import Transport
    from newsletter.settings.model import Settings
    from newsletter.store.engine import Store

log = logging.getLogger("newsletter.transactional")

AT_ONCE = 8
"""Messages under way in one process: what a killed one may send a second time, at most."""
RELAY_WAITS_S = (5.0, 15.0, 60.0)
"""While the relay cannot be reached, nothing else is tried, however much is due."""
POLL_S = 2.0
"""How soon a message is found that another process wrote."""
LEASE_S = 120.0
STOP_S = 20.0
"""How long a process that is stopped waits for replies to what is under way."""
_KEPT_HERE = frozenset({"outbox", "file", "memory"})
"""Transports whose mail leaves for nobody: each takes only what was asked for under it."""


class Drain:
    """Drains the queue of one database over the transport that the settings name.

    Args:
        store: The database.
        keys: Sign links, and hash addresses.
        settings: The publication, its templates and its transport.
    """

    def __init__(self, store: Store, keys: Keys, settings: Settings) -> None:
        self._store = store
        self._keys = keys
        self._settings = settings
        self._signer = TokenSigner(keys)
        languages = Catalogs(settings.templates / "locale", settings.publication.language)
        self.messages = Messages(settings, languages, self._signer)
        self._scope = Scope(
            kinds=(*LinkAction, WELCOME),
            # A trial that only writes files must not swallow mail that was meant to leave.
            transport=settings.transport if settings.transport in _KEPT_HERE else "",
            alone=store.is_sqlite,
        )
        self._transport: Transport | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._goodbyes = asyncio.Lock()
        self._under_way: dict[asyncio.Task[Ended], OutgoingMessage] = {}
        self._ended: list[Ended] = []
        self._woken = asyncio.Event()
        self._lease = _Lease()
        self._due_in = 0.0
        self._unreachable: UnavailableError | None = None
        self._relay_losses = 0
        self._resume_at = 0.0
        self._trouble = ""

    async def wake(self) -> None:
        """Look into the queue now: something was written to it."""
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Drain until stopped; then what is under way is finished, and the rest stays where it is.

        Trouble is logged, once, and waited out: the process around it has other work to do.
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
        """Send what is due, and end; at once where another process drains.

        Raises:
            UnavailableError: The relay or the database is out of reach.
            NewsletterError: The keys are not this database's.
        """
        with ExitStack() as stack:
            try:
                await asyncio.to_thread(stack.enter_context, self._lock())
            except RefusedError:
                return
            await self._drain(asyncio.Event(), until_empty=True)

    def _lock(self) -> AbstractContextManager[None]:
        """On SQLite, the proof that whoever left something half sent is gone."""
        return sending_lock(self._store, "mailing")

    async def _drain(self, stop: asyncio.Event, *, until_empty: bool) -> None:
        try:
            while not stop.is_set():
                try:
                    more = await self._exchange()
                except Exception as error:
                    if until_empty:
                        raise
                    # Whatever it is, pages go on being served, and so must this. What has ended
                    # is kept, and settled once the database is back.
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
        """Settle what has ended, and take what is due, in one transaction.

        Returns:
            Whether there may be more to take.
        """
        now = time.monotonic()
        # A commit costs as much as a message: each round is one, however much has ended.
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
        # What was put off may be due before anything that was looked at.
        self._due_in = 0.0
        for message in ready:
            self._under_way[asyncio.create_task(self._send(message))] = message
        return taken > 0

    async def _wait(self, stop: asyncio.Event) -> None:
        """Until something has ended, is due, was written, or is to be stopped."""
        signals = [asyncio.create_task(event.wait()) for event in (stop, self._woken)]
        # Never at once: what is due may be in the hands of another process.
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
            if ended.outcome:
                self._relay_losses, self._unreachable, self._trouble = 0, None, ""
            elif isinstance(ended.error, UnavailableError):
                self._note(ended.error)
                self._unreachable = ended.error
                self._close_transport()
                # One loss fails everything under way; it counts once.
                if time.monotonic() >= self._resume_at:
                    last = len(RELAY_WAITS_S) - 1
                    wait = RELAY_WAITS_S[min(self._relay_losses, last)]
                    self._relay_losses += 1
                    self._resume_at = time.monotonic() + wait

    async def _send(self, message: OutgoingMessage) -> Ended:
        """Try once. It never raises: one message that cannot be sent must not stop the others."""
        try:
            composer = await asyncio.to_thread(
                self.messages.composer,
                message.kind,
                message.language,
                message.details.get("lists", ()),
            )
            values = {CREATED_AT: repr(message.created_at)}
            if message.link_id:
                token = LinkToken(message.link_id, int(message.expires_at))
                values[LINK_TOKEN] = self._signer.sign_ticket(token)
            delivery = Delivery(0, message.id, message.subscriber_uid, message.email, 0, values)
            # One for all that is under way: its connections are kept while there is more to send.
            if self._transport is None:
                folder = self._settings.var / "outbox" / "transactional"
                self._transport = open_transport(self._settings, folder)
            compose = _WhileLeased(composer, self._lease)
            (outcome,) = await self._transport.deliver([delivery], compose, _QueueIsJournal())
        except Exception as error:
            return Ended(message, error=error)
        return Ended(message, outcome)

    async def _finish(self) -> None:
        """Wait for the replies to what is under way, and leave the rest to whoever drains next."""
        give_up = time.monotonic() + STOP_S
        while self._under_way and time.monotonic() < give_up:
            if self._transport:
                self._transport.recall()
            await asyncio.wait(self._under_way, timeout=1.0)
            self._take_in_ended()
        for task in self._under_way:
            # It may have gone: its lease stays until it has run out, or this process has ended.
            task.cancel()
        self._under_way.clear()
        try:
            if self._ended:
                await asyncio.to_thread(self._settle_and_take, self._ended, (), 0)
        except Exception as error:
            # The leases run out, and others send it again: better twice than never.
            self._note(error)
        self._ended.clear()
        self._close_transport()
        if self._closing:
            await asyncio.wait(self._closing, timeout=STOP_S)

    def _close_transport(self) -> None:
        """Say goodbye on the side: what is due next need not wait for the answer to that."""
        if self._transport:
            task = asyncio.create_task(self._close(self._transport))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
            self._transport = None

    async def _close(self, transport: Transport) -> None:
        # One after the other, since two may write to one file. How each message ended is known.
        async with self._goodbyes:
            with suppress(NewsletterError, OSError):
                await transport.close()

    def _note(self, error: Exception) -> None:
        """Log a trouble once, however often it is met."""
        ours = isinstance(error, NewsletterError)
        told = str(error) if ours else type(error).__name__
        if told != self._trouble:
            log.warning("messages wait: %s", told, exc_info=None if ours else error)
        self._trouble = told

    def _look(self, mine: Collection[int]) -> float:
        """Seconds until there is something to do; none or less: there is now."""
        with self._store.read() as connection:
            now = self._store.now(connection)
            due = outgoing.next_due(connection, now, self._scope, mine)
        return POLL_S if due is None else due - now

    def _settle_and_take(
        self, ended: Sequence[Ended], mine: Collection[int], room: int
    ) -> tuple[int, list[OutgoingMessage]]:
        """Settle, tidy up, and take up to ``room`` messages.

        Returns:
            How many were taken, and those of them that may be sent.
        """
        with self._store.write() as connection:
            now = self._store.now(connection)
            for each in ended:
                settle(connection, each, self._keys, now)
            if mine:
                outgoing.keep(connection, mine, now + LEASE_S)
            tidy(connection, self._keys, now, self._scope, mine)
            taken = outgoing.take_due(connection, now, self._scope, count=room, lease_s=LEASE_S)
            admitted = [admit(connection, message, self._keys, now) for message in taken]
            return len(taken), [message for message in admitted if message]


@dataclass(slots=True)
class _Lease:
    """Until when (monotonic seconds) what is under way is nobody else's to send."""

    until: float = 0.0


@dataclass(frozen=True, slots=True)
class _WhileLeased:
    """Composes while the lease lasts: what others have taken over meanwhile is not begun."""

    composer: TransactionalComposer
    lease: _Lease

    def __call__(self, delivery: Delivery) -> Message:
        """The message, just before its first byte goes out."""
        if time.monotonic() > self.lease.until:
            raise WithheldError
        return self.composer(delivery)

    def shared(self, variant: int) -> SharedContent:
        """The same, for a provider that writes the headers itself."""
        return self.composer.shared(variant)

    def personal(self, delivery: Delivery) -> Substitutions:
        """What is this recipient's own."""
        return self.composer.personal(delivery)


class _QueueIsJournal:
    """The try was committed before, and what has no reply is tried again: no more is needed."""

    def begun(self, position: int) -> None:
        """Nothing to keep."""

    def replied(self, outcome: Outcome) -> None:
        """Nothing to keep."""


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
