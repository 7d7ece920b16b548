"""What a refusal says, in the words that servers really use."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.smtp_replies.classify import ReplyClass, classify, enhanced_status


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (550, "5.1.1 The email account that you tried to reach does not exist", "hard"),
        (550, "5.1.1 <a@b.example>: Recipient address rejected: User unknown", "hard"),
        (550, "No such user here", "hard"),
        (550, "5.0.0 unknown user", "hard"),
        (550, "5.7.1 No such user", "hard"),
        (550, "5.4.1 Recipient address rejected: Access denied.", "hard"),
        (550, "5.4.310 DNS domain does not exist", "hard"),
        (556, "5.1.10 Recipient address has null MX", "hard"),
        (550, "5.7.17 The mailbox owner has changed", "hard"),
        (554, "delivery error: This user doesn't have a mailbox: user unknown", "hard"),
        (452, "4.2.2 The recipient's inbox is out of storage space", "temporary"),
        (552, "5.2.2 Mailbox full", "temporary"),
        (550, "Mailbox is full", "temporary"),
        (552, "Requested mail action aborted", "temporary"),
        (450, "4.1.1 user unknown, for now", "temporary"),
        (451, "4.7.1 Greylisted, come back in five minutes", "temporary"),
        (421, "4.3.2 Service shutting down", "temporary"),
        (450, "busy", "temporary"),
        (554, "5.4.7 Delivery expired", "temporary"),
        (421, "4.7.28 Our system has detected an unusual rate of mail", "policy"),
        (550, "5.7.26 This mail is unauthenticated", "policy"),
        (550, "5.7.515 Access denied, sending domain does not meet the level", "policy"),
        (550, "5.7.1 Message refused", "policy"),
        (554, "Service unavailable; client host blocked using a blocklist", "policy"),
        (550, "Message looks like spam", "policy"),
        (552, "5.3.4 Message too big for system", "policy"),
        (550, "5.6.0 malformed", "policy"),
        (553, "5.1.8 sender's domain does not resolve", "policy"),
        (535, "5.7.8 wrong password", "policy"),
        (553, "5.6.7 the address needs SMTPUTF8", "unknown"),
        (550, "Requested action not taken: mailbox unavailable", "hard"),
        (550, "Mailbox anna@reader.example not found", "hard"),
        (550, "5.1.0 Address rejected", "hard"),
        (550, "Invalid recipient anna@reader.example", "hard"),
        (554, "delivery error: This user doesn't have a reader.example account", "hard"),
        (550, "No such domain", "hard"),
        (521, "5.3.2 System not accepting network messages", "hard"),
        (556, "", "hard"),
        (521, "", "hard"),
        (521, "blocked: listed by a blocklist", "policy"),
        (521, "try again later", "temporary"),
        (550, "Empfänger unbekannt", "hard"),
        (550, "Utilisateur inconnu", "hard"),
        (550, "Domain of sender address news@clinic.example does not exist", "policy"),
        (550, "Sender address rejected: Domain not found", "policy"),
        (521, "5.7.1 client blocked", "policy"),
        (550, "From: domain is invalid", "policy"),
        (550, "Message rejected: virus found", "policy"),
        (550, "Reverse DNS of mta.clinic.example does not exist", "policy"),
        (525, "Disabled recipient address", "temporary"),
        (550, "User mailbox exceeds allowed size", "temporary"),
        (554, "Host not found, try again", "temporary"),
        (554, "5.3.0 Other mail system problem, unknown user", "temporary"),
        (554, "unknown mailer error 255", "temporary"),
        (550, "mailbox unavailable", "hard"),
        (554, "Transaction failed", "unknown"),
        (503, "5.5.1 bad sequence of commands", "unknown"),
        (250, "2.1.5 ok", "unknown"),
        (None, "", "unknown"),
    ],
)
def test_each_reply_is_classified(code, text, expected):
    assert classify(code, "", text) == expected
    assert classify(code, enhanced_status(text), text) == expected


@given(st.integers(400, 499), st.text())
def test_a_4xx_reply_is_never_hard(code, text):
    assert classify(code, "", "4.0.0 " + text) is not ReplyClass.HARD


@given(st.one_of(st.none(), st.integers(0, 999)), st.text(max_size=12), st.text())
def test_any_reply_gets_a_class(code, status, text):
    assert classify(code, status, text) in ReplyClass


@pytest.mark.parametrize(
    ("text", "status"),
    [("5.1.1 no", "5.1.1"), ("4.7.28", "4.7.28"), ("5.4.310 x", "5.4.310"), ("127.0.0.1 x", ""),
     ("5.1.1.1 x", ""), ("no 5.1.1", ""), ("3.1.1 x", ""), ("", "")],
)  # fmt: skip
def test_the_enhanced_status_code_is_found(text, status):
    assert enhanced_status(text) == status
