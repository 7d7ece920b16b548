"""Everything that can be logged is, and nobody can be found in it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from email.message import Message

from tests.acceptance.conftest import GIVE_UP_S, Project, Relay, until
from tests.acceptance.test_main_job import one_click
from tests.support.smtp_server import Fault

NAMES = ("Zacharias-Quux", "O’Brien\u202egnp.exe", "Müller {event} %s %(at)s", "<b>Evelyne</b>")
LOCAL = ("zacharias", "obrien", "mueller", "evelyne", "gone", "silent")
ECHO = "550 5.1.1 <gone@mail.example> Zacharias-Quux: unknown, subject Your neck muscles"


def test_a_whole_life_leaves_nobody_in_the_log(project: Project, relay: Relay) -> None:
    names = [*NAMES, "Gone", "Silent"]
    rows = "".join(
        f'{local}@mail.example,"{name}"\n' for local, name in zip(LOCAL, names, strict=True)
    )
    project.csv.write_text(f"email,first_name\n{rows}", encoding="utf-8")
    relay.server.faults = [
        Fault("rcpt", reply=ECHO, to="gone"),
        Fault(
            "rcpt",
            reply="451 4.7.1 later, evelyne@mail.example <b>Evelyne</b>",
            to="evelyne",
            times=1,
        ),
        Fault("dot", drop="after", to="silent"),
        Fault("connect", reply="421 4.3.2 zacharias@mail.example mails too much", times=1),
        Fault("quit", reply="421 obrien O’Brien"),
    ]
    project.environment |= {
        "NEWSLETTER_LOG_FILE": "var/log.jsonl",
        "NEWSLETTER_SMTP__CONNECTIONS": "1",
    }
    project.run("subscribers", "import", project.csv, "--list", "readers")
    project.run("approve", project.issue, "--list", "readers", "--by", "Doctor Quincunx")
    send = project.start(
        "send", project.issue, "--list", "readers", "--live", "--confirm", len(LOCAL)
    )
    wait_for_retry(project, send)
    header = relay.headers("zacharias@mail.example")
    assert one_click(project, unsubscribe_url(header)) == 200

    log = (project.folder / "var/log.jsonl").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in log.splitlines()]
    events = {line["event"] for line in lines}
    assert events >= {
        "import done",
        "campaign moved",
        "chunk claimed",
        "chunk finished",
        "connection failed",
        "connection opened",
        "connection lost",
        "retry scheduled",
        "request",
    }
    token = unsubscribe_url(header).rsplit("/", 1)[1]
    subject = str(header["Subject"])
    for secret in (*names, *LOCAL, "Quincunx", token, subject, "neck muscles", "mail.example"):
        assert secret.casefold() not in log.casefold(), secret
    assert not re.search(r"\S@\S", log)


def wait_for_retry(project: Project, send: subprocess.Popen[str]) -> None:
    """Stop the send once the ledger has scheduled its retry: waiting a minute proves no more."""
    log = project.folder / "var/log.jsonl"
    until(lambda: log.exists() and "retry scheduled" in log.read_text(encoding="utf-8"))
    send.send_signal(signal.SIGINT)
    _, err = send.communicate(timeout=GIVE_UP_S)
    assert "Traceback" not in err


def unsubscribe_url(header: Message) -> str:
    return str(header["List-Unsubscribe"]).strip(" <>")
