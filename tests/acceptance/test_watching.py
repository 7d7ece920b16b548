"""What a person sees while a campaign is sent, at the sending terminal and at another one."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys

from tests.acceptance.conftest import GIVE_UP_S, ROOT, Project, Relay, until
from tests.support.smtp_server import Fault

PEOPLE = 300


def start_slow_send(project: Project, relay: Relay) -> subprocess.Popen[str]:
    rows = "".join(f"reader{n:04}@mail.example,R{n}\n" for n in range(PEOPLE))
    project.csv.write_text(f"email,first_name\n{rows}", encoding="utf-8")
    relay.server.faults = [Fault("dot", delay=0.02)]
    project.environment["NEWSLETTER_SMTP__CONNECTIONS"] = "2"
    project.run("approve", project.issue)
    send = ("send", project.issue, "--csv", project.csv, "--live", "--confirm", PEOPLE)
    process = project.start(*send)
    until(lambda: len(relay.recipients) >= 20)
    # From now on it lasts until the test takes this away, however long others need to start.
    relay.server.faults = [Fault("dot", delay=1.0)]
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
    project.processes.append(process)
    os.close(theirs)
    return process, ours


def read_all(terminal: int, shown: bytes = b"") -> str:
    """What a terminal shows until it is closed, after what was read already."""
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
    first = b""
    while b"/s" not in first:
        first += os.read(terminal, 65536)
    relay.server.faults = []
    shown = read_all(terminal, first)
    out, _ = watcher.communicate(timeout=GIVE_UP_S)
    sender.communicate(timeout=GIVE_UP_S)
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
    out, _ = watcher.communicate(timeout=GIVE_UP_S)
    assert "Traceback" not in shown
    assert b"Campaign 1" in out
    assert sender.poll() is None
    relay.server.faults = []
    sender.communicate(timeout=GIVE_UP_S)
    assert len(relay.recipients) == PEOPLE


def test_the_sending_terminal_shows_the_same(project: Project, relay: Relay) -> None:
    project.run("subscribers", "import", project.csv, "--list", "readers")
    project.run("approve", project.issue)
    process, terminal = on_a_terminal(
        project, "send", str(project.issue), "--list", "readers", "--live", "--confirm", "12"
    )
    shown = read_all(terminal)
    process.communicate(timeout=GIVE_UP_S)
    assert process.returncode == 0
    assert "12 of 12 (100 %)" in shown


def test_there_is_one_campaign_to_watch(project: Project) -> None:
    assert "needs a campaign" in project.run("status", "--watch", exit_code=2)
