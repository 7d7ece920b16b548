"""Rate limits: one row per limit, shared by all workers and kept across restarts.

The generic cell rate algorithm (ITU-T I.371): a row holds the theoretical arrival time, at which
the next message would be exactly on time. An offer reserves in its own transaction, before
anything is sent, and so never has to hold messages back afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, select, update

from newsletter.delivery.ledger.tables import rate
from newsletter.store.upsert import insert_into

BURST_S = 1.0
"""What may be sent at once: a second's worth, and at least one message."""
_ROUNDING = 0.01
"""Share of a message: Unix seconds in a double are exact to a quarter of a microsecond."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Messages per second: for one transport in total (0: unlimited), and for each domain."""

    transport: str = ""
    per_second: float = 0.0
    per_domain: Mapping[str, float] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anything is limited."""
        return bool(self.per_second or self.per_domain)


NO_RATES = Rates()


class Bucket:
    """One limit at one moment.

    Args:
        per_second: Messages per second.
        tat: The stored theoretical arrival time (Unix seconds). If it is further ahead than any
            reservation reaches, the clock was set back since, and it is clamped.
        now: Unix seconds.
    """

    def __init__(self, per_second: float, tat: float, now: float) -> None:
        self._interval = 1 / per_second
        self._burst = max(BURST_S, self._interval)
        self._now = now
        self._from = max(now, min(tat, now + self._burst))
        self._taken = 0

    @property
    def tat(self) -> float:
        """The theoretical arrival time, with what was reserved."""
        return self._from + self._taken * self._interval

    @property
    def room(self) -> int:
        """How many messages may be sent now."""
        return int((self._now + self._burst - self.tat) / self._interval + _ROUNDING)

    def take(self) -> None:
        """Reserve one message."""
        self._taken += 1

    @property
    def wait(self) -> float:
        """Seconds until it is worth asking again: until a quarter of a burst may be sent."""
        worth = max(1, int(self._burst / self._interval / 4))
        return max(0.0, self.tat + worth * self._interval - self._burst - self._now)


class Throttle:
    """The limits during one offer; other offers wait until its transaction ends.

    Args:
        connection: A write transaction.
        rates: The limits.
        now: Unix seconds.
    """

    def __init__(self, connection: Connection, rates: Rates, now: float) -> None:
        self._connection = connection
        wanted = {f"@{domain}": speed for domain, speed in rates.per_domain.items()}
        if rates.per_second:
            wanted[rates.transport] = rates.per_second
        self._stored = _rows(connection, sorted(wanted)) if wanted else {}
        self._buckets = {
            name: Bucket(speed, self._stored[name], now) for name, speed in wanted.items()
        }
        self._all = self._buckets.get(rates.transport)

    def room(self, most: int) -> int:
        """How many messages may be sent now in total, but no more than ``most``."""
        return min(most, self._all.room) if self._all else most

    @property
    def wait(self) -> float:
        """Seconds until more may be sent in total."""
        return self._all.wait if self._all else 0.0

    def admits(self, domain: str) -> bool:
        """Reserve one message to a domain, unless the domain's rate is used up."""
        bucket = self._buckets.get(f"@{domain}")
        if bucket and not bucket.room:
            return False
        for each in (bucket, self._all):
            if each:
                each.take()
        return True

    def wait_for(self, domain: str) -> float:
        """Seconds until more may be sent to a domain."""
        return self._buckets[f"@{domain}"].wait

    def save(self) -> None:
        """Store what was reserved."""
        for name, bucket in self._buckets.items():
            if bucket.tat != self._stored[name]:
                self._connection.execute(
                    update(rate).where(rate.c.name == name).values(tat=bucket.tat)
                )


def _rows(connection: Connection, names: list[str]) -> dict[str, float]:
    """The rows of the limits, locked in the order of their names to avoid deadlocks."""
    query = select(rate).where(rate.c.name.in_(names)).order_by(rate.c.name).with_for_update()
    found = {row.name: row.tat for row in connection.execute(query)}
    if len(found) < len(names):
        add = insert_into(connection.dialect.name, rate).on_conflict_do_nothing()
        connection.execute(add, [{"name": name, "tat": 0.0} for name in names])
        found = {row.name: row.tat for row in connection.execute(query)}
    return found
