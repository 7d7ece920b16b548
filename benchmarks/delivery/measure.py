"""One sender in a process of its own: how long, how much processor time, how much memory."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


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
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - start
        out.seek(0)
        problems.seek(0)
        if child.returncode:
            said = (out.read() + problems.read()).decode(errors="replace")
            raise SystemExit(f"{' '.join(map(str, command))}\n{said}")
        return Run(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, out.read().decode())
