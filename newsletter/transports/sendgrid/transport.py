"""The `sendgrid` transport: up to 1,000 readers in one call of the v3 Mail Send API.

What is promised: a call that may have been acted upon is never made again, and every delivery gets
exactly one outcome. SendGrid knows no idempotency key, so a call without an answer is `uncertain`
for all its readers, until events tell.
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
from newsletter.transports.sendgrid.client import ApiResponse, Client, NoAnswerError, NotSentError
from newsletter.transports.sendgrid.payload import Call, plan_calls
from newsletter.transports.sendgrid.response import (
    TOO_MANY,
    ResponseClass,
    give_back,
    judge,
    uncertain,
)

TRIES = 4
"""How often a call is made that is told to wait, or that cannot be sent."""
LONGEST_WAIT = 60.0
"""Seconds to wait for the rate limit's reset; what is told to wait longer is deferred."""


class SendgridTransport:
    """Carries messages to SendGrid (see `deliver.model.Transport`).

    It needs a `compose` that is also a `Personalize` (`newsletter.delivery.compose.substitutions`),
    since the API takes no finished messages.

    Args:
        settings: The account.
        key: The API key.
        backoff: Seconds before the second try; doubled with each.

    Raises:
        InputError: There is no key, or it cannot be one.
    """

    def __init__(self, settings: Sendgrid, key: SecretStr, *, backoff: float = 0.5) -> None:
        self._settings = settings
        # Two batches are under way at once: together they are as many calls as may be.
        self.batch = settings.batch * max(1, settings.concurrency // 2)
        self._client = Client(settings, key.get_secret_value())
        self._backoff = backoff
        self._turns = asyncio.Semaphore(settings.concurrency)
        self._threads = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="sendgrid")
        self._resume_at = 0.0
        self._under_way: set[_Batch] = set()
        self._closed = False

    async def deliver(
        self, batch: Sequence[Delivery], compose: Compose, journal: Journal
    ) -> list[Outcome]:
        """Deliver a batch; several may be under way.

        When called off (cancelled), calls under way are still waited for, so that their outcomes
        stand in the journal; no other is made.

        Raises:
            UnavailableError: SendGrid is out of reach, or refuses the key or the message.
            OSError: The journal cannot be written.
        """
        if self._closed:
            raise UnavailableError("the transport is closed")
        if not isinstance(compose, Personalize):
            raise TypeError("SendGrid needs the parts of a message, not the finished message")
        calls, outcomes = plan_calls(batch, compose, self._settings)
        work = _Batch(journal, outcomes)
        tasks = [asyncio.create_task(self._carry(call, work)) for call in calls]
        self._under_way.add(work)
        try:
            await _all_ended(tasks, work.stopped)
        finally:
            self._under_way.discard(work)
        if work.error and all(one.result is Result.RETURNED for one in work.outcomes):
            raise work.error
        return work.outcomes

    def recall(self) -> None:
        """Make no further call, and wait for no time at which one could be made again."""
        for work in self._under_way:
            work.stopped.set()

    async def close(self) -> None:
        """Begin nothing more, and let the threads go."""
        self._closed = True
        self._threads.shutdown(wait=False)

    async def _carry(self, call: Call, work: _Batch) -> None:
        """Make one call, and those it has to be split into."""
        async with self._turns:
            await self._rest(work)
            if work.stopped.is_set():
                work.add(call.outcomes(Result.RETURNED, None, "not begun"))
                return
            try:
                todo = [call]
                while todo:
                    verdict = await self._verdict(todo.pop(), work)
                    work.settle(verdict)
                    todo += verdict.again
            except BaseException:
                work.stopped.set()
                raise

    async def _verdict(self, call: Call, work: _Batch) -> ResponseClass:
        """Try a call until there is an answer that is not "later"; give up after a few tries."""
        verdict = ResponseClass(call.outcomes(Result.RETURNED, None, "not sent"))
        for tries in range(TRIES):
            if work.stopped.is_set():
                break
            pause = self._backoff * 2**tries
            work.begin(call)
            try:
                answer = await self._post(call)
            except NoAnswerError as error:
                return uncertain(call, f"no answer: {error}")
            except NotSentError as error:
                verdict = give_back(call, self._unreachable(error))
            else:
                verdict = judge(call, answer, sandbox=self._settings.sandbox)
                if answer.status != TOO_MANY:
                    break
                pause = max(pause, _until_reset(answer))
            self._resume_at = max(self._resume_at, time.monotonic() + pause)
            if tries == TRIES - 1 or pause > LONGEST_WAIT:
                break
            work.note_not_taken(call)
            await self._rest(work)
        return verdict

    async def _post(self, call: Call) -> ApiResponse:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._client.post, call.body)

    async def _rest(self, work: _Batch) -> None:
        """Wait as long as all calls have to, but not after a stop."""
        with suppress(TimeoutError):
            wait = min(self._resume_at - time.monotonic(), LONGEST_WAIT)
            if wait > 0:
                await asyncio.wait_for(work.stopped.wait(), wait)

    def _unreachable(self, error: NotSentError) -> UnavailableError:
        return UnavailableError(
            f"SendGrid at {self._settings.host} is out of reach: {error}",
            fix="check the network and sendgrid.host, then run again",
        )


class _Batch:
    """Gathers exactly one outcome per delivery; ``stopped`` once no further call may be made."""

    def __init__(self, journal: Journal, outcomes: list[Outcome]) -> None:
        self.journal = journal
        self.outcomes = outcomes
        self.stopped = asyncio.Event()
        self.error: UnavailableError | None = None

    def begin(self, call: Call) -> None:
        """Note that a call is about to be made."""
        for one in call.recipients:
            self.journal.begun(one.position)

    def note_not_taken(self, call: Call) -> None:
        """Note that a call was refused as a whole, while it waits to be made again."""
        for outcome in call.outcomes(Result.RETURNED, None, "not taken"):
            self.journal.replied(outcome)

    def settle(self, verdict: ResponseClass) -> None:
        """Take in what became of a call that was begun."""
        for call in verdict.again:
            self.note_not_taken(call)
        for outcome in verdict.outcomes:
            if outcome.result is not Result.UNCERTAIN:
                self.journal.replied(outcome)
        self.outcomes += verdict.outcomes
        if verdict.stop:
            self.error = self.error or verdict.stop
            self.stopped.set()

    def add(self, outcomes: list[Outcome]) -> None:
        """Take in what became of a call that was never begun."""
        self.outcomes += outcomes


async def _all_ended(tasks: list[asyncio.Task[None]], stopped: asyncio.Event) -> None:
    """Wait for every task, even when called off: a thread's call cannot be taken back.

    Raises:
        Exception: What the first task failed with.
    """
    ended = asyncio.gather(*tasks, return_exceptions=True)
    try:
        errors = await asyncio.shield(ended)
    except asyncio.CancelledError:
        stopped.set()
        await ended
        raise
    for error in errors:
        if error:
            raise error


def _until_reset(answer: ApiResponse) -> float:
    """Seconds until `X-RateLimit-Reset` (Unix seconds); 0 where it is absent or unreadable."""
    try:
        return float(answer.headers.get("X-RateLimit-Reset", "0")) - time.time()
    except ValueError:
        return 0.0
