"""`bounces` as a process: classify, read files and mailboxes, list unsubscribe requests."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

from tests.acceptance.conftest import GIVE_UP_S, Project, Relay
from tests.support.imap_server import imap_server

READERS = 12

NOTICE = b"""From: MAILER-DAEMON@mta.example
Subject: failure notice

<anna@reader.example>:
Remote host said: 550 5.1.1 unknown user
"""


def test_the_other_files_are_classified_when_one_cannot_be_read(project: Project) -> None:
    (project.folder / "a.eml").write_bytes(NOTICE)
    (project.folder / "b.eml").write_bytes(b"\xff\x00\x1b[2J")
    process = project.start("bounces", "classify", "--json", "a.eml", "missing.eml", ".", "b.eml")
    out, err = process.communicate(timeout=GIVE_UP_S)
    rows = [json.loads(line) for line in out.splitlines()]
    assert [(row["file"], row["kind"]) for row in rows] == [("a.eml", "bounce"), ("b.eml", "other")]
    assert rows[0]["recipients"] == [
        {
            "address": "anna@reader.example",
            "class": "hard",
            "status": "5.1.1",
            "reply": "550",
            "reason": "550 5.1.1 unknown user",
        }
    ]
    assert process.returncode == 1
    assert [line.split(":")[1].strip() for line in err.splitlines()] == ["missing.eml", "."]


def test_classify_needs_no_settings_and_no_database(project: Project) -> None:
    (project.folder / "newsletter.toml").unlink()
    (project.folder / "a.eml").write_bytes(NOTICE)
    before = sorted(Path(project.folder).rglob("*"))
    shown = project.run("bounces", "classify", "a.eml")
    assert "anna@reader.example: hard 550 5.1.1" in shown
    assert sorted(Path(project.folder).rglob("*")) == before


def test_without_a_file_it_is_wrong_usage(project: Project) -> None:
    project.run("bounces", "classify", exit_code=2)


def test_unverified_mail_is_recorded_and_reported(project: Project) -> None:
    (project.folder / "returned.eml").write_bytes(NOTICE)
    first = project.json("bounces", "read", "returned.eml")
    assert (first["messages"], first["unverified"], first["suppressed"]) == (1, 1, 0)
    assert "1 message: 1 bounce, 1 event seen before" in project.run(
        "bounces", "read", "-", stdin=NOTICE.decode()
    )
    assert "missing" in project.run("bounces", "read", "missing", exit_code=1)
    assert "not a Maildir" in project.run("bounces", "read", "issues", exit_code=1)


def sent_over(project: Project, relay: Relay) -> dict[str, str]:
    """Send the sample issue; returns each recipient's bounce address."""
    project.environment["NEWSLETTER_BOUNCE_ADDRESS"] = "bounces@clinic.example"
    project.run("subscribers", "import", project.csv, "--list", "readers")
    project.run("approve", project.issue)
    project.run("send", project.issue, "--list", "readers", "--live", "--confirm", READERS)
    return {message.rcpt_to[0]: message.mail_from for message in relay.server.received}


def came_back(to: str) -> bytes:
    return f"Delivered-To: {to}\n".encode() + NOTICE


def test_a_mailbox_is_emptied_after_a_run_was_killed(project: Project, relay: Relay) -> None:
    addresses = sent_over(project, relay)
    with imap_server() as postbox:
        project.environment.update(postbox.environment)
        postbox.put(came_back(next(iter(addresses.values()))), NOTICE)
        process = project.start("bounces", "read", "--imap")

        def kill_at_the_move(line: bytes) -> bytes | None:
            if b" MOVE " not in line:
                return line
            process.kill()
            return None

        postbox.wire.asked = kill_at_the_move
        process.communicate(timeout=GIVE_UP_S)
        assert process.returncode == -signal.SIGKILL
        assert postbox.counts() == (2, 0, 0)
        postbox.wire.asked = lambda line: line

        done = project.json("bounces", "read", "--imap")
        assert (done["repeated"], done["suppressed"], done["moved"]) == (
            2,
            0,
            {"Processed": 1, "Unverified": 1},
        )
        assert postbox.counts() == (0, 1, 1)
        shown = project.run("bounces", "read", "--imap")
        assert "0 messages" in shown
        asked = b"".join(postbox.wire.log).decode()
        assert "EXPUNGE" not in asked


def test_a_copy_of_an_issue_proves_no_bounce_of_another_copy(
    project: Project, relay: Relay
) -> None:
    sent_over(project, relay)
    mine, other = relay.recipients[:2]
    copy = relay.headers(mine)["Message-ID"]

    def bounce(message_id: str) -> str:
        said = NOTICE.decode().replace("anna@reader.example", other)
        returned = f"Received: x\nMessage-ID: {message_id}\nSubject: News\n"
        return f"{said}\n--- Below this line is a copy of the message.\n\n{returned}"

    for folder in ("new", "cur"):
        (project.folder / "forged" / folder).mkdir(parents=True)
    for position in range(1, READERS + 1):
        forged = re.sub(r"\.\d+(?=[.@])", f".{position}", copy, count=1)
        (project.folder / "forged" / "new" / str(position)).write_text(bounce(forged))
    done = project.json("bounces", "read", "forged")
    assert (done["unverified"], done["suppressed"]) == (READERS, 0)
    genuine = bounce(relay.headers(other)["Message-ID"])
    assert "1 address newly suppressed" in project.run("bounces", "read", "-", stdin=genuine)


def test_mailbox_errors_name_the_next_step(project: Project) -> None:
    project.run("bounces", "read", exit_code=2)
    project.run("bounces", "read", "x.eml", "--imap", exit_code=2)
    assert "imap.host" in project.run("bounces", "read", "--imap", exit_code=1)
    with imap_server() as postbox:
        project.environment.update(postbox.environment)
        project.environment["NEWSLETTER_IMAP__PASSWORD"] = "not-the-password"
        said = project.run("bounces", "read", "--imap", exit_code=1)
        assert "refuses the login" in said
        assert "NEWSLETTER_IMAP__PASSWORD" in said
        assert "not-the-password" not in said


def test_the_password_of_the_mailbox_is_refused_in_a_file(project: Project) -> None:
    with (project.folder / "newsletter.toml").open("a") as settings:
        settings.write('\n[imap]\nhost = "imap.clinic.example"\npassword = "x"\n')
    assert "secret" in project.run("bounces", "read", "--imap", exit_code=1)


def test_unverified_unsubscribe_requests_are_listed(project: Project) -> None:
    request = "From: Reader <reader01@mail.example>\nSubject: Re: News\n\nPlease unsubscribe me.\n"
    project.run("subscribers", "import", project.csv, "--list", "readers")
    said = project.run("bounces", "read", "-", stdin=request)
    assert "1 unsubscribe request (see `bounces requests`)" in said
    assert "reader01@mail.example" in project.run("bounces", "requests")
    assert project.json("bounces", "requests")["requests"][0]["subject"] == "Re: News"
    assert project.json("bounces", "wishes")["wishes"][0]["subject"] == "Re: News"
    assert "wishes" not in project.run("bounces", "--help")
    project.run("subscribers", "suppress", "reader01@mail.example", "--reason", "asked by mail")
    assert project.json("bounces", "requests") == {"requests": []}
