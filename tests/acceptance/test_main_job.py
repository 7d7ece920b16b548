"""One article, from file to inbox and out again, by the commands a person types."""

from __future__ import annotations

import re
import signal
import urllib.request
from email import policy
from email.parser import BytesParser
from pathlib import Path

from tests.acceptance.conftest import GIVE_UP_S, Project, Relay, until
from tests.support.smtp_server import Fault

READERS = 12


def counts_add_up(status: dict[str, object]) -> bool:
    states = ("accepted", "deferred", "failed", "uncertain", "queued")
    skipped = status["skipped"]
    assert isinstance(skipped, dict)
    return sum(int(str(status[s])) for s in states) + sum(skipped.values()) == status["audience"]


def approve_and_send(project: Project, issue: Path, exit_code: int = 0) -> dict[str, object]:
    project.run("approve", issue, "--list", "readers")
    status: dict[str, object] = project.json(
        "send", issue, "--list", "readers", "--live", "--confirm", READERS, exit_code=exit_code
    )
    assert counts_add_up(status)
    return status


def test_a_dry_run_writes_every_message_and_changes_nothing(project: Project) -> None:
    status = project.json("send", project.issue, "--csv", project.csv, "--out", "out")
    assert (status["accepted"], status["audience"]) == (READERS, READERS)
    assert counts_add_up(status)
    messages = sorted((project.folder / "out").glob("*.eml"))
    assert len(messages) == READERS
    parsed = BytesParser(policy=policy.default).parsebytes(messages[0].read_bytes())
    assert parsed["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert {part.get_content_type() for part in parsed.iter_parts()} == {"text/plain", "text/html"}
    assert "No lists yet" in project.run("subscribers", "lists")
    assert project.json("status") == {"campaigns": []}


def test_a_reader_who_leaves_by_the_header_is_skipped_in_the_next_issue(
    project: Project, relay: Relay
) -> None:
    project.run("subscribers", "import", project.csv, "--list", "readers")
    assert approve_and_send(project, project.issue)["accepted"] == READERS
    assert sorted(r.casefold() for r in relay.recipients) == sorted(
        line.split(",")[0].casefold()
        for line in project.csv.read_text(encoding="utf-8").splitlines()[1:]
    )

    gone = "reader02@mail.example"
    header = relay.headers(gone)["List-Unsubscribe"]
    status = one_click(project, header.strip(" <>"))
    assert status == 200

    relay.server.received.clear()
    second = project.issue.with_name("second-issue.md")
    text = project.issue.read_text(encoding="utf-8")
    second.write_text(text.replace("four studies tell", "4 studies tell"), encoding="utf-8")
    project.run("approve", second, "--list", "readers")
    status = project.json("send", second, "--list", "readers", "--live", "--confirm", READERS - 1)
    assert status["skipped"] == {"unsubscribed": 1}
    assert counts_add_up(status)
    assert gone not in relay.recipients
    assert len(relay.recipients) == READERS - 1

    project.run("subscribers", "import", project.csv, "--list", "readers")
    again = project.json("send", second, "--list", "readers", "--again", "test")
    assert again["skipped"] == {"unsubscribed": 1}, "an import must not bring anybody back"


def one_click(project: Project, url: str) -> int:
    """POST to a one-click URL while `send.py serve` runs, as a mail provider does."""
    path = url.split("/u/")[1]
    process = project.start("serve", "--port", "0")
    try:
        assert process.stdout
        address = re.search(r"http://\S+", process.stdout.readline())
        assert address
        request = urllib.request.Request(
            f"{address[0]}u/{path}", data=b"List-Unsubscribe=One-Click", method="POST"
        )
        with urllib.request.urlopen(request, timeout=GIVE_UP_S) as answer:
            return int(answer.status)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=GIVE_UP_S)


def test_nothing_is_sent_that_was_not_approved(project: Project, relay: Relay) -> None:
    project.run("subscribers", "import", project.csv, "--list", "readers")
    send = ("send", project.issue, "--list", "readers", "--live", "--confirm", READERS)
    assert "not approved" in project.run(*send, exit_code=1)

    project.run("approve", project.issue, "--list", "readers")
    with project.issue.open("a", encoding="utf-8") as file:
        file.write("\nOne more comma, and the approval is gone.\n")
    said = project.run(*send, exit_code=1)
    assert "has changed since" in said
    assert relay.recipients == []


def test_an_approval_for_one_list_is_none_for_another(project: Project, relay: Relay) -> None:
    for name in ("readers", "others"):
        project.run("subscribers", "import", project.csv, "--list", name)
    project.run("approve", project.issue, "--list", "others")
    send = ("send", project.issue, "--list", "readers", "--live", "--confirm", READERS)
    assert "not approved" in project.run(*send, exit_code=1)
    assert relay.recipients == []


