"""The `sendgrid` transport: up to 1,000 recipients per call of the v3 Mail Send API.

It promises that a call that SendGrid may have acted on is never repeated, and that every delivery
gets exactly one outcome. SendGrid has no idempotency key, so a call without a response is
`uncertain` for all its recipients, until events tell.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from pydantic import SecretStr

from newsletter.delivery.compose.substitutions import Personalize
from newsletter.delivery.model import Compose, Delivery, Journal, Outcome, Result
from newsletter.errors import UnavailableError
from newsletter.settings.model import Sendgrid
from newsletter.transports.sendgrid.client import Client, NoResponseError, NotSentError
from newsletter.transports.sendgrid.payload import Call, plan_calls
from newsletter.transports.sendgrid.response import (
    TOO_MANY,
    CallResult,
    give_back,
    interpret,
    uncertain,
)

TRIES = 4
"""Attempts at a call that is told to wait, or that cannot be sent."""
LONGEST_WAIT = 60.0
"""Seconds to wait for the rate limit's reset. A call told to wait longer is deferred."""


class SendgridTransport:
    """Sends through SendGrid; implements `newsletter.delivery.model.Transport`.

    Its `compose` must also be a `Personalize` (`newsletter.delivery.compose.substitutions`), since
    the API takes no finished messages.

    Args:
        settings: The account.
        key: The API key.
        backoff: Seconds before the second attempt; doubled with each.

    Raises:
        InputError: The key is missing or malformed.
    """

    def __init__(self, settings: Sendgrid, key: SecretStr, *, backoff: float = 0.5) -> None:
        self._settings = settings
        # The runner keeps two batches under way: together they fill all concurrent calls.
        self.batch = settings.batch * max(1, settings.concurrency // 2)
        self._client = Client(settings, key.get_secret_value())
        self._backoff = backoff
        self._turns = asyncio.Semaphore(settings.concurrency)
        # The library blocks. A pool of our own: asyncio's is shared, and may be full.
        self._threads = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="sendgrid")
        self._resume_at = 0.0
        self._under_way: set[_Batch] = set()
        self._closed = False

    async def deliver(
        self, batch: Sequence[Delivery], compose: Compose, journal: Journal
    ) -> list[Outcome]:
        """Deliver a batch; several may be under way.

        If canceled, it still waits for calls under way, so that their outcomes are in the journal,
        and makes no others.

        Raises:
            UnavailableError: SendGrid cannot be reached, or refuses the key or the message.
            OSError: The journal cannot be written.
        """
        if self._closed:
            raise UnavailableError("the transport is closed")
        if not isinstance(compose, Personalize):
            raise TypeError("SendGrid needs the parts of a message, not the finished message")
        calls, outcomes = plan_calls(batch, compose, self._settings)
        work = _Batch(journal, outcomes)
        tasks = [asyncio.create_task(self._make(call, work)) for call in calls]
        ended = asyncio.gather(*tasks, return_exceptions=True)
        self._under_way.add(work)
        try:
            # Shielded, since a call in a thread cannot be taken back.
            errors = await asyncio.shield(ended)
        except asyncio.CancelledError:
            work.stopped.set()
            await ended
            raise
        finally:
            self._under_way.discard(work)
        for error in errors:
            if error:
                raise error
        # By contract an error means that nothing of the batch went out.
        if work.error and all(one.result is Result.RETURNED for one in work.outcomes):
            raise work.error
        return work.outcomes

    def recall(self) -> None:
        """Make no further calls, and stop waiting for the time when one could be made again."""
        for work in self._under_way:
            work.stopped.set()

    async def close(self) -> None:
        """Accept no further batches, and end the threads."""
        self._closed = True
        self._threads.shutdown(wait=False)

    async def _make(self, call: Call, work: _Batch) -> None:
        """Make one call, and those it has to be split into."""
        async with self._turns:
            await self._rest(work)
            if work.stopped.is_set():
                work.add(call.outcomes(Result.RETURNED, None, "not begun"))
                return
            try:
                todo = [call]
                while todo:
                    result = await self._try(todo.pop(), work)
                    work.settle(result)
                    todo += result.again
            except BaseException:
                work.stopped.set()
                raise

    async def _try(self, call: Call, work: _Batch) -> CallResult:
        """Make a call until the answer is something other than "later", a few times at most."""
        result = CallResult(call.outcomes(Result.RETURNED, None, "not sent"))
        for tries in range(TRIES):
            if work.stopped.is_set():
                break
            pause = self._backoff * 2**tries
            work.begin(call)
            try:
                response = await asyncio.get_running_loop().run_in_executor(
                    self._threads, self._client.post, call.body
                )
            except NoResponseError as error:
                return uncertain(call, f"no answer: {error}")
            except NotSentError as error:
                host = self._settings.host
                unreachable = UnavailableError(
                    f"SendGrid at {host} is out of reach: {error}",
                    fix="check the network and sendgrid.host, then run again",
                )
                result = give_back(call, unreachable)
            else:
                result = interpret(call, response, sandbox=self._settings.sandbox)
                if response.status != TOO_MANY:
                    break
                # Unix seconds. Without a readable time the backoff has to do.
                with suppress(ValueError):
                    reset = float(response.headers.get("X-RateLimit-Reset", "0"))
                    pause = max(pause, reset - time.time())
            # For all calls: the limit is the account's.
            self._resume_at = max(self._resume_at, time.monotonic() + pause)
            if tries == TRIES - 1 or pause > LONGEST_WAIT:
                break
            work.note_not_taken(call)
            await self._rest(work)
        return result

    async def _rest(self, work: _Batch) -> None:
        """Wait as long as all calls have to, but not after a stop."""
        with suppress(TimeoutError):
            wait = min(self._resume_at - time.monotonic(), LONGEST_WAIT)
            if wait > 0:
                await asyncio.wait_for(work.stopped.wait(), wait)


class _Batch:
    """Collects one outcome per delivery. ``stopped`` is set once no further call may be made."""

    def __init__(self, journal: Journal, outcomes: list[Outcome]) -> None:
        self.journal = journal
        self.outcomes = outcomes
        self.stopped = asyncio.Event()
        self.error: UnavailableError | None = None

    def begin(self, call: Call) -> None:
        """Record that a call is about to be made."""
        for recipient in call.recipients:
            self.journal.begun(recipient.position)

    def note_not_taken(self, call: Call) -> None:
        """Record that a call was refused as a whole, while it waits for the next attempt."""
        # Without this line a kill during the wait would leave all its recipients uncertain.
        for outcome in call.outcomes(Result.RETURNED, None, "not taken"):
            self.journal.replied(outcome)

    def settle(self, result: CallResult) -> None:
        """Record the result of a call that was begun."""
        for call in result.again:
            self.note_not_taken(call)
        for outcome in result.outcomes:
            # Uncertain means that no reply came, so none is recorded.
            if outcome.result is not Result.UNCERTAIN:
                self.journal.replied(outcome)
        self.outcomes += result.outcomes
        if result.stop:
            self.error = self.error or result.stop
            self.stopped.set()

    def add(self, outcomes: list[Outcome]) -> None:
        """Record the outcomes of a call that was never begun."""
        self.outcomes += outcomes
