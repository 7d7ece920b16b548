"""One campaign whose senders are struck again and again, then left in peace until it ends."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url

from newsletter.database.open import open_url
from newsletter.delivery.ledger.chunks import is_done
from newsletter.store.engine import Store
from tests.chaos.audit import Audit, audit, number_taken
from tests.chaos.processes import Child, Nursery, receiver
from tests.chaos.sender import CONNECTIONS, OUT_OF_REACH, Errand
from tests.integration.delivery.campaigns import freeze, suppress

PEOPLE_A_BLOW = 50
DELAY_S = 0.001
SKIPPED = 25
CHUNK = 300
LONGEST_S = 120.0


@dataclass(frozen=True)
class Plan:
    """What is to happen. One seed gives the same blows and the same faults, at other moments.

    ``blows``: how many. ``workers``: senders at once (SQLite: one). ``ending``: by which signals.
    ``restart``: breaks the database off and starts it again. ``full``: whether disks fill up.
    ``clocks``: seconds by which the clocks of senders are wrong.
    """

    seed: int
    url: str
    folder: Path
    blows: int
    workers: int = 1
    ending: tuple[signal.Signals, ...] = (signal.SIGKILL,)
    restart: Callable[[], None] | None = None
    full: bool = False
    clocks: tuple[float, ...] = (0.0,)


@dataclass
class Blows:
    """What senders went through. ``left``: readers who unsubscribed meanwhile."""

    kills: int = 0
    stops: int = 0
    restarts: int = 0
    full_disks: int = 0
    left: int = 0

    @property
    def most_cut_off(self) -> int:
        """Connections that were cut off, at most."""
        return (self.kills + self.full_disks) * CONNECTIONS


class Storm:
    """A campaign under attack: `run` it, then read `blows`."""

    def __init__(self, plan: Plan, nursery: Nursery) -> None:
        self.blows = Blows()
        self._plan = plan
        self._nursery = nursery
        self._people = plan.blows * PEOPLE_A_BLOW * (1 + plan.workers) // 2
        self._chance = random.Random(plan.seed)
        self._store: Store
        self._campaign_id = self._port = 0

    def run(self) -> Audit:
        """Strike, let it end, and compare the ledger with the receiver."""
        plan = self._plan
        self._store = open_url(make_url(plan.url))
        try:
            self._campaign_id = freeze(self._store, self._people, skipped=SKIPPED, chunk=CHUNK)
            with receiver(plan.folder, plan.seed, "rough", DELAY_S) as server:
                self._port = server.port
                self._strike()
                self._end()
                server.finish()
            most = self.blows.most_cut_off
            return audit(self._store, self._campaign_id, plan.folder, most_cut_off=most)
        finally:
            self._store.close()

    def _strike(self) -> None:
        senders: list[Child] = []
        struck = 0
        while struck < self._plan.blows and self._unfinished():
            senders = [each for each in senders if each.running()]
            while len(senders) < self._plan.workers:
                senders.append(self._start())
            chosen = self._chance.choice(senders)
            self._wait(chosen)
            struck += self._hit(chosen)
            if not self._chance.randrange(4):
                self._somebody_leaves()
        for sender in [each for each in senders if each.running()]:
            sender.send_signal(signal.SIGKILL)
            self._count(sender)

    def _wait(self, sender: Child) -> None:
        """Let it get on; one in four is killed at the start, when what is left is taken back."""
        if signal.SIGKILL in self._plan.ending and not self._chance.randrange(4):
            time.sleep(self._chance.uniform(0.0, 0.2))
            return
        more = 1 + self._chance.randrange(2 * PEOPLE_A_BLOW)
        enough = number_taken(self._plan.folder) + more
        while number_taken(self._plan.folder) < enough and sender.running():
            time.sleep(0.002)
        time.sleep(self._chance.uniform(0.0, 0.004))

    def _hit(self, sender: Child) -> bool:
        """Strike; whether anything was hit."""
        if self._plan.restart and not self._chance.randrange(3):
            self._plan.restart()
            self.blows.restarts += 1
            return True
        if sender.running():
            sender.send_signal(self._chance.choice(self._plan.ending))
            return self._count(sender) != OUT_OF_REACH
        return self._count(sender) == OUT_OF_REACH and bool(sender.errand.largest)

    def _count(self, sender: Child) -> int:
        status = sender.wait()
        if status == -signal.SIGKILL:
            self.blows.kills += 1
        elif status == OUT_OF_REACH and sender.errand.largest:
            self.blows.full_disks += 1
        elif sender.struck and status == 0:
            self.blows.stops += 1
        log = self._plan.folder / "senders.log"
        said = log.read_text() if log.exists() else ""
        struck = {-number for number in self._plan.ending} | {-signal.SIGKILL}
        assert status in {0, OUT_OF_REACH} | struck, f"exit {status}\n{said}"
        return status

    def _start(self) -> Child:
        full = self._plan.full and bool(self._chance.randrange(2))
        clock = self._chance.choice(self._plan.clocks)
        return self._nursery.start(self._errand(clock, self._room() if full else 0))

    def _errand(self, clock: float = 0.0, largest: int = 0) -> Errand:
        plan, quick = self._plan, bool(self._plan.seed % 2)
        folder = str(plan.folder)
        return Errand(plan.url, folder, self._port, self._campaign_id, clock, largest, quick)

    def _room(self) -> int:
        """How large a file may be: a little more than the largest of the database is."""
        sizes = [path.stat().st_size for path in self._plan.folder.glob("*.db*")]
        return max([0, *sizes]) + self._chance.randrange(1, 8_000)

    def _somebody_leaves(self) -> None:
        suppress(self._store, self._people - SKIPPED - self.blows.left)
        self.blows.left += 1

    def _end(self) -> None:
        """Send in peace until everybody has an outcome."""
        give_up = time.monotonic() + LONGEST_S
        while self._unfinished():
            assert time.monotonic() < give_up, "there is no end"
            self._count(self._nursery.start(self._errand()))

    def _unfinished(self) -> bool:
        with self._store.read() as connection:
            return not is_done(connection, self._campaign_id)
