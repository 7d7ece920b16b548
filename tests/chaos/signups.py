"""People sign up while the processes that answer and mail them are killed, again and again.

Every visitor goes on until they are answered. Then everybody must have a confirmation, and a second
one only where the relay took the first and its reply was lost with the process that waited for it:
within one process's life nobody is mailed twice.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlencode

from sqlalchemy import func, make_url, select, update

from newsletter.database.open import open_url
from newsletter.errors import UnavailableError
from newsletter.queues.tables import outgoing_message
from newsletter.store.engine import Store
from newsletter.transactional.drain import AT_ONCE
from tests.acceptance.conftest import running
from tests.support.clicks import SECRETS, process
from tests.support.smtp_server import Fault, Received, Server

VISITORS_AT_ONCE = 8
RELAY_S = 0.03
"""How long the relay takes for one message."""
LONGEST_S = 180.0


@dataclass(frozen=True)
class SignupPlan:
    """What is to happen. ``workers`` drain beside the serving process, and die with it."""

    seed: int
    url: str
    folder: Path
    people: int
    kills: int
    workers: int = 0


@dataclass
class SignupAudit:
    """What came out. ``wrong`` names everything that must not be; it must be empty."""

    answered: int = 0
    mailed: int = 0
    kills: int = 0
    doubled: int = 0
    wrong: list[str] = field(default_factory=list)


class Processes:
    """`serve` on one port, and workers; each is started again after its death."""

    def __init__(self, plan: SignupPlan, relay: dict[str, str]) -> None:
        values = {**SECRETS, "database_url": plan.url, "var_dir": str(plan.folder / "var")}
        self._environment = {f"NEWSLETTER_{name.upper()}": text for name, text in values.items()}
        self._environment |= relay
        self._alive: list[subprocess.Popen[str]] = []
        self._commands: list[tuple[object, ...]] = [("serve", "--port", _lasting_port())]
        self._commands += [("worker",)] * plan.workers
        self.port = int(str(self._commands[0][-1]))
        self._stack = ExitStack()

    def start(self) -> None:
        """Start whatever does not run."""
        for index, command in enumerate(self._commands):
            if index == len(self._alive):
                self._alive.append(self._started(command))
            elif self._alive[index].poll() is not None:
                self._alive[index] = self._started(command)

    def _started(self, command: tuple[object, ...]) -> subprocess.Popen[str]:
        opened = process("send.py", *command, announced=command[0] == "serve", **self._environment)
        return self._stack.enter_context(opened)[1]

    def kill(self) -> None:
        """Kill all of them, as a machine that goes down does, and wait for their end."""
        for each in self._alive:
            each.send_signal(signal.SIGKILL)
        for each in self._alive:
            each.wait()

    def stop(self) -> None:
        """End them all as their supervisor would."""
        for each in self._alive:
            each.send_signal(signal.SIGTERM)
        # The web server ends by the signal itself once it has let go of everything.
        assert {each.wait(timeout=60) for each in self._alive} <= {0, -signal.SIGTERM}

    def close(self) -> None:
        """Whatever is left goes."""
        self._stack.close()


class Visitors(threading.Thread):
    """They sign up, some at a time, each from a network of their own and until it worked."""

    def __init__(self, port: int, people: int) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._names = iter([f"visitor{number}@reader.example" for number in range(people)])
        self._networks = iter(range(1 << 24))
        self.answered: set[str] = set()

    def run(self) -> None:
        async def all_of_them() -> None:
            await asyncio.gather(*(self._visit() for _ in range(VISITORS_AT_ONCE)))

        asyncio.run(all_of_them())

    async def _visit(self) -> None:
        for name in self._names:
            while not await self._is_answered(name):
                await asyncio.sleep(0.05)
            self.answered.add(name)

    async def _is_answered(self, name: str) -> bool:
        network = next(self._networks)
        body = urlencode({"email": name, "topic": "readers", "website": ""})
        head = (
            "POST /join HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
            "Sec-Fetch-Site: same-origin\r\n"
            f"X-Forwarded-For: 10.{network >> 16}.{network >> 8 & 255}.{network & 255}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            return False
        try:
            writer.write((head + body).encode())
            said = await reader.readuntil(b"\r\n")
        except (OSError, asyncio.IncompleteReadError):
            return False
        finally:
            writer.close()
        assert said.split()[1] == b"303", said
        return True


class SignupStorm:
    """`run` it, and read the audit."""

    def __init__(self, plan: SignupPlan) -> None:
        self._plan = plan
        self._chance = random.Random(plan.seed)
        self._lives: list[int] = [0]
        """How many messages the relay had when each life began."""

    def run(self) -> SignupAudit:
        """Let them come, strike, let it end, and compare."""
        with ExitStack() as stack:
            store = stack.enter_context(_opened(self._plan.url))
            slow = stack.enter_context(running(Server(faults=[Fault("dot", delay=RELAY_S)])))
            processes = Processes(self._plan, slow.environment)
            stack.callback(processes.close)
            processes.start()
            visitors = Visitors(processes.port, self._plan.people)
            visitors.start()
            for _ in range(self._plan.kills):
                self._get_on(visitors, slow.server)
                processes.kill()
                self._begin_life(slow.server, store)
                processes.start()
            visitors.join(LONGEST_S)
            assert not visitors.is_alive(), "visitors are not answered"
            self._end(store)
            processes.stop()
            return self._audit(visitors.answered, slow.server.received, store)

    def _get_on(self, visitors: Visitors, relay: Server) -> None:
        """Let some more be answered and mailed: kills strike anywhere, the last tries included."""
        share = max(1, self._plan.people // self._plan.kills)
        so_far = len(visitors.answered) + len(relay.received)
        enough = min(so_far + self._chance.randrange(1, 2 * share), 2 * self._plan.people - 1)
        give_up = time.monotonic() + LONGEST_S
        while len(visitors.answered) + len(relay.received) < enough:
            assert time.monotonic() < give_up, "nothing goes on"
            time.sleep(0.002)
        time.sleep(self._chance.uniform(0.0, 2 * RELAY_S))

    def _begin_life(self, relay: Server, store: Store) -> None:
        """What the dead had on the wire is read to its end first: it belongs to their life."""
        while relay.visits:
            time.sleep(0.01)
        self._lives.append(len(relay.received))
        if not store.is_sqlite:
            _let_time_pass(store, lease_until=0.0)

    def _end(self, store: Store) -> None:
        """Let the minutes pass after which what was cut off more than once is tried again."""
        give_up = time.monotonic() + LONGEST_S
        while _left(store):
            assert time.monotonic() < give_up, "there is no end"
            # PostgreSQL may end it for being in the way of those who send: then it comes again.
            with suppress(UnavailableError):
                _let_time_pass(store, due_at=0.0)
            time.sleep(0.1)

    def _audit(self, answered: set[str], received: list[Received], store: Store) -> SignupAudit:
        kills = self._plan.kills
        audit = SignupAudit(len(answered), len(received), kills)
        copies = Counter(one.rcpt_to[0] for one in received)
        audit.doubled = sum(count - 1 for count in copies.values())
        audit.wrong += [f"{name} was answered, and never mailed" for name in answered - set(copies)]
        audit.wrong += [f"{name} never asked" for name in set(copies) - answered]
        named = {one.message_id: one.rcpt_to[0] for one in received}
        if len(named) != len(copies):
            audit.wrong.append("somebody got two messages, not one of them twice")
        bounds = [*self._lives, len(received)]
        for first, end in pairwise(bounds):
            within = Counter(one.rcpt_to[0] for one in received[first:end])
            twice = [name for name, count in within.items() if count > 1]
            audit.wrong += [f"{name} was mailed twice within one life" for name in twice]
        if audit.doubled > kills * AT_ONCE:
            audit.wrong.append(f"{audit.doubled} doubled by {kills} kills")
        with store.read() as connection:
            failed = connection.execute(select(func.count()).select_from(outgoing_message))
            if count := failed.scalar_one():
                audit.wrong.append(f"{count} were given up")
        return audit


def _lasting_port() -> int:
    """A free port that no connection is given while nobody listens on it, as an ephemeral one is:
    whoever knocks there until the server is back might be connected to themselves.
    """
    ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    first = 10_000 + os.getpid() % (ephemeral - 11_000)
    for port in range(first, first + 1_000):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no port is free")


@contextmanager
def _opened(url: str) -> Iterator[Store]:
    store = open_url(make_url(url))
    yield store
    store.close()


def _left(store: Store) -> int:
    queued = outgoing_message.c.state.in_(["waiting", "sending"])
    with store.read() as connection:
        query = select(func.count()).select_from(outgoing_message).where(queued)
        return int(connection.execute(query).scalar_one())


def _let_time_pass(store: Store, **values: float) -> None:
    """Of what waits for a lease or a time: the others stay as they are."""
    state = "sending" if "lease_until" in values else "waiting"
    with store.write() as connection:
        mine = outgoing_message.c.state == state
        connection.execute(update(outgoing_message).where(mine).values(**values))
