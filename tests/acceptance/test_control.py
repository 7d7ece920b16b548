"""Stopping, scheduling, trying again and settling doubts, by the commands a person types."""

from __future__ import annotations

import signal
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.acceptance.conftest import GIVE_UP_S, Project, Relay, until
from tests.support.smtp_server import Fault

READERS = 12


def ready(project: Project, number: int = 0) -> tuple[Any, ...]:
    """An approved issue and a list; the arguments of its live send."""
    if number:
        rows = "".join(f"reader{n:04}@mail.example,R{n}\n" for n in range(number))
        project.csv.write_text(f"email,first_name\n{rows}", encoding="utf-8")
    project.run("subscribers", "import", project.csv, "--list", "readers")
    project.run("approve", project.issue)
    confirm = number or READERS
    return ("send", project.issue, "--list", "readers", "--live", "--confirm", confirm)


def ended(process: subprocess.Popen[str], exit_code: int) -> str:
    out, err = process.communicate(timeout=GIVE_UP_S)
    assert process.returncode == exit_code, (out, err)
    assert "Traceback" not in err
    return out + err


def state(project: Project) -> str:
    (found,) = project.json("status")["campaigns"]
    return str(found["state"])


def test_a_pause_from_elsewhere_stops_a_slow_sending_and_resume_goes_on(
    project: Project, relay: Relay
) -> None:
    send = ready(project, 200)
    # A second each: a busy sender may take that long to see that it is paused.
    relay.server.faults = [Fault("dot", delay=1.0)]
    project.environment["NEWSLETTER_SMTP__CONNECTIONS"] = "1"
    process = project.start(*send)
    until(lambda: len(relay.server.received) >= 3)
    said = project.run("pause", 1, "--by", "maria")
    went = len(relay.server.received)
    ended(process, 1)
    assert "Campaign 1 is paused: " in said
    assert len(relay.server.received) <= went + 2, "a message or two were on the wire"
    found = project.json("status", 1)
    assert (found["accepted"], found["uncertain"]) == (len(relay.server.received), 0)
    assert "resume" in project.run(*send, exit_code=1)

    relay.server.faults = []
    project.run("resume", 1)
    assert project.json(*send)["accepted"] == 200
    assert len(relay.recipients) == len(set(relay.recipients)) == 200


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_who_ends_it_or_closes_its_terminal_leaves_nothing_uncertain(
    project: Project, relay: Relay, ending: signal.Signals
) -> None:
    relay.server.faults = [Fault("dot", delay=0.5)]
    send = ready(project, 200)
    process = project.start(*send)
    until(lambda: len(relay.server.received) >= 3)
    process.send_signal(ending)
    ended(process, 1)
    found = project.json("status", 1)
    assert (found["accepted"], found["uncertain"]) == (len(relay.server.received), 0)
    assert found["queued"] == 200 - found["accepted"] > 0


