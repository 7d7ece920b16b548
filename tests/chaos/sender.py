"""A sending process, forked from one that has imported everything: there in milliseconds.

``python -m tests.chaos.sender`` is the parent. It reads a line of JSON (see `Errand`) and answers
with the process id of a child that sends; ``wait PID`` answers with the child's exit status, and
``look PID`` with nothing while it runs. A child that is killed stays a zombie until it was waited
for, so that its number can name nobody else.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import uvloop
from sqlalchemy import make_url

from newsletter.delivery.ledger.retry import RetryPolicy
from newsletter.delivery.model import Delivery, Message
from newsletter.delivery.runner.runner import SendLimits, run_campaign
from newsletter.errors import UnavailableError
from newsletter.settings.model import Smtp
from newsletter.store.engine import connect
from newsletter.transports.smtp.transport import SmtpTransport

CONNECTIONS = 4
TIMEOUT_S = 2.0
BODY = b"Words.\r\n" * 200
LIMITS = SendLimits(
    patience=5.0, retry=RetryPolicy(first_delay=0.05, factor=1.0, longest_delay=0.05)
)
OUT_OF_REACH = 3
BROKEN = 70


@dataclass(frozen=True)
class Errand:
    """What a sender is to do.

    ``clock``: seconds by which its clock is wrong. ``largest``: octets that a file it writes may
    have, as on a full disk; 0 for any number. ``quick``: whether it runs on uvloop.
    """

    url: str
    folder: str
    port: int
    campaign_id: int
    clock: float = 0.0
    largest: int = 0
    quick: bool = True


def compose(each: Delivery) -> Message:
    """A message whose Message-ID tells it from every other, on every try."""
    head = f"Message-ID: <{each.campaign_id}.{each.position}@clinic.example>\r\n\r\n"
    return Message("news@clinic.example", each.email, head.encode() + BODY)


async def send(errand: Errand) -> None:
    """Send, as `newsletter.campaign.run.send` does, with retries that are due at once."""
    store = connect(make_url(errand.url))
    smtp = Smtp(
        port=errand.port,
        security="none",
        connections=CONNECTIONS,
        messages_per_connection=100,
        timeout=TIMEOUT_S,
        final_timeout=TIMEOUT_S,
    )
    transport = SmtpTransport(smtp, backoff=0.05)
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    try:
        await run_campaign(
            store,
            errand.campaign_id,
            transport,
            compose,
            owner="chaos",
            journal_dir=Path(errand.folder) / "journal",
            stop=stop,
            limits=LIMITS,
        )
    finally:
        await transport.close()
        store.close()


def shifted(seconds: float) -> Callable[[], float]:
    """A clock that is wrong by so much."""
    right = time.time
    return lambda: right() + seconds


def be_a_sender(errand: Errand) -> int:
    """Send in this process, and give the exit status."""
    log = Path(errand.folder) / "senders.log"
    # Before it listens, and after it has ended, there is nothing to drain.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if errand.clock:
        time.time = shifted(errand.clock)
    if errand.largest:
        resource.setrlimit(resource.RLIMIT_FSIZE, (errand.largest, resource.RLIM_INFINITY))
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop if errand.quick else None) as runner:
            runner.run(send(errand))
    except UnavailableError as error:
        said, status = f"{error}\n", OUT_OF_REACH
    except KeyboardInterrupt:
        return 0
    except BaseException:
        said, status = traceback.format_exc(), BROKEN
    else:
        return 0
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    with log.open("a") as file:
        file.write(said)
    return status


def answer(line: str) -> str:
    """Do what a line asks for."""
    word, _, rest = line.partition(" ")
    if word in {"wait", "look"}:
        found, status = os.waitpid(int(rest), os.WNOHANG if word == "look" else 0)
        return str(os.waitstatus_to_exitcode(status)) if found else ""
    child = os.fork()
    if child:
        return str(child)
    status = BROKEN
    with suppress(BaseException):
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        status = be_a_sender(Errand(**json.loads(line)))
    os._exit(status)


if __name__ == "__main__":
    for each in sys.stdin:
        sys.stdout.write(answer(each.strip()) + "\n")
        sys.stdout.flush()
