"""The usual ways in Python, each in a process of its own with the peers' own packages.

python peers.py KIND PORT COUNT FOLDER
"""

from __future__ import annotations

import asyncio
import smtplib
import sys
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import make_msgid
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.delivery.people import person

SENDER = "newsletter@clinic.example"
CHUNK = 500


def values_of(number: int) -> dict[str, str]:
    return {**person(number), "unsubscribe_token": f"{number:032x}"}


def headers_of(values: dict[str, str]) -> dict[str, str]:
    return {
        "Message-ID": make_msgid(domain="clinic.example"),
        "List-Unsubscribe": f"<https://clinic.example/u/{values['unsubscribe_token']}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "List-Id": "<newsletter.clinic.example>",
    }


def with_jinja(folder: Path) -> Callable[[int], EmailMessage]:
    """Render both parts with Jinja2, and build a message of them."""
    from jinja2 import Environment

    environment = Environment(autoescape=True)
    subject, text, html = (
        environment.from_string((folder / name).read_text(encoding="utf-8"))
        for name in ("subject", "text", "html")
    )

    def compose(number: int) -> EmailMessage:
        values = values_of(number)
        message = EmailMessage(policy=SMTP)
        message["From"] = SENDER
        message["To"] = values["email"]
        message["Subject"] = subject.render(values)
        for name, value in headers_of(values).items():
            message[name] = value
        message.set_content(text.render(values), cte="quoted-printable")
        message.add_alternative(html.render(values), subtype="html", cte="quoted-printable")
        return message

    return compose


def send_smtplib(port: int, count: int, folder: Path) -> None:
    compose = with_jinja(folder)
    with smtplib.SMTP("127.0.0.1", port) as client:
        for number in range(count):
            client.send_message(compose(number))


def send_aiosmtplib(port: int, count: int, folder: Path) -> None:
    import aiosmtplib

    compose = with_jinja(folder)
    numbers = iter(range(count))

    async def connection() -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
            for number in numbers:
                await client.send_message(compose(number))

    async def connections() -> None:
        await asyncio.gather(*(connection() for _ in range(8)))

    asyncio.run(connections())


def send_django(port: int, count: int, folder: Path) -> None:
    import django
    from django.conf import settings
    from django.core.mail import EmailMultiAlternatives, get_connection
    from django.template import Context, Engine

    settings.configure(EMAIL_HOST="127.0.0.1", EMAIL_PORT=port)
    django.setup()
    engine = Engine()
    subject, text, html = (
        engine.from_string((folder / name).read_text(encoding="utf-8"))
        for name in ("subject", "text", "html")
    )

    def messages() -> Iterator[Any]:
        for number in range(count):
            values = values_of(number)
            plain, escaped = Context(values, autoescape=False), Context(values)
            message = EmailMultiAlternatives(
                subject.render(plain),
                text.render(plain),
                SENDER,
                [values["email"]],
                headers=headers_of(values),
            )
            message.attach_alternative(html.render(escaped), "text/html")
            yield message

    following = messages()
    while chunk := list(islice(following, CHUNK)):
        get_connection().send_messages(chunk)


SENDERS = {"smtplib": send_smtplib, "aiosmtplib": send_aiosmtplib, "django": send_django}

if __name__ == "__main__":
    kind, port, count, folder = sys.argv[1:]
    SENDERS[kind](int(port), int(count), Path(folder))
