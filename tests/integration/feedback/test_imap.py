"""The mailbox over IMAP: what is put away, when, and what happens when something breaks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from newsletter.errors import InputError, NewsletterError, RefusedError, UnavailableError
from newsletter.feedback.imap import BATCH, MARK, open_mailbox
from newsletter.feedback.imap_intake import MailboxSummary, collect
from newsletter.feedback.intake import MailIntake
from newsletter.feedback.message import MAX_BYTES
from tests.imap_server import PASSWORD, Postbox, imap_server
from tests.integration.feedback.conftest import HOLD_AFTER, KEYS, Sent
from tests.integration.feedback.test_mail import notice, verp
from tests.smtp_server import certificate

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
LETTER = b"From: reader1@mail.example\nSubject: Thank you\n\nDear doctor,\nthat was good to read.\n"


@pytest.fixture
def postbox() -> Iterator[Postbox]:
    with imap_server() as running:
        yield running


def empty(sent: Sent, postbox: Postbox, **changes: Any) -> MailboxSummary:
    settings = postbox.settings(**changes)
    with open_mailbox(settings) as mailbox:
        return collect(mailbox, MailIntake(sent.store, KEYS, hold_after=HOLD_AFTER), settings)


def offering(*hidden: bytes) -> Any:
    """A server that does not know these capabilities."""

    def told(line: bytes) -> bytes:
        for name in hidden:
            line = line.replace(b" " + name, b"") if b"CAPABILITY" in line else line
        return line

    return told


def test_what_is_proved_and_what_a_person_should_see_go_to_two_folders(sent, postbox):
    postbox.put(notice(verp(sent, 2)), notice(), LETTER)
    done = empty(sent, postbox)
    assert sent.suppressed(2) == {"bounced"}
    assert done.moved == {"Processed": 1, "Unverified": 2}
    assert postbox.counts() == (0, 1, 2)
    assert empty(sent, postbox).taken.messages == 0


def test_more_than_a_batch(sent, postbox):
    mails = [b"X-Number: %d\n" % n + notice(verp(sent, 1 + n % 4)) for n in range(BATCH * 2 + 3)]
    postbox.put(*mails)
    assert empty(sent, postbox).taken.messages == len(mails)
    assert postbox.counts() == (0, len(mails), 0)


def test_the_same_message_from_a_file_is_known(sent, postbox):
    mail = notice(verp(sent, 2))
    MailIntake(sent.store, KEYS, hold_after=HOLD_AFTER).read([mail.strip(b"\n")])
    postbox.put(mail)
    assert empty(sent, postbox).taken.repeated == 1


def test_without_move_a_message_is_copied_and_only_that_one_expunged(sent, postbox):
    postbox.wire.told = offering(b"MOVE")
    postbox.put(notice(verp(sent, 2)), LETTER)
    with postbox.session() as owner:
        owner.select("INBOX")
        owner.append("INBOX", r"(\Deleted)", "", b"Subject: the owner's own\r\n\r\nx\r\n")
    assert empty(sent, postbox).moved == {"Processed": 1, "Unverified": 1}
    assert postbox.counts() == (1, 1, 1)
    assert not any(b" EXPUNGE\r\n" in line for line in postbox.wire.log)


def test_with_neither_messages_are_marked_and_not_read_again(sent, postbox):
    hide = offering(b"MOVE", b"UIDPLUS")
    stand_in = rb"\Flagged"  # pymap keeps no keywords of its users
    postbox.wire.told = lambda line: hide(line).replace(stand_in, MARK.encode())
    postbox.wire.asked = lambda line: line.replace(MARK.encode(), stand_in)
    postbox.put(notice(verp(sent, 2)), LETTER)
    done = empty(sent, postbox)
    assert (done.moved, done.left, done.taken.messages) == ({}, 2, 2)
    assert empty(sent, postbox).taken.messages == 0
    assert postbox.counts() == (2, 0, 0)


def test_nothing_moves_before_its_outcome_is_committed(sent, postbox):
    """At the moment of the move, another connection to the database finds the event."""
    seen: list[int] = []

    def asked(line: bytes) -> bytes:
        if b" MOVE " in line:
            seen.append(sent.count())
        return line

    postbox.wire.asked = asked
    postbox.put(notice(verp(sent, 2)))
    empty(sent, postbox)
    assert seen == [1]


@pytest.mark.parametrize("step", [b" FETCH ", b" MOVE ", b" NOOP", b" SELECT "])
def test_a_lost_connection_is_made_good_by_the_next_run(sent, postbox, step):
    postbox.put(notice(verp(sent, 2)), LETTER)
    postbox.wire.asked = lambda line: None if step in line else line
    with pytest.raises(UnavailableError, match="closed the connection"):
        empty(sent, postbox)
    assert postbox.counts() == (2, 0, 0)
    postbox.wire.asked = lambda line: line
    empty(sent, postbox)
    assert (sent.count(), postbox.counts()) == (1, (0, 1, 1))
    assert sent.suppressed(2) == {"bounced"}


def test_a_folder_made_anew_meanwhile_is_left_alone(sent, postbox):
    postbox.put(notice(verp(sent, 2)))

    def told(line: bytes) -> bytes:
        changed = b"* OK [UIDVALIDITY 7] UIDs valid.\r\n"
        return changed + line if re.search(rb"OK.*NOOP completed", line) else line

    postbox.wire.told = told
    with pytest.raises(UnavailableError, match="replaced"):
        empty(sent, postbox)
    assert postbox.counts() == (1, 0, 0)


ODD = {
    "a blank line": b"\n",
    "8-bit": b"From: J\xf6rg <j@mail.example>\nSubject: Gr\xfc\xdfe\n\n\xff\xfe\x80 caf\xe9\n",
    "broken MIME": b'Content-Type: multipart/report; boundary="x\n\n--x\n--y\n--x--\n',
    "no end": b"Subject: x\nContent-Type: text/plain; charset=\x00",
    "looks like a reply": b"Subject: x\n\n)\n* 1 FETCH (UID 999 BODY[]<0> {5}\nA1 OK done\n",
    "short": b"x",
}


@pytest.mark.parametrize("message", ODD.values(), ids=ODD.keys())
def test_odd_mail_is_put_before_a_person(sent, postbox, message):
    postbox.put(message)
    empty(sent, postbox)
    assert postbox.counts() == (0, 0, 1)


def test_a_message_of_nothing_is_put_away_like_any_other(sent, postbox):
    """Such a body may come as a string in place of a literal (RFC 9051 section 4.3)."""
    postbox.put(b"x")
    lines: list[bytes] = [b""]

    def told(line: bytes) -> bytes:
        lines.append(line)
        if line.endswith(b"{1}\r\n"):
            return line.removesuffix(b"{1}\r\n") + b'""'
        return line[1:] if lines[-2].endswith(b"{1}\r\n") else line

    postbox.wire.told = told
    assert empty(sent, postbox).taken.kinds == {"other": 1}
    assert postbox.counts() == (0, 0, 1)


def test_huge_mail_is_read_in_part(sent, postbox):
    postbox.put(notice(verp(sent, 2)) + b"x" * 70 + b"\n" + (b"y" * 70 + b"\n") * (MAX_BYTES // 10))
    lines: list[bytes] = []

    def told(line: bytes) -> bytes:
        lines.append(line)
        return line

    postbox.wire.told = told
    empty(sent, postbox)
    assert sent.suppressed(2) == {"bounced"}
    assert sum(map(len, lines)) < 2.1 * MAX_BYTES


def test_a_read_only_folder_is_refused_before_anything_is_read(sent, postbox):
    postbox.put(notice(verp(sent, 2)))
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
def test_what_cannot_work_says_what_to_mend(sent, postbox, changes, kind, words):
    with pytest.raises(kind, match=words) as error:
        empty(sent, postbox, **changes)
    assert PASSWORD not in str(error.value)


def test_a_login_that_is_not_by_sasl(sent, postbox):
    postbox.wire.told = offering(b"AUTH=PLAIN")
    postbox.put(LETTER)
    empty(sent, postbox)
    assert any(b" LOGIN " in line for line in postbox.wire.log)
    assert postbox.counts() == (0, 0, 1)


def test_a_server_that_says_nothing_is_not_waited_for_forever(sent, postbox):
    postbox.wire.told = lambda line: b""
    with pytest.raises(UnavailableError, match=r"does not answer.*imap\.timeout"):
        empty(sent, postbox, timeout=0.3)


def test_encrypted_with_a_certificate_that_is_checked(sent, tmp_path):
    _, authority = certificate(tmp_path)
    with imap_server(tmp_path) as postbox:
        postbox.put(LETTER)
        safe = {"port": postbox.direct, "security": "starttls"}
        with pytest.raises(UnavailableError, match=r"not trusted.*imap\.ca_file"):
            empty(sent, postbox, **safe)
        empty(sent, postbox, **safe, ca_file=str(authority))
        assert postbox.counts() == (0, 0, 1)


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\r\nb", "", "Gelöscht"])
def test_a_folder_is_named_as_the_server_lists_it(sent, postbox, name):
    with pytest.raises(ValueError, match="folder"):
        postbox.settings(folder=name)


def test_mail_is_never_filed_into_the_folder_that_is_read(sent, postbox):
    with pytest.raises(ValueError, match="other folders"):
        postbox.settings(processed="INBOX")
    assert issubclass(UnavailableError, NewsletterError)
