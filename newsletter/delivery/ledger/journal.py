"""The journal: what a sending process began and which replies it received, line by line on disk.

Each line is written before the next step and goes straight to the kernel, so it survives the
process, but not a power failure. One file per lease: its name is in the chunk's row, and its owner
holds a lock on it while it lives. It begins with the boot it was written on and its chunk.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from newsletter.delivery.model import Origin, Outcome, Result
from newsletter.errors import UnavailableError
from newsletter.store.flock import try_lock

_quoted = json.JSONEncoder().encode
_LONGEST_HEAD = 200
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a journal proves.

    ``complete``: it holds every line that its owner wrote, so whatever it does not name was not
    begun.
    """

    complete: bool = False
    begun: frozenset[int] = frozenset()
    replies: dict[int, Outcome] = field(default_factory=dict)

    def outcome(self, position: int) -> Outcome:
        """The outcome of an offered delivery, as far as known."""
        known = self.replies.get(position)
        # What was returned may have been begun again, in a line that is lost.
        if known and (self.complete or known.result != Result.RETURNED):
            return known
        unsent = self.complete and position not in self.begun
        return Outcome(position, Result.RETURNED if unsent else Result.UNCERTAIN)


class FileJournal:
    """Writes one lease's journal; implements `newsletter.delivery.model.Journal`.

    Args:
        path: A file that does not exist yet.
        origin: The leased chunk.

    Raises:
        UnavailableError: The file cannot be created.
    """

    def __init__(self, path: Path, origin: Origin) -> None:
        self.path = path
        self._broken = False
        self._descriptor = -1
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
            self._descriptor = os.open(path, flags, 0o600)
            # Released by the kernel when the process dies, however it dies.
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            self._write(f"boot {_boot_id()}\nlease {json.dumps(origin)}\n")
        except OSError as error:
            if self._descriptor >= 0:
                self.close(remove=True)
            raise UnavailableError(
                f"cannot write the sending journal: {error.strerror or error}",
                fix=f"make {path.parent} writable, with room on the disk",
            ) from None

    def begun(self, position: int) -> None:
        """The body of this position is about to be written.

        Raises:
            OSError: The line could not be written; nothing more may be sent.
        """
        self._write(f"begun {position}\n")

    def replied(self, outcome: Outcome) -> None:
        """The final reply to this position came.

        Raises:
            OSError: As `begun`.
        """
        code = "null" if outcome.code is None else outcome.code
        status, reply = _quoted(outcome.status), _quoted(outcome.reply)
        line = f'[{outcome.position}, "{outcome.result}", {code}, {status}, {reply}]'
        self._write(f"reply {line}\n")

    def close(self, *, remove: bool) -> None:
        """Close the file. Remove it only if everything in it is in the database."""
        # Blocks later writes: the descriptor may belong to another file by then.
        self._broken = True
        if remove:
            self.path.unlink(missing_ok=True)
        os.close(self._descriptor)

    def _write(self, line: str) -> None:
        if self._broken:
            raise OSError("the sending journal is broken")
        raw = line.encode("ascii")
        try:
            complete = os.write(self._descriptor, raw) == len(raw)
        except OSError:
            self._broken = True
            raise
        if not complete:
            self._broken = True
            raise OSError("no room for the sending journal")


def own_evidence(journal: FileJournal) -> Evidence:
    """What a journal proves to the process that wrote it."""
    return replace(_parse(journal.path.read_bytes()), complete=True)


def read_evidence(path: Path) -> Evidence | None:
    """What a journal proves after its owner died; None while the owner holds its lock.

    Replies always count; a missing line proves something only on the boot the journal was written
    on, and a missing file proves nothing.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return Evidence()
    try:
        return _parse(path.read_bytes()) if try_lock(descriptor, fcntl.LOCK_EX) else None
    finally:
        os.close(descriptor)


def read_origin(path: Path) -> Origin | None:
    """The chunk of a journal; None if it does not say, as in earlier versions."""
    try:
        with path.open("rb") as file:
            lines = file.read(_LONGEST_HEAD).decode("ascii", "replace").split("\n")[:-1]
    except OSError:
        return None
    word, _, rest = lines[1].partition(" ") if len(lines) > 1 else ("", "", "")
    try:
        return Origin(*json.loads(rest)) if word == "lease" else None
    except (ValueError, TypeError):
        return None


def _parse(raw: bytes) -> Evidence:
    # A last line without its end was never acted upon.
    lines = raw.decode("ascii", "replace").split("\n")[:-1]
    begun: set[int] = set()
    replies: dict[int, Outcome] = {}
    garbled = False
    for line in lines[1:]:
        word, _, rest = line.partition(" ")
        try:
            if word == "begun":
                begun.add(int(rest))
                # Begun again: an API call that was refused as a whole is repeated.
                replies.pop(int(rest), None)
            elif word == "reply":
                position, result, code, status, reply = json.loads(rest)
                replies[position] = Outcome(position, Result(result), code, status, reply)
        except (ValueError, TypeError):
            # A power failure may leave zeros in the middle of a file.
            garbled = True
    boot = _boot_id()
    complete = bool(boot) and bool(lines) and lines[0] == f"boot {boot}" and not garbled
    return Evidence(complete, frozenset(begun), replies)


def _boot_id() -> str:
    """The ID of this kernel's boot; "" if it has none, and then a missing line proves nothing."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
