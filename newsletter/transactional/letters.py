"""Mail that a reader has just asked for, over the configured transport: a link with one button, or
the welcome to the list.

It holds nothing that anybody typed but the address it goes to, so that a form cannot be used to
send somebody else's words.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email import message_from_bytes
from email.utils import format_datetime, localtime
from itertools import product
from typing import Any

from starlette.concurrency import run_in_threadpool

from newsletter.audience.model import LinkAction
from newsletter.check.letters import WrittenMail, check_letter
from newsletter.check.model import Finding
from newsletter.delivery.compose.headers import list_phrase, mailbox_header, raw_header, text_header
from newsletter.delivery.compose.quoted_printable import SOFT_BREAK, encode_text
from newsletter.delivery.compose.substitutions import SharedContent, Substitutions
from newsletter.delivery.model import Delivery, Message, Outcome, Result
from newsletter.dns_checks.domains import ascii_domain
from newsletter.errors import RefusedError, UnavailableError
from newsletter.i18n.catalog import Catalogs
from newsletter.render.letter import write_letter
from newsletter.settings.model import Settings
from newsletter.transactional.texts import letter_words, welcome_words
from newsletter.transports.registry import open_transport

WELCOME = "welcome"
_NO_TOKEN = "x" * 32
_AUTOMATIC = {"Auto-Submitted": "auto-generated"}
"""RFC 3834 section 5: nobody's holiday notice answers it."""


class Letters:
    """Writes and sends them.

    Args:
        settings: The publication, its templates and its transport.
        languages: The catalogs.
    """

    def __init__(self, settings: Settings, languages: Catalogs) -> None:
        self._settings = settings
        self._languages = languages

    async def send(self, action: LinkAction, to: str, url: str, lang: str) -> None:
        """Send a link.

        Args:
            action: What the link does.
            to: An address that `check_address` has passed.
            url: The link.
            lang: A language of the catalogs.

        Raises:
            UnavailableError: It was not taken for now.
            NewsletterError: It was refused, or a template or the transport's settings are
                wrong.
        """
        await self._deliver(await run_in_threadpool(self.write, action, url, lang), to)

    async def welcome(self, to: str, lists: Collection[str], token: str, lang: str) -> None:
        """Send the welcome.

        Args:
            to: The reader's address.
            lists: What they joined.
            token: Unsubscribes them; signed.
            lang: A language of the catalogs.

        Raises:
            UnavailableError: It was not taken for now.
            NewsletterError: It was refused, or a template or the transport's settings are
                wrong.
        """
        await self._deliver(await run_in_threadpool(self.write_welcome, lists, token, lang), to)

    async def _deliver(self, letter: Letter, to: str) -> None:
        transport = open_transport(self._settings, self._settings.var / "outbox" / "letters")
        try:
            delivery = Delivery(0, int(time.time() * 1000), 0, to, 0, {})
            outcomes = await transport.deliver([delivery], letter, _UnrecordedJournal())
        finally:
            # What became of the letter is known by now: a bad end must not send it again.
            with suppress(UnavailableError):
                await transport.close()
        _judge(outcomes[0].result)

    def check(self) -> list[Finding]:
        """What the rules for letters say of each in each language, every finding once.

        Raises:
            InputError: A template is wrong.
        """
        found = [
            finding
            for letter in self._all()
            for finding in check_letter(_as_it_leaves(letter), self._settings)
        ]
        return list(dict.fromkeys(found))

    def _all(self) -> Iterator[Letter]:
        base = self._settings.publication.public_url
        lists = [topic.list for topic in self._settings.join.topics]
        for action, lang in product(LinkAction, self._languages.languages):
            yield self.write(action, f"{base}/confirm/{_NO_TOKEN}", lang)
        for lang in self._languages.languages:
            yield self.write_welcome(lists, _NO_TOKEN, lang)

    def write(self, action: LinkAction, url: str, lang: str) -> Letter:
        """The letter with a link.

        Raises:
            InputError: A template is wrong.
        """
        words = letter_words(action, self._languages.plain(lang), self._settings.publication.name)
        return self._letter("link", lang, {**words, "url": url}, _AUTOMATIC)

    def write_welcome(self, lists: Collection[str], token: str, lang: str) -> Letter:
        """The welcome.

        Raises:
            InputError: A template is wrong.
        """
        publication = self._settings.publication
        base = publication.public_url
        words = welcome_words(self._languages.plain(lang), publication.name)
        topics = [topic for topic in self._settings.join.topics if topic.list in lists]
        titles = [topic.titles.get(lang, topic.title) for topic in topics]
        values = {
            **words,
            "topics": titles or [publication.name],
            "archive": f"{base}/archive" if self._settings.archive == "public" else "",
            "preferences": f"{base}/p/{token}",
            "unsubscribe": f"{base}/u/{token}",
        }
        headers = {
            "List-Unsubscribe": f"<{base}/u/{token}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "List-Id": f"{list_phrase(publication.name)}<{publication.list_id}>",
            **_AUTOMATIC,
        }
        return self._letter(WELCOME, lang, values, headers)

    def _letter(
        self, template: str, lang: str, values: Mapping[str, Any], headers: Mapping[str, str]
    ) -> Letter:
        html, text = write_letter(self._settings, template, lang, values)
        subject, preheader = values["subject"], values["preheader"]
        return Letter(self._settings, template, lang, subject, preheader, html, text, headers)


