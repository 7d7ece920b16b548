"""A PostgreSQL database, which must stay the one that was opened.

Every session shares an advisory lock for as long as it lives. Whoever must have the database alone,
to fill it or to move away from it, takes that lock alone: the server lets go of it when its session
ends, however it ends. https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, event, text

from newsletter.errors import GoneError
from newsletter.store.presence import in_use, taken, this_process

if TYPE_CHECKING:
    from sqlalchemy import URL

OPTIONS = {
    "application_name": "newsletter",
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""How soon a server that went away is noticed; `database_url` may say otherwise.

Seconds, the last one milliseconds. https://www.postgresql.org/docs/current/libpq-connect.html
"""
LONGEST_SILENCE_S = 120
"""How long PostgreSQL waits for the next word within a transaction."""

_KEY = "hashtextextended('newsletter: open', 0)"
_SETUP = """
SELECT set_config('idle_in_transaction_session_timeout', %s, false),
    (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_SHARE = f"SELECT pg_try_advisory_lock_shared({_KEY})"
_TAKE = f"SELECT pg_try_advisory_lock({_KEY})"
_HOLDERS = f"""
SELECT DISTINCT coalesce(nullif(application_name, ''), 'session ' || pid)
FROM pg_locks LEFT JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND pid <> pg_backend_pid()
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (classid::bigint << 32 | objid::bigint) = {_KEY}
ORDER BY 1
"""  # noqa: S608 -- constants


def open_engine(url: URL, name: str, command: str, *, alone: bool) -> Engine:
    """An engine for a PostgreSQL database; nothing is opened before the first query.

    Args:
        name: What messages call the database.
        command: As `newsletter.store.presence.this_process`; the server is told.
        alone: Whether its sessions leave the shared lock to `Alone`.
    """
    # It warns of the pipeline it closes after an error, which is raised as well.
    logging.getLogger("psycopg").setLevel(logging.ERROR)
    known = OPTIONS | {"application_name": f"newsletter {this_process(command)}"}
    options = {option: value for option, value in known.items() if option not in url.query}
    engine = create_engine(url, pool_pre_ping=True, connect_args=options, hide_parameters=True)
    event.listen(engine, "connect", _Sessions(name, alone=alone).prepare)
    return engine


class Alone:
    """The right to have a database alone, in a session of its own, until `close`.

    Raises:
        RefusedError: Others have it open.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self._session = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        # Given back to the pool, it would keep the lock.
        self._session.detach()
        if not self._session.execute(text(_TAKE)).scalar_one():
            who = _called(self._session.execute(text(_HOLDERS)).scalars().all())
            self.close()
            raise in_use(name, who)

    def close(self) -> None:
        """Let others open it."""
        self._session.close()


class _Sessions:
    """Makes every session ready, and sees that all are of one database."""

    def __init__(self, name: str, *, alone: bool) -> None:
        self._name = name
        self._alone = alone
        self._database: int | None = None

    def prepare(self, connection: Any, _record: object) -> None:
        connection.autocommit = True
        try:
            # A machine that stops in a transaction must not hold up the others for ever.
            _, database = connection.execute(_SETUP, [f"{LONGEST_SILENCE_S}s"]).fetchone()
            if self._database not in {None, database}:
                raise GoneError(
                    f"the database {self._name} cannot be used: another one has taken its name "
                    "since it was opened",
                    fix="start this again if that is the right one",
                )
            self._database = database
            if not self._alone and not connection.execute(_SHARE).fetchone()[0]:
                holders = [name for (name,) in connection.execute(_HOLDERS)]
                raise taken(self._name, _called(holders))
        except BaseException:
            connection.close()
            raise
        connection.autocommit = False


def _called(holders: Sequence[str]) -> str:
    return ", ".join(each.removeprefix("newsletter ") for each in holders) or "another process"
