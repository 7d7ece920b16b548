"""The command line as a process, in a project folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@dataclass
class Project:
    """A copy of the example publication that a test may change as it likes."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def issue(self) -> Path:
        return self.folder / "issues" / "neck-muscles-and-migraine.md"

    @property
    def csv(self) -> Path:
        return self.folder / "subscribers.example.csv"

    def start(self, *arguments: object, **options: Any) -> subprocess.Popen[str]:
        """Start `send.py` and do not wait."""
        return subprocess.Popen(
            [sys.executable, str(ROOT / "send.py"), *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, **self.environment, "NO_COLOR": "1"},
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **options,
        )

    def run(self, *arguments: object, exit_code: int = 0, stdin: str = "") -> str:
        """Run `send.py`, insist on the exit code, and give what it printed, both streams."""
        process = self.start(*arguments)
        out, err = process.communicate(stdin, timeout=120)
        assert process.returncode == exit_code, f"exit {process.returncode}\n{out}\n{err}"
        assert "Traceback" not in err, err
        return out + err

    def json(self, *arguments: object, exit_code: int = 0) -> Any:
        """Run `send.py … --json` and read the one object it prints."""
        process = self.start(*arguments, "--json")
        out, err = process.communicate("", timeout=120)
        assert process.returncode == exit_code, f"exit {process.returncode}\n{out}\n{err}"
        return json.loads(out)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The example publication, freshly copied, with keys of its own."""
    for name in ("newsletter.toml", "subscribers.example.csv"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("templates", "issues"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return Project(tmp_path)