@dataclass(frozen=True, slots=True)
class Letter:
    """A `Compose` for SMTP, and a `Personalize` for providers (both of `newsletter.delivery`).

    ``headers`` are its own: structured, in ASCII.
    """

    settings: Settings
    template: str
    lang: str
    subject: str
    preheader: str
    html: str
    text: str
    headers: Mapping[str, str]

    def __call__(self, delivery: Delivery) -> Message:
        """The message. Raises InputError where the address cannot stand in a header."""
        publication = self.settings.publication
        mail_from = ascii_domain(publication.from_address)
        boundary = f"=_{secrets.token_hex(12)}"
        lines = [
            mailbox_header("From", publication.from_name, publication.from_address),
            mailbox_header("Reply-To", "", publication.reply_to) if publication.reply_to else b"",
            mailbox_header("To", "", delivery.email),
            text_header("Subject", self.subject),
            raw_header("Date", format_datetime(localtime())),
            raw_header("Message-ID", f"<{secrets.token_hex(16)}@{mail_from.rpartition('@')[2]}>"),
            *(raw_header(name, value) for name, value in self.headers.items()),
            raw_header("MIME-Version", "1.0"),
            raw_header("Content-Type", f'multipart/alternative; boundary="{boundary}"'),
            *_part(boundary, "plain", self.text),
            *_part(boundary, "html", self.html),
            f"\r\n--{boundary}--\r\n".encode(),
        ]
        bounces = ascii_domain(self.settings.bounce_address) or mail_from
        return Message(bounces, ascii_domain(delivery.email), b"".join(lines))

    def shared(self, _variant: int) -> SharedContent:
        """The same, for a provider that writes the headers itself."""
        publication = self.settings.publication
        return SharedContent(
            publication.from_name,
            ascii_domain(publication.from_address),
            ascii_domain(publication.reply_to),
            self.subject,
            self.html,
            self.text,
        )

    def personal(self, delivery: Delivery) -> Substitutions:
        """Whom a provider sends it to."""
        return Substitutions(ascii_domain(delivery.email), {}, self.headers)


def _judge(result: Result) -> None:
    """Nobody knows whether an uncertain letter went: to send it again might flood its reader."""
    if result is Result.FAILED:
        raise RefusedError("a letter was refused")
    if result not in {Result.ACCEPTED, Result.UNCERTAIN}:
        raise UnavailableError(f"a letter was not taken: {result}")


def _as_it_leaves(letter: Letter) -> WrittenMail:
    """For the rules: its headers are read from the finished message."""
    message = letter(Delivery(0, 1, 0, letter.settings.publication.from_address, 0, {}))
    return WrittenMail(
        template=letter.template,
        lang=letter.lang,
        subject=letter.subject,
        preheader=letter.preheader,
        html=letter.html,
        text=letter.text,
        headers=dict(message_from_bytes(message.data).items()),
        can_leave=letter.template == WELCOME,
    )


def _part(boundary: str, kind: str, content: str) -> list[bytes]:
    head = f'\r\n--{boundary}\r\nContent-Type: text/{kind}; charset="utf-8"\r\n'
    encoding = "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    return [f"{head}{encoding}".encode(), encode_text(content).removesuffix(SOFT_BREAK)]


class _UnrecordedJournal:
    """A letter is asked for again when it is lost: it needs no evidence."""

    def begun(self, position: int) -> None:
        """Nothing to keep."""

    def replied(self, outcome: Outcome) -> None:
        """Nothing to keep."""
