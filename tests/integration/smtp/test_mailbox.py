"""The local mailbox, with our own transport, smtplib, and invalid commands."""

import asyncio
import smtplib
import socket
from email.message import EmailMessage

import pytest

from newsletter.settings.model import Smtp
from newsletter.transports.smtp.local_mailbox import LocalMailbox
from newsletter.transports.smtp.transport import SmtpTransport
from tests.integration.smtp.sending import Log, compose, deliveries


def open_for(folder, play, *, thread=False):
    async def run():
        mailbox = LocalMailbox(folder)
        port = await mailbox.start()
        try:
            return await (asyncio.to_thread(play, port) if thread else play(port))
        finally:
            await mailbox.close()

    return asyncio.run(run())


def test_each_message_becomes_a_file_with_its_envelope(tmp_path):
    batch = deliveries(25)

    async def play(port):
        transport = SmtpTransport(Smtp(port=port, security="none", connections=3))
        await transport.deliver(batch, compose, Log())
        await transport.close()

    open_for(tmp_path, play)
    files = sorted(tmp_path.iterdir())
    assert [path.name for path in files] == [f"{n:06d}.eml" for n in range(1, 26)]
    expected = set()
    for delivery in batch:
        message = compose(delivery)
        head = f"Return-Path: <{message.mail_from}>\r\nDelivered-To: {delivery.email}\r\n"
        expected.add(head.encode() + message.data)
    assert {path.read_bytes() for path in files} == expected


def test_numbering_continues_after_existing_messages(tmp_path):
    async def play(port):
        transport = SmtpTransport(Smtp(port=port, security="none"))
        await transport.deliver(deliveries(2), compose, Log())
        await transport.close()

    open_for(tmp_path, play)
    open_for(tmp_path, play)
    assert len(list(tmp_path.glob("*.eml"))) == 4


def test_smtplib_and_dots(tmp_path):
    message = EmailMessage()
    message["From"], message["To"] = "a@clinic.example", "b@clinic.example"
    message.set_content(".dot\n..dots\nend\n")

    def play(port):
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.send_message(message)

    open_for(tmp_path, play, thread=True)
    assert b"\r\n.dot\r\n..dots\r\nend\r\n" in (tmp_path / "000001.eml").read_bytes()


BARE = b"EHLO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nx\n.\r\n"


@pytest.mark.parametrize(
    ("said", "answers"),
    [
        (b"DATA\r\nQUIT\r\n", [b"503", b"221"]),
        (b"MAIL TO:<a@b.example>\r\nRCPT TO:<a@b.example>\r\nQUIT\r\n", [b"501", b"503", b"221"]),
        (b"STARTTLS\r\n\r\nNOOP\r\nQUIT\r\n", [b"502", b"502", b"250", b"221"]),
        (b"NOOP\nQUIT\r\n", [b"500"]),
        (b"x" * 1500 + b"\r\n", [b"500"]),
        (BARE, [b"250", b"250", b"250", b"354", b"554"]),
    ],
)
def test_invalid_commands_are_refused_and_leave_nothing(tmp_path, said, answers):
    def play(port):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
            line.sendall(said)
            line.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: line.recv(4096), b""))

    lines = open_for(tmp_path, play, thread=True).splitlines()
    assert [line[:3] for line in lines[1:] if line[3:4] == b" "] == answers
    assert not list(tmp_path.iterdir())
