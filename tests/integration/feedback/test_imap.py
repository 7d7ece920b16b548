"""The mailbox over IMAP: what is moved, when, and what happens when something breaks."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from newsletter.errors import InputError, NewsletterError, RefusedError, UnavailableError
from newsletter.feedback.imap import BATCH, MARK, WINDOW, open_mailbox
from newsletter.feedback.imap_intake import MailboxSummary, process_mailbox
from newsletter.feedback.intake import MailIntake
from newsletter.feedback.message import MAX_BYTES
from tests.integration.feedback.conftest import HOLD_AFTER, KEYS, Sent
from tests.integration.feedback.test_mail import bounce, verp
from tests.support.imap_server import PASSWORD, Postbox, imap_server
from tests.support.smtp_server import certificate

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
LETTER = b"From: reader1@mail.example\nSubject: Thank you\n\nDear doctor,\nthat was good to read.\n"


@pytest.fixture
def postbox() -> Iterator[Postbox]:
    with imap_server() as running:
        yield running


def empty(sent: Sent, postbox: Postbox, **changes: Any) -> MailboxSummary:
    settings = postbox.settings(**changes)
    with open_mailbox(settings) as mailbox:
        return process_mailbox(
            mailbox, MailIntake(sent.store, KEYS, hold_after=HOLD_AFTER), settings
        )


def offering(*hidden: bytes) -> Any:
    """A server without these capabilities."""

    def told(line: bytes) -> bytes:
        for name in hidden:
            line = line.replace(b" " + name, b"") if b"CAPABILITY" in line else line
        return line

    return told


def test_verified_mail_and_mail_for_people_go_to_two_folders(sent, postbox):
    postbox.put(bounce(verp(sent, 2)), bounce(), LETTER)
    done = empty(sent, postbox)
    assert sent.suppressed(2) == {"bounced"}
    assert done.moved == {"Processed": 1, "Unverified": 2}
    assert postbox.counts() == (0, 1, 2)
    assert empty(sent, postbox).intake.messages == 0


def test_a_mailbox_larger_than_a_batch_is_emptied(sent, postbox):
    mails = [b"X-Number: %d\n" % n + bounce(verp(sent, 1 + n % 4)) for n in range(BATCH * 2 + 3)]
    postbox.put(*mails)
    assert empty(sent, postbox).intake.messages == len(mails)
    assert postbox.counts() == (0, len(mails), 0)


def test_a_mailbox_larger_than_a_window_is_emptied(sent, postbox):
    postbox.put(*(b"Subject: %d\n\nx\n" % n for n in range(WINDOW + 2)))
    assert empty(sent, postbox).intake.messages == WINDOW + 2
    assert postbox.counts() == (0, 0, WINDOW + 2)
    assert max(len(line) for line in postbox.wire.log if b"SEARCH" in line) < 1000


def test_the_same_message_from_a_file_is_recognized(sent, postbox):
    mail = bounce(verp(sent, 2))
    MailIntake(sent.store, KEYS, hold_after=HOLD_AFTER).read([mail.strip(b"\n")])
    postbox.put(mail)
    assert empty(sent, postbox).intake.repeated == 1


def test_without_move_messages_are_copied_and_only_those_expunged(sent, postbox):
    postbox.wire.told = offering(b"MOVE")
    postbox.put(bounce(verp(sent, 2)), LETTER)
    with postbox.session() as owner:
        owner.select("INBOX")
        owner.append("INBOX", r"(\Deleted)", "", b"Subject: the owner's own\r\n\r\nx\r\n")
    assert empty(sent, postbox).moved == {"Processed": 1, "Unverified": 1}
    assert postbox.counts() == (1, 1, 1)
    assert not any(b" EXPUNGE\r\n" in line for line in postbox.wire.log)


def test_without_move_and_uidplus_messages_are_marked_and_not_read_again(sent, postbox):
    hide = offering(b"MOVE", b"UIDPLUS")
    stand_in = rb"\Flagged"  # pymap keeps no keywords of its users
    postbox.wire.told = lambda line: hide(line).replace(stand_in, MARK.encode())
    postbox.wire.asked = lambda line: line.replace(MARK.encode(), stand_in)
    postbox.put(bounce(verp(sent, 2)), LETTER)
    done = empty(sent, postbox)
    assert (done.moved, done.left, done.intake.messages) == ({}, 2, 2)
    assert empty(sent, postbox).intake.messages == 0
    assert postbox.counts() == (2, 0, 0)


def flagged(line: bytes) -> bytes:
    """Flags that another program set: a number, and a bracket that IMAPClient cannot parse."""
    return line.replace(rb"FLAGS (", rb"FLAGS (7 ").replace(rb"\Seen", rb"a[b \Seen")


def test_other_programs_flags_are_no_obstacle(sent, postbox):
    postbox.put(LETTER)
    with postbox.session() as owner:
        owner.select("INBOX")
        owner.store("1", "+FLAGS", r"(\Seen)")
    postbox.wire.told = lambda line: flagged(line) if b" FETCH " in line else line
    assert empty(sent, postbox).moved == {"Unverified": 1}


def test_a_flag_that_is_a_number_is_no_obstacle_where_flags_are_read(sent, postbox):
    hide = offering(b"MOVE", b"UIDPLUS")
    postbox.wire.told = lambda line: hide(line).replace(rb"FLAGS (", b"FLAGS (7 ")
    postbox.wire.asked = lambda line: line.replace(MARK.encode(), rb"\Flagged")
    postbox.put(LETTER)
    assert empty(sent, postbox).left == 1


def test_nothing_moves_before_its_outcome_is_committed(sent, postbox):
    """At the moment of the move, another connection to the database sees the event."""
    seen: list[int] = []

    def asked(line: bytes) -> bytes:
        if b" MOVE " in line:
            seen.append(sent.count())
        return line

    postbox.wire.asked = asked
    postbox.put(bounce(verp(sent, 2)))
    empty(sent, postbox)
    assert seen == [1]


@pytest.mark.parametrize("step", [b" FETCH ", b" MOVE ", b" NOOP", b" SELECT "])
def test_after_a_lost_connection_the_next_run_does_the_rest(sent, postbox, step):
    postbox.put(bounce(verp(sent, 2)), LETTER)
    postbox.wire.asked = lambda line: None if step in line else line
    with pytest.raises(UnavailableError, match="closed the connection"):
        empty(sent, postbox)
    assert postbox.counts() == (2, 0, 0)
    postbox.wire.asked = lambda line: line
    empty(sent, postbox)
    assert (sent.count(), postbox.counts()) == (1, (0, 1, 1))
    assert sent.suppressed(2) == {"bounced"}


def test_a_folder_that_was_replaced_meanwhile_is_left_alone(sent, postbox):
    postbox.put(bounce(verp(sent, 2)))

    def told(line: bytes) -> bytes:
        changed = b"* OK [UIDVALIDITY 7] UIDs valid.\r\n"
        return changed + line if re.search(rb" OK .*NOOP completed", line) else line

    postbox.wire.told = told
    with pytest.raises(UnavailableError, match="replaced"):
        empty(sent, postbox)
    assert postbox.counts() == (1, 0, 0)


ANSWERS = {
    "UIDVALIDITY": (rb"UIDVALIDITY \d+", b"UIDVALIDITY x"),
    "EXISTS": (rb"\* \d+ EXISTS", b"* x EXISTS"),
    "a UID": (rb"UID \d+\)", b"UID x)"),
    "no UID": (rb"\(UID \d+\)", b"()"),
    "SEARCH": (rb"\* SEARCH.*", b"* SEARCH x"),
    "a list": (rb"FETCH \(", b"FETCH x ("),
    "a literal": (rb"\{(\d+)\}\r", b"{1}\r"),
    "STATUS": (rb"\* STATUS.*", b'* STATUS "'),
    "a continuation": (rb"(?=\S+ OK NOOP)", b"+ idling\r\n"),
    "a quote": (rb"(?=\S+ OK NOOP)", b'* LIST "\r\n'),
    "nothing": (rb"(?=\S+ OK NOOP)", b"* \r\n"),
    "MOVE": (rb" OK(?=.*MOVE completed)", b" NO"),
    "FETCH": (rb" OK(?=.*FETCH completed)", b" BAD"),
}


@pytest.mark.parametrize(("wrong", "answer"), ANSWERS.values(), ids=ANSWERS.keys())
def test_a_malformed_answer_is_an_error_and_loses_nothing(sent, postbox, wrong, answer):
    postbox.put(bounce(verp(sent, 2)), LETTER)
    postbox.wire.told = lambda line: re.sub(wrong, answer, line)
    with suppress(NewsletterError):
        empty(sent, postbox)
    postbox.wire.told = lambda line: line
    empty(sent, postbox)
    assert (sent.count(), postbox.counts()) == (1, (0, 1, 1))


def test_a_refused_move_is_reported(sent, postbox):
    postbox.put(LETTER)
    postbox.wire.told = lambda line: re.sub(rb" OK (?=.*MOVE completed)", b" NO ", line)
    with pytest.raises(UnavailableError, match="refuses MOVE"):
        empty(sent, postbox)


ODD = {
    "a blank line": b"\n",
    "8-bit": b"From: J\xf6rg <j@mail.example>\nSubject: Gr\xfc\xdfe\n\n\xff\xfe\x80 caf\xe9\n",
    "broken MIME": b'Content-Type: multipart/report; boundary="x\n\n--x\n--y\n--x--\n',
    "no end": b"Subject: x\nContent-Type: text/plain; charset=\x00",
    "looks like an answer": b"Subject: x\n\n)\n* 1 FETCH (UID 999 BODY[]<0> {5}\nA1 OK done\n",
    "short": b"x",
}


@pytest.mark.parametrize("message", ODD.values(), ids=ODD.keys())
def test_odd_mail_is_left_for_people(sent, postbox, message):
    postbox.put(message)
    empty(sent, postbox)
    assert postbox.counts() == (0, 0, 1)


def test_an_empty_message_is_moved_like_any_other(sent, postbox):
    """Its body may come as a string instead of a literal (RFC 9051 section 4.3)."""
    postbox.put(b"x")
    lines: list[bytes] = [b""]

    def told(line: bytes) -> bytes:
        lines.append(line)
        if line.endswith(b"{1}\r\n"):
            return line.removesuffix(b"{1}\r\n") + b'""'
        return line[1:] if lines[-2].endswith(b"{1}\r\n") else line

    postbox.wire.told = told
    assert empty(sent, postbox).intake.kinds == {"other": 1}
    assert postbox.counts() == (0, 0, 1)


def test_only_the_beginning_of_huge_mail_is_read(sent, postbox):
    postbox.put(bounce(verp(sent, 2)) + b"x" * 70 + b"\n" + (b"y" * 70 + b"\n") * (MAX_BYTES // 10))
    lines: list[bytes] = []

    def told(line: bytes) -> bytes:
        lines.append(line)
        return line

    postbox.wire.told = told
    empty(sent, postbox)
    assert sent.suppressed(2) == {"bounced"}
    assert sum(map(len, lines)) < 2.1 * MAX_BYTES


def test_a_read_only_folder_is_refused_before_anything_is_read(sent, postbox):
    postbox.put(bounce(verp(sent, 2)))
    postbox.wire.told = lambda line: line.replace(b"[READ-WRITE]", b"[READ-ONLY]")
    with pytest.raises(RefusedError, match="read-only"):
        empty(sent, postbox)
    assert sent.count() == 0


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"password": "wrong"}, RefusedError, "refuses the login.*NEWSLETTER_IMAP__PASSWORD"),
        ({"password": "pässwort"}, RefusedError, "refuses the login"),
        ({"folder": "Nowhere"}, InputError, "no folder Nowhere.*imap.folder"),
        ({"processed": "Done"}, InputError, "no folder Done.*imap.processed"),
        ({"unverified": "Odd ones"}, InputError, "no folder Odd ones.*imap.unverified"),
        ({"host": ""}, InputError, "imap.host"),
        ({"host": "mail.clinic.example"}, RefusedError, "in the clear"),
        ({"port": 1}, UnavailableError, "imap.port"),
        ({"security": "tls"}, UnavailableError, "imap.security"),
        ({"security": "starttls"}, UnavailableError, "imap.security"),
        ({"security": "tls", "ca_file": "missing.pem"}, InputError, "imap.ca_file"),
    ],
)
def test_each_failure_says_what_to_fix(sent, postbox, changes, kind, words):
    with pytest.raises(kind, match=words) as error:
        empty(sent, postbox, **changes)
    assert PASSWORD not in str(error.value)


def test_a_server_without_sasl_is_logged_into(sent, postbox):
    postbox.wire.told = offering(b"AUTH=PLAIN")
    postbox.put(LETTER)
    empty(sent, postbox)
    assert any(b" LOGIN " in line for line in postbox.wire.log)
    assert postbox.counts() == (0, 0, 1)


def test_a_name_with_quotes_stays_one_argument(sent, postbox):
    postbox.wire.told = offering(b"AUTH=PLAIN")
    with pytest.raises(RefusedError, match="refuses the login"):
        empty(sent, postbox, username='a" b\\')
    assert any(rb'LOGIN "a\" b\\" "' in line for line in postbox.wire.log)


@pytest.mark.parametrize("hidden", [(), (b"AUTH=PLAIN",)], ids=["PLAIN", "LOGIN"])
def test_a_connection_lost_at_the_login_is_not_called_a_wrong_password(sent, postbox, hidden):
    postbox.wire.told = offering(*hidden)
    login = re.compile(rb" (?:LOGIN|AUTHENTICATE) ")
    postbox.wire.asked = lambda line: None if login.search(line) else line
    with pytest.raises(UnavailableError, match="closed the connection"):
        empty(sent, postbox)


def test_a_server_that_repeats_the_password_is_not_quoted(sent, postbox, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    said = " NO pässwort secret-of-the-mailbox is wrong\r\n".encode()
    postbox.wire.told = lambda line: re.sub(rb" NO .*\r\n", said, line)
    with pytest.raises(RefusedError) as error:
        empty(sent, postbox, password="secret-of-the-mailbox")
    assert "secret-of-the-mailbox" not in f"{error.value}{caplog.text}{capfd.readouterr()}"


def test_a_silent_server_times_out(sent, postbox):
    postbox.wire.told = lambda line: b""
    with pytest.raises(UnavailableError, match=r"does not answer.*imap\.timeout"):
        empty(sent, postbox, timeout=0.3)


def test_the_certificate_is_verified(sent, tmp_path):
    _, authority = certificate(tmp_path)
    with imap_server(tmp_path) as postbox:
        postbox.put(LETTER)
        safe = {"port": postbox.direct, "security": "starttls"}
        with pytest.raises(UnavailableError, match=r"not trusted.*imap\.ca_file"):
            empty(sent, postbox, **safe)
        empty(sent, postbox, **safe, ca_file=str(authority))
        assert postbox.counts() == (0, 0, 1)


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\r\nb", "", "Gelöscht"])
def test_folder_names_that_no_server_lists_are_refused(sent, postbox, name):
    with pytest.raises(ValueError, match="folder"):
        postbox.settings(folder=name)


def test_mail_is_never_moved_into_the_folder_that_is_read(sent, postbox):
    with pytest.raises(ValueError, match="other folders"):
        postbox.settings(processed="INBOX")
    assert issubclass(UnavailableError, NewsletterError)