def test_a_wrong_count_sends_nothing_and_the_right_one_still_can(
    project: Project, relay: Relay
) -> None:
    project.run("subscribers", "import", project.csv, "--list", "readers")
    project.run("approve", project.issue)
    send = ("send", project.issue, "--list", "readers", "--live")
    assert "not confirmed" in project.run(*send, "--confirm", 11, exit_code=1)
    assert "not confirmed" in project.run(*send, exit_code=1, stdin="yes\n")
    assert relay.recipients == []
    project.run(*send, stdin=f"{READERS}\n")
    assert len(relay.recipients) == READERS


def test_sending_again_doubles_nobody(project: Project, relay: Relay) -> None:
    project.run("subscribers", "import", project.csv, "--list", "readers")
    approve_and_send(project, project.issue)
    said = project.run("send", project.issue, "--list", "readers", "--live", "--confirm", READERS)
    assert "was already sent to this list" in said
    assert len(relay.recipients) == READERS


def test_after_an_edit_those_who_have_the_issue_are_skipped(project: Project, relay: Relay) -> None:
    project.run("subscribers", "import", project.csv, "--list", "readers")
    approve_and_send(project, project.issue)
    text = project.issue.read_text(encoding="utf-8")
    project.issue.write_text(text.replace("lasting relief", "relief that lasts"), encoding="utf-8")
    project.csv.write_text("email,first_name\nnew@mail.example,New\n", encoding="utf-8")
    project.run("subscribers", "import", project.csv, "--list", "readers")
    project.run("approve", project.issue)
    status = project.json("send", project.issue, "--list", "readers", "--live", "--confirm", 1)
    assert status["skipped"] == {"already-sent": READERS}
    assert relay.recipients.count("new@mail.example") == 1
    assert len(relay.recipients) == READERS + 1


def test_one_refused_recipient_of_twelve_is_named_and_the_others_get_it(
    project: Project, relay: Relay
) -> None:
    relay.server.faults = [Fault("rcpt", reply="550 5.1.1 no such user", to="reader03")]
    project.run("subscribers", "import", project.csv, "--list", "readers")
    status = approve_and_send(project, project.issue, exit_code=1)
    assert (status["accepted"], status["failed"]) == (READERS - 1, 1)
    assert project.json("status", status["campaign"], exit_code=1)["failed"] == 1


def test_ctrl_c_drains_and_the_same_command_goes_on(project: Project, relay: Relay) -> None:
    rows = "".join(f"reader{n:04}@mail.example,R{n}\n" for n in range(400))
    project.csv.write_text(f"email,first_name\n{rows}", encoding="utf-8")
    relay.server.faults = [Fault("dot", delay=0.1)]
    project.environment["NEWSLETTER_SMTP__CONNECTIONS"] = "2"
    project.run("approve", project.issue)
    send = ("send", project.issue, "--csv", project.csv, "--live", "--confirm", 400)
    process = project.start(*send)
    until(lambda: len(relay.server.received) >= 20)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=GIVE_UP_S)
    assert "Traceback" not in err
    (half,) = project.json("status")["campaigns"]
    assert counts_add_up(half)
    assert half["uncertain"] == 0
    assert 20 <= half["accepted"] < 400, (out, err)
    assert half["queued"] == 400 - half["accepted"]
    relay.server.faults = []
    status = project.json(*send)
    assert status["accepted"] == 400
    assert len(set(relay.recipients)) == len(relay.recipients) == 400


def test_no_proof_link_of_a_dry_run_takes_anybody_off_the_list(
    project: Project, relay: Relay
) -> None:
    project.run("subscribers", "import", project.csv, "--list", "readers")
    project.run("send", project.issue, "--list", "readers", "--out", "out")
    first = min((project.folder / "out").glob("*.eml"))
    header = BytesParser(policy=policy.default).parsebytes(first.read_bytes())["List-Unsubscribe"]
    assert one_click(project, str(header).strip(" <>")) == 200
    assert project.json("subscribers", "lists") == {"readers": READERS}


def test_a_test_mail_goes_to_named_addresses_only(project: Project, relay: Relay) -> None:
    project.run("subscribers", "import", project.csv, "--list", "readers")
    project.run("test", project.issue, "--to", "office@clinic.example")
    assert relay.recipients == ["office@clinic.example"]
    assert relay.headers("office@clinic.example")["Subject"].startswith("[TEST] ")
