"""What a person sees while a campaign is sent, at the sending terminal and at another one."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time

from tests.acceptance.conftest import ROOT, Project, Relay
from tests.smtp_server import Fault

PEOPLE = 300


def start_slow_send(project: Project, relay: Relay) -> subprocess.Popen[str]:
    rows = "".join(f"reader{n:04}@mail.example,R{n}\n" for n in range(PEOPLE))
    project.csv.write_text(f"email,first_name\n{rows}", encoding="utf-8")
    relay.server.faults = [Fault("dot", delay=0.02)]
    project.environment["NEWSLETTER_SMTP__CONNECTIONS"] = "2"
    project.run("approve", project.issue)
    send = ("send", project.issue, "--csv", project.csv, "--live", "--confirm", PEOPLE)
    process = project.start(*send)
    deadline = time.monotonic() + 60
    while len(relay.recipients) < 20 and time.monotonic() < deadline:
        time.sleep(0.02)
    return process


def on_a_terminal(project: Project, *arguments: str) -> tuple[subprocess.Popen[bytes], int]:
    """Start `send.py` with a terminal for its standard error; the other end of that."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "send.py"), *arguments],
        cwd=project.folder,
        env={**os.environ, **project.environment, "TERM": "xterm", "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    return process, ours


def read_all(terminal: int) -> str:
    shown = b""
    try:
        while piece := os.read(terminal, 65536):
            shown += piece
    except OSError:
        pass
    finally:
        os.close(terminal)
    return shown.decode("utf-8", "replace")


def test_another_terminal_follows_to_the_end(project: Project, relay: Relay) -> None:
    sender = start_slow_send(project, relay)
    watcher, terminal = on_a_terminal(project, "status", "1", "--watch")
    shown = read_all(terminal)
    out, _ = watcher.communicate(timeout=60)
    sender.communicate(timeout=60)
    assert f"of {PEOPLE} (" in shown
    assert "/s" in shown
    assert "uncertain" in shown
    assert watcher.returncode == 0
    assert b"(finished)" in out
    assert "No campaign" not in project.run("status")


def test_ctrl_c_ends_the_looking_and_not_the_sending(project: Project, relay: Relay) -> None:
    sender = start_slow_send(project, relay)
    watcher, terminal = on_a_terminal(project, "status", "1", "--watch")
    assert os.read(terminal, 1)
    watcher.send_signal(signal.SIGINT)
    shown = read_all(terminal)
    out, _ = watcher.communicate(timeout=60)
    assert "Traceback" not in shown
    assert b"Campaign 1" in out
    sender.communicate(timeout=60)
    assert len(relay.recipients) == PEOPLE


def test_the_sending_terminal_shows_the_same(project: Project, relay: Relay) -> None:
    project.run("subscribers", "import", project.csv, "--list", "readers")
    project.run("approve", project.issue)
    process, terminal = on_a_terminal(
        project, "send", str(project.issue), "--list", "readers", "--live", "--confirm", "12"
    )
    shown = read_all(terminal)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert "12 of 12 (100 %)" in shown


def test_there_is_one_campaign_to_watch(project: Project) -> None:
    assert "needs a campaign" in project.run("status", "--watch", exit_code=2)
