"""Who has a SQLite file open: a folder beside it, and locks that die with their holders.

The folder ``.NAME-open`` is a lock: all that have the file open share it, and whoever must have the
file alone, to fill it or to move away from it, takes it alone. In the folder each leaves a locked
file that says who it is. The dot keeps the folder in its place when somebody moves ``NAME*``, so
that whoever still has the moved file open is found.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import socket
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

from newsletter.errors import GoneError, RefusedError, UnavailableError
from newsletter.store.flock import try_lock

_MARKER = "made"
_LONGEST_NAME = 300
_LOGS = ("-wal", "-journal")
"""Where SQLite keeps what is committed and not yet in the file, or is to be taken back."""


def this_process(command: str) -> str:
    """What to call this process when others have to wait for it.

    Args:
        command: Like ``serve``; empty takes the program's name. No arguments: they name people.
    """
    name = command or Path(sys.argv[0]).name or "python"
    return f"{name} (process {os.getpid()} on {socket.gethostname()})"


def left_log(path: Path) -> Path | None:
    """A file beside this one that holds committed changes; what is opened there takes them in."""
    logs = (path.with_name(f"{path.name}{suffix}") for suffix in _LOGS)
    return next((log for log in logs if _size(log)), None)


class Presence:
    """This process, among those that have a SQLite file open; until `close`.

    Args:
        path: The file. It is one file by whatever links it is reached.
        name: What messages call the database.
        command: As `this_process`.
        alone: Whether nobody else may have it open meanwhile.

    Raises:
        RefusedError: It is wanted alone, and others have it open.
        GoneError: There was a database and it is not there: an empty one in its place would not
            know who left.
        UnavailableError: Somebody needs it alone just now, or the folder cannot be used.
    """

    def __init__(self, path: Path, name: str, command: str, *, alone: bool = False) -> None:
        self.path = Path(os.path.realpath(path))
        self.folder = self.path.with_name(f".{self.path.name}-open")
        self._name = name
        self._alone = alone
        self._remove = False
        self._held = ExitStack()
        try:
            self._enter(command)
        except OSError as error:
            self.close()
            raise UnavailableError(
                f"the database {name} cannot be locked: {error.strerror or error}",
                fix="run this as the user that the database belongs to, on a local disk",
            ) from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Leave. Who made the folder to have it alone removes it."""
        if self._remove:
            shutil.rmtree(self.folder, ignore_errors=True)
            self._remove = False
        self._held.close()

    def _enter(self, command: str) -> None:
        made = self._lock(fcntl.LOCK_EX if self._alone else fcntl.LOCK_SH)
        self._remove = made and self._alone
        self._sweep()
        # It is only for people to read: a full disk keeps nobody from looking.
        with suppress(OSError):
            self._say_who(command)
        if not self._alone:
            self._require_database()

    def _lock(self, kind: int) -> bool:
        """Lock the folder; whether it was made here."""
        while True:
            made = not self.folder.exists()
            self.folder.mkdir(mode=0o700, exist_ok=True)
            try:
                descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
            except FileNotFoundError:
                continue
            with ExitStack() as undo:
                undo.callback(os.close, descriptor)
                self._hand_over(descriptor)
                if not try_lock(descriptor, kind):
                    raise self._refusal()
                # Who had it alone may have removed the folder since it was opened.
                if _is_at(descriptor, self.folder):
                    self._held.callback(undo.pop_all().close)
                    return made

    def _sweep(self) -> None:
        """Remove what killed processes left: nobody fills a database now but perhaps this one."""
        for left in self.folder.iterdir():
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            elif left.name != _MARKER and _is_left(left):
                left.unlink(missing_ok=True)

    def _say_who(self, command: str) -> None:
        mine = self.folder / f"{os.getpid()}-{secrets.token_hex(4)}"
        descriptor = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._held.callback(os.close, descriptor)
        self._held.callback(mine.unlink, missing_ok=True)
        self._hand_over(descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, this_process(command).encode()[:_LONGEST_NAME])

    def _require_database(self) -> None:
        marker = self.folder / _MARKER
        # In this order: whoever makes a database right now makes the file first.
        log = left_log(self.path)
        known = marker.exists()
        if self.path.exists():
            if not known:
                with suppress(OSError):
                    marker.touch(mode=0o600)
        elif log:
            raise GoneError(
                f"the database {self._name} is not there, and {log}, its last changes, is",
                fix="put the database back, or move that file to where it is",
            )
        elif known:
            raise GoneError(
                f"the database {self._name} was there and is not any more",
                fix="put it back, or restore a backup; to begin with an empty one, which does not "
                f"know who left, delete {self.folder}",
            )

    def _refusal(self) -> RefusedError | UnavailableError:
        present: list[str | None] = []
        # Who had it alone may be gone by now, and the folder, too.
        with suppress(FileNotFoundError):
            present += map(_holder, sorted(self.folder.iterdir()))
        who = ", ".join(dict.fromkeys(filter(None, present))) or "another process"
        if self._alone:
            return in_use(self._name, who)
        return taken(self._name, who)

    def _hand_over(self, descriptor: int) -> None:
        """As SQLite does: what root makes beside a file belongs to the file's owner."""
        if os.geteuid() == 0:
            owner = (self.path if self.path.exists() else self.path.parent).stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)


def in_use(name: str, who: str) -> RefusedError:
    """The error for whoever needs a database alone that others have open."""
    return RefusedError(
        f"the database {name} is in use by {who}",
        fix="stop that first, then run this again: what it wrote meanwhile would be lost",
    )


def taken(name: str, who: str) -> UnavailableError:
    """The error for whoever opens a database that somebody needs alone."""
    return UnavailableError(
        f"the database {name} is being filled or copied by {who}",
        fix="start again when that has ended",
    )


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _is_left(path: Path) -> bool:
    """Whether a process that is dead made this file. An empty one may not be locked yet."""
    return _size(path) > 0 and _holder(path) is None


def _holder(path: Path) -> str | None:
    """Who holds the lock on this file; None when nobody does."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    except PermissionError:
        return "a process of another user"
    try:
        if try_lock(descriptor, fcntl.LOCK_SH):
            return None
        return os.read(descriptor, _LONGEST_NAME).decode(errors="replace") or "another process"
    finally:
        os.close(descriptor)
