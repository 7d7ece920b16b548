"""The report of a real send that did not go smoothly, in every form."""

from __future__ import annotations

import csv
import io
import stat

from tests.acceptance.conftest import Project, Relay
from tests.acceptance.test_main_job import READERS, counts_add_up
from tests.support.smtp_server import Fault

SPAM = "554 5.7.1 message from [192.0.2.1] blocked: =bad reputation <b>"


def send_with_failures(project: Project, relay: Relay) -> int:
    relay.server.faults = [
        Fault("rcpt", reply="550 5.1.1 no such user", to="reader03"),
        Fault("rcpt", reply=SPAM, to="reader05"),
        Fault("dot", drop="after", to="reader07"),
    ]
    project.environment["NEWSLETTER_SMTP__CONNECTIONS"] = "1"
    project.run("subscribers", "import", project.csv, "--list", "readers")
    project.run("subscribers", "suppress", "reader09@post.example", "--reason", "asked")
    project.run("approve", project.issue, "--list", "readers", "--by", "doctor")
    send = ("send", project.issue, "--list", "readers", "--live", "--by", "nurse")
    status = project.json(*send, "--confirm", READERS - 1, exit_code=1)
    return int(status["campaign"])


def test_a_report_in_every_form(project: Project, relay: Relay) -> None:
    campaign = send_with_failures(project, relay)

    told = project.json("report", campaign)
    assert counts_add_up(told)
    states = {name: told[name] for name in ("accepted", "failed", "uncertain", "skipped")}
    assert states == {"accepted": 8, "failed": 2, "uncertain": 1, "skipped": {"manual": 1}}
    assert [each["by"] for each in told["approvals"]] == ["doctor"]
    assert {step["by"] for step in told["history"]} == {"nurse"}
    assert told["transport"] == "smtp"
    assert told["refusals"] == {"hard": 1, "policy": 1}
    assert sum(told["accepted_by_minute"].values()) == 8
    assert told["unreported"] == 8, "nothing came back yet"
    assert [each["kind"] for each in told["alerts"]] == ["sender-refused"]
    assert (
        sum(each["mailable"] for each in told["domains"])
        + (told["other_domains"] or {"mailable": 0})["mailable"]
        == READERS - 1
    )

    rows = list(csv.DictReader(io.StringIO(project.run("report", campaign, "--csv"))))
    assert len(rows) == READERS
    by_address = {row["address"]: row for row in rows}
    assert by_address["reader03@mail.example"]["reason"] == "hard"
    assert by_address["reader05+newsletter@mail.example"]["reply"] == SPAM.split(" ", 1)[1]
    assert by_address["reader09@post.example"]["reason"] == "manual"

    text = project.run("report", campaign)
    assert "reader07@post.example" in text
    assert "ALERT" in text

    page = project.folder / "report.html"
    project.run("report", campaign, "--html", page)
    html = page.read_text(encoding="utf-8")
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert "reader03" not in html
    assert "about us as a sender" in html
    assert "<b>" not in html
    for outside in ('<link rel="stylesheet"', "<script", "src=", "@import", "url("):
        assert outside not in html, "the page needs nothing beside it"


def test_a_report_that_cannot_be(project: Project) -> None:
    assert "no campaign 7" in project.run("report", 7, exit_code=1)
    assert "no campaign 7" in project.run("report", 7, "--csv", exit_code=1)
    assert "choose only one" in project.run("report", 7, "--csv", "--json", exit_code=2)
