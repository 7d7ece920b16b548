"""Running `send.py` before and after `make setup`, from whichever Python."""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_python_without_the_packages_says_run_make_setup(tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    python = tmp_path / "bare" / "bin" / "python"
    command = [python, ROOT / "send.py", "--help"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert "run `make setup`" in said.stderr
    assert "Traceback" not in said.stderr


def test_outside_any_environment_the_projects_own_python_takes_over(tmp_path: Path) -> None:
    own = tmp_path / ".venv" / "bin" / "python"
    own.parent.mkdir(parents=True)
    own.write_text('#!/bin/sh\necho "own python: $@"\n')
    own.chmod(0o755)
    shutil.copy(ROOT / "send.py", tmp_path)
    system = Path(sys.base_prefix) / "bin" / "python3"
    command = [system, tmp_path / "send.py", "check", "low-back-pain"]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert said.stdout == f"own python: {tmp_path / 'send.py'} check low-back-pain\n"


def test_it_can_be_run_as_a_program() -> None:
    command = [ROOT / "send.py", "--version"]
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert said.stdout.startswith("newsletter, version")


def test_the_name_of_an_issue_is_enough(tmp_path: Path) -> None:
    (tmp_path / "issues").mkdir()
    (tmp_path / "issues" / "low-back-pain.md").write_text("---\nsubject: ''\n---\n")
    shutil.copy(ROOT / "newsletter.toml", tmp_path)
    command = [sys.executable, ROOT / "send.py", "--config", tmp_path / "newsletter.toml"]
    for name in ("low-back-pain", "low-back-pain.md"):
        said = subprocess.run(
            [*command, "check", name], cwd="/", capture_output=True, text=True, check=False
        )
        assert said.returncode == 1
        assert "issues/low-back-pain.md" in said.stderr