def test_a_send_under_nohup_outlives_its_terminal(project: Project, relay: Relay) -> None:
    relay.server.faults = [Fault("dot", delay=0.05)]
    send = ready(project, 60)
    process = project.start(*send, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    until(lambda: len(relay.server.received) >= 3)
    process.send_signal(signal.SIGHUP)
    ended(process, 0)
    assert len(relay.server.received) == 60


@pytest.mark.parametrize("how", ["Ctrl-C", "pause"])
def test_nobody_waits_for_a_server_that_does_not_answer(
    project: Project, relay: Relay, how: str
) -> None:
    relay.server.faults = [Fault("connect", delay=600)]
    project.environment["NEWSLETTER_SMTP__TIMEOUT"] = "600"
    send = ready(project)
    process = project.start(*send)
    until(lambda: relay.server.connections)
    if how == "Ctrl-C":
        process.send_signal(signal.SIGINT)
    else:
        project.run("pause", 1)
    _, err = process.communicate(timeout=GIVE_UP_S)
    assert "Traceback" not in err
    found = project.json("status", 1)
    assert (found["queued"], found["uncertain"]) == (READERS, 0)


def test_a_scheduled_send_waits_and_ctrl_c_leaves_it_scheduled(
    project: Project, relay: Relay
) -> None:
    send = ready(project)
    at = (datetime.now(UTC) + timedelta(days=2)).isoformat(timespec="seconds")
    process = project.start(*send, "--at", at)
    until(lambda: project.json("status")["campaigns"] and state(project) == "scheduled")
    process.send_signal(signal.SIGINT)
    assert "stays scheduled" in ended(process, 130)
    found = project.json("status", 1)
    assert (found["state"], found["queued"], found["not_before"][:10]) == (
        "scheduled",
        READERS,
        at[:10],
    )
    assert relay.recipients == []
    assert "It starts on" in project.run("status", 1)
    said = project.run("cancel", 1)
    assert "0 accepted" in said
    project.run(*send)
    assert len(relay.recipients) == READERS


def test_a_time_that_is_past_sends_nothing(project: Project, relay: Relay) -> None:
    send = ready(project)
    assert "is in the past" in project.run(*send, "--at", "2020-01-01T09:00", exit_code=1)
    assert "not a date" in project.run(*send, "--at", "soon", exit_code=1)
    assert "With --live it would start on" in project.run(*send[:4], "--at", "2100-01-01T09:00")
    assert relay.recipients == []
    assert project.json("status") == {"campaigns": []}


def test_ctrl_c_in_the_undo_window_calls_it_off(project: Project, relay: Relay) -> None:
    project.environment["NEWSLETTER_UNDO_WINDOW"] = "600"
    send = ready(project)
    process = project.start(*send)
    until(lambda: project.json("status")["campaigns"] and state(project) == "scheduled")
    process.send_signal(signal.SIGINT)
    assert "nobody was mailed" in ended(process, 130)
    assert (state(project), relay.recipients) == ("paused", [])


def test_a_sender_that_is_refused_holds_and_says_why(project: Project, relay: Relay) -> None:
    relay.server.faults = [Fault("rcpt", reply="550 5.7.1 blocked: poor reputation")]
    send = ready(project, 300)
    said = project.run(*send, exit_code=1)
    assert "It paused by itself: " in said
    assert "replies reject us as a sender" in said
    found = project.json("status", 1, exit_code=1)
    assert found["state"] == "paused"
    assert found["queued"] > 0

    relay.server.faults = []
    project.run("resume", 1)
    project.run("retry", 1, "--failed", "--by", "maria", "--reason", "we are off the block list")
    assert project.json(*send)["accepted"] == 300
    assert len(relay.recipients) == len(set(relay.recipients)) == 300


def test_retry_needs_a_reason_and_says_how_many(project: Project, relay: Relay) -> None:
    relay.server.faults = [Fault("rcpt", reply="554 transaction failed", to="reader03")]
    send = ready(project)
    project.run(*send, exit_code=1)
    assert "--reason" in project.run("retry", 1, "--failed", exit_code=2)
    relay.server.faults = []
    said = project.run("retry", 1, "--failed", "--reason", "the address was corrected")
    assert "Requeued 1 failed delivery." in said
    assert project.json(*send)["accepted"] == READERS
    assert len(relay.recipients) == READERS


def test_what_is_uncertain_is_listed_and_settled_by_a_person(
    project: Project, relay: Relay
) -> None:
    relay.server.faults = [Fault("dot", drop="after", to="reader02", times=1)]
    send = ready(project)
    project.run(*send, exit_code=1)
    listed = project.json("uncertain", 1, exit_code=1)["uncertain"]
    assert [each["address"] for each in listed] == ["reader02@mail.example"]
    position = listed[0]["position"]
    assert "reader02@mail.example" in project.run("uncertain", 1, exit_code=1)
    assert "--reason" in project.run("uncertain", 1, "--resolve", "accepted", exit_code=2)
    resolve = ("--position", position, "--by", "maria", "--reason", "it is in her mailbox")
    said = project.run("uncertain", 1, "--resolve", "accepted", *resolve)
    assert "no uncertain deliveries" in said
    assert project.json("status", 1)["accepted"] == READERS
    assert "Not uncertain" in project.run(
        "uncertain", 1, "--resolve", "send-again", *resolve, exit_code=1
    )
    project.run(*send)
    assert relay.recipients.count("reader02@mail.example") == 1


def test_a_deferral_says_when_it_is_due_and_retry_brings_it_forward(
    project: Project, relay: Relay
) -> None:
    relay.server.faults = [Fault("rcpt", reply="451 4.7.1 greylisted", to="reader07")]
    send = ready(project)
    process = project.start(*send)
    until(lambda: project.json("status")["campaigns"])
    until(lambda: project.json("status")["campaigns"][0]["deferred"] == 1)
    process.send_signal(signal.SIGINT)
    assert "next retry is due on" in ended(process, 0)
    relay.server.faults = []
    project.run("pause", 1)
    assert "It is paused: `./send.py resume 1`, then run" in project.run("retry", 1)
    project.run("resume", 1)
    assert "1 deferred delivery is due now" in project.run("retry", 1)
    assert project.json(*send)["accepted"] == READERS
