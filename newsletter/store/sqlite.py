"""A SQLite file, which must stay the one that was opened.

A file that is moved, deleted or replaced takes on writes as before, from who has it open. So each
transaction looks first whether the file at its place is still the same, and each commit looks
again: what was written into another file is not reported as done.
"""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine, event

from newsletter.errors import GoneError

if TYPE_CHECKING:
    from sqlalchemy import URL

BUSY_TIMEOUT_S = 30
_Inode = tuple[int, int] | None
_NOT_KNOWN: tuple[_Inode, _Inode] = (None, None)


class DatabaseFile:
    """The file, its log (``-wal``) and its index (``-shm``), as they were when they were opened.

    SQLite makes the other two when it first needs them, and removes them after the last
    connection; in between they are as little to be taken away as the file itself.

    Args:
        path: Where it is opened.
        name: What messages call the database.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._path = str(path.absolute())
        self._name = name
        real = os.path.realpath(path)
        self._log, self._index = f"{real}-wal", f"{real}-shm"
        self._file = _inode(self._path)
        self._beside = _NOT_KNOWN
        self._connections: set[int] = set()
        self._lock = threading.Lock()

    def require(self) -> None:
        """Make sure that what is open is what is there.

        Raises:
            GoneError: The file was moved, deleted or replaced, or what SQLite keeps beside it.
        """
        same = _inode(self._path) == self._file
        if not same or (self._beside != _NOT_KNOWN and self._look_beside() != self._beside):
            raise GoneError(
                f"the database {self._name} cannot be used: its file was moved, deleted or "
                "replaced since it was opened",
                fix="put it back or restore a backup, then start this again",
            )

    def require_after_commit(self) -> None:
        """The same, once something was committed. Raises: as `require`."""
        self._learn()
        self.require()

    def watch(self, engine: Engine) -> None:
        """Look after every connection of an engine."""
        event.listen(engine, "do_connect", self._opening)
        event.listen(engine, "connect", self._opened)
        event.listen(engine, "close", self._closing)
        event.listen(engine, "begin", self._begin)

    def _opening(
        self, _dialect: object, _record: object, arguments: list[str], options: dict[str, Any]
    ) -> None:
        with self._lock:
            if self._file is None:
                _make_private(self._path)
                self._file = _inode(self._path)
        self.require()
        # An empty file in the place of one that is gone would look like a database.
        arguments[0] = f"{Path(self._path).as_uri()}?mode=rw"
        options["uri"] = True

    def _opened(self, connection: Any, _record: object) -> None:
        try:
            _prepare(connection)
            with self._lock:
                self._connections.add(id(connection))
            # An empty database has no log yet, or another process's, which goes with that.
            if connection.execute("PRAGMA page_count").fetchone()[0]:
                self._learn()
            self.require()
        except BaseException:
            self._closing(connection, None)
            connection.close()
            raise

    def _closing(self, connection: object, _record: object) -> None:
        with self._lock:
            self._connections.discard(id(connection))
            if not self._connections:
                self._beside = _NOT_KNOWN

    def _begin(self, _connection: Connection) -> None:
        self.require()

    def _learn(self) -> None:
        """A connection holds the log and the index by now: SQLite keeps them while it does."""
        if self._beside == _NOT_KNOWN:
            with self._lock:
                self._beside = self._look_beside()

    def _look_beside(self) -> tuple[_Inode, _Inode]:
        return _inode(self._log), _inode(self._index)


def open_engine(url: URL, file: DatabaseFile | None) -> Engine:
    """An engine for a SQLite database; ``file`` is None where it has none.

    Write transactions are those of connections with the execution option ``write``.
    """
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_TIMEOUT_S},
        hide_parameters=True,
        # Before 3.45, SQLite finds no key that is written with escapes.
        json_serializer=partial(json.dumps, ensure_ascii=False),
    )
    if file:
        file.watch(engine)
    else:
        event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _make_private(path: str) -> None:
    """Make a file that is not there yet for its owner alone; those beside it are made like it."""
    with suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))


def _prepare(connection: Any, _record: object = None) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _inode(path: str) -> _Inode:
    try:
        found = os.stat(path)  # noqa: PTH116 -- in each transaction, where a Path takes longer
    except OSError:
        return None
    return found.st_dev, found.st_ino
