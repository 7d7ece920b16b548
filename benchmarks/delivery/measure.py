"""One sender in a process of its own: how long, how much processor time, how much memory."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_HIGH_WATER = re.compile(r"VmHWM:\s+(\d+) kB")


@dataclass(frozen=True, slots=True)
class Run:
    """What a process used: seconds on the clock, of processor time, and peak memory in MiB."""

    wall: float
    cpu: float
    peak: float
    output: str


def run_child(command: Sequence[object], environment: Mapping[str, str] | None = None) -> Run:
    """Run a command to its end.

    Raises:
        SystemExit: It failed; what it said comes along.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as problems:
        start = time.perf_counter()
        child = subprocess.Popen(
            [str(part) for part in command], stdout=out, stderr=problems, env=environment
        )
        peak = _Peak(child.pid)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - start
        out.seek(0)
        problems.seek(0)
        if child.returncode:
            said = (out.read() + problems.read()).decode(errors="replace")
            raise SystemExit(f"{' '.join(map(str, command))}\n{said}")
        return Run(wall, used.ru_utime + used.ru_stime, peak.kib / 1024, out.read().decode())


class _Peak:
    """Follows how much memory a process has used at most.

    What `os.wait4` says of that counts the moment before the process became another program too.
    """

    def __init__(self, pid: int) -> None:
        self.kib = 0
        self._status = Path(f"/proc/{pid}/status")
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        with suppress(OSError):
            while found := _HIGH_WATER.search(self._status.read_text(encoding="ascii")):
                self.kib = int(found.group(1))
                time.sleep(0.05)
