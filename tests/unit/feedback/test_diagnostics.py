"""Refusals quoted in a bounce: found, and judged."""

import pytest

from newsletter.feedback.diagnostics import Diagnostic, Phase, find_reply, judge


@pytest.mark.parametrize(
    ("text", "reply", "status"),
    [
        ("550 5.1.1 User unknown", "550", "5.1.1"),
        ("host said: 550-5.1.1 no\n    550 5.1.1 really", "550", "5.1.1"),
        ("550 #5.1.0 Address rejected.", "550", "5.1.0"),
        ("was: 550 550 5.1.1 user unknown (state 14)", "550", "5.1.1"),
        ("550 sorry, no mailbox here by that name (#5.1.1)", "550", "5.1.1"),
        ("5.3.0 - Other mail system problem 550-'x'", "550", "5.3.0"),
        ("ERROR_CODE :550, ERROR_CODE :5.1.1 no", "550", "5.1.1"),
        ("Unable to look up. (#4.4.3)", "", "4.4.3"),
        ("554 client 192.0.2.55 refused", "554", ""),
        ("at 10.5.1.1 on port 5500, id 42-550", "", ""),
        ("", "", ""),
    ],
)
def test_codes_are_found(text, reply, status):
    said = find_reply(text)
    assert (said.reply, said.status) == (reply, status)


def test_a_reply_ends_where_the_next_begins():
    said = find_reply("550 <a@b.example> Host unknown\n421 c.example (smtp) Deferred")
    assert said.text == "550 <a@b.example> Host unknown"


def test_a_reply_of_several_lines_is_one_reply():
    assert find_reply("550-5.7.1 too\n550-5.7.1 much\n550 5.7.1 spam").text.endswith("spam")


@pytest.mark.parametrize(
    ("text", "phase"),
    [
        ("said: 550 no (in reply to RCPT TO command)", Phase.RECIPIENT),
        ("after MAIL FROM:<a@b.example>: 550 no", Phase.SENDER),
        ("refused to talk to me: 554 no", Phase.SENDER),
        ("said: 550 no (in reply to end of DATA command)", Phase.CONTENT),
        ("my name was rejected. Remote host said: 501 no", Phase.SENDER),
        ("greeting failed. Remote host said: 554 no", Phase.SENDER),
        (">>> DATA\n<<< 550 no", Phase.CONTENT),
        (
            "Sent <<< RCPT TO:<a@b.example>\nReceived >>> 250\nSent <<< DATA\nReceived >>> 550 no",
            Phase.CONTENT,
        ),
        ("Sent <<< MAIL FROM:<a@b.example>\nReceived >>> 550 no", Phase.SENDER),
        ("550 550 no (state 13).", Phase.SENDER),
        ("550 550 no (state 14).", Phase.RECIPIENT),
        ("550 550 no (state 18).", Phase.CONTENT),
        ("550 no", Phase.UNSAID),
    ],
)
def test_the_phase_is_found(text, phase):
    assert find_reply(text).phase is phase


@pytest.mark.parametrize(
    ("text", "status", "expected"),
    [
        ("550 5.1.1 unknown user", "", "hard"),
        ("550 <a@b.example>: user unknown (in reply to RCPT TO command)", "5.0.0", "hard"),
        ("550 unknown user (in reply to end of DATA command)", "5.0.0", "temporary"),
        ("550 unknown user", "5.0.0", "temporary"),
        ("550 unknown user (in reply to MAIL FROM command)", "5.1.1", "policy"),
        ("550 5.1.1 blocked using an ip list", "5.1.1", "policy"),
        ("550 your address is on our blocklist", "5.1.1", "policy"),
        ("554 This user doesn't have a reader.example account", "5.0.0", "hard"),
        ("550 5.7.1 unknown user", "5.1.1", "policy"),
        ("550 5.7.1 no such recipient (in reply to RCPT TO command)", "5.1.1", "hard"),
        ("Mailbox size limit exceeded", "5.0.0", "temporary"),
        ("Host or domain name not found", "5.4.4", "hard"),
        ("Host or domain name not found, try again", "4.4.3", "temporary"),
        ("host gone.example not found", "", "hard"),
        ("Unknown user: anna@reader.example", "", "hard"),
        ("nothing is said", "5.1.1", "hard"),
        ("550 5.0.0 nothing is said", "5.1.1", "hard"),
        ("User not listed in the directory", "5.0.0", "hard"),
        ("The group may not exist, or its domain takes no such user", "", "unknown"),
        ("Die Gruppe oder ihre Adresse existiert nicht", "", "unknown"),
        ("グループのアドレスは存在しないか、投稿できません", "", "unknown"),
        ("550 5.1.1 no such group or user", "", "hard"),
        ("after end of data, host mx.reader.example: no such user", "", "temporary"),
        ("550 no such user at mx.account-domain.example", "", "temporary"),
        ("552 action aborted, mailbox not found (in reply to end of DATA command)", "", "hard"),
        ("nothing is said", "5.0.0", "unknown"),
        ("refused to talk to me: 550 Rejected", "", "policy"),
    ],
)
def test_a_refusal_is_judged(text, status, expected):
    assert judge(find_reply(text), status=status) == expected


@pytest.mark.parametrize("text", ["550 5.1.1 no such user", "unknown user", "556 null MX"])
def test_a_delayed_message_is_never_hard(text):
    assert judge(find_reply(text), delayed=True) != "hard"


def test_an_empty_report_is_unknown():
    assert judge(Diagnostic()) == "unknown"
