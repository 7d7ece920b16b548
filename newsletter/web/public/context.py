"""What the public pages work with."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from newsletter.audience.address import address_key
from newsletter.audience.consent.action_links import find_link, make_link
from newsletter.audience.consent.double_opt_in import may_be_asked
from newsletter.audience.consent.preferences import gets_mail
from newsletter.audience.keys import Keys
from newsletter.audience.model import ActionLink, LinkAction, LinkToken, Token, TokenPurpose
from newsletter.audience.tokens import TokenSigner
from newsletter.errors import InputError, NewsletterError, UnavailableError
from newsletter.settings.model import Settings
from newsletter.store.engine import Store
from newsletter.transactional.letters import Letters
from newsletter.transactional.retrying import Retries
from newsletter.web.http.rate_limits import (
    LETTER_BY_DAY,
    LETTER_BY_MONTH,
    give_back,
    mailbox_of,
    take,
)
from newsletter.web.public.pages import Pages

log = logging.getLogger("newsletter.web")

LINK_LIFETIME_S = 48 * 3600.0


@dataclass(frozen=True, slots=True)
class PublicContext:
    """An open database, the keys, and what answers are made of."""

    settings: Settings
    store: Store
    keys: Keys
    signer: TokenSigner
    pages: Pages
    letters: Letters
    retries: Retries = field(default_factory=Retries)

    @property
    def base(self) -> str:
        """What browsers see before every path."""
        return self.pages.base

    async def require_letter(self, action: LinkAction, lang: str) -> None:
        """Make sure that a letter can be written, before anybody is told that it is on its way.

        Raises:
            UnavailableError: Its template is wrong.
        """
        try:
            url = self.settings.publication.public_url
            await run_in_threadpool(self.letters.write, action, url, lang)
        except InputError as error:
            raise UnavailableError(f"a letter cannot be written: {error}") from None

    async def mail_stranger(
        self, action: LinkAction, email: str, lang: str, *, uid: int, details: Mapping[str, Any]
    ) -> None:
        """Mail a link to an address of which nobody has proved anything yet.

        It runs after the answer, so that neither its time nor its failure tells a visitor anything
        about the address. An address that must not be written to, or was just now, gets nothing.
        """

        def make() -> ActionLink | None:
            with self.store.write() as connection:
                now = self.store.now(connection)
                if not self._may_write(connection, email, now):
                    return None
                lifetime = LINK_LIFETIME_S
                return make_link(
                    connection, action, email, at=now, lifetime=lifetime, uid=uid, details=details
                )

        try:
            link = await run_in_threadpool(make)
        except NewsletterError as error:
            log.error("a letter could not be sent: %s", error.message)
            return
        if link:
            await self.send(link, lang, lost=partial(self._forgive, email))

    async def send(
        self, link: ActionLink, lang: str, *, lost: Callable[[], None] = lambda: None
    ) -> None:
        """Mail a link to where it is for; tried again later while it is not taken for now.

        Args:
            lost: Called when it was not sent and will not be tried again.
        """
        token = self.signer.sign_ticket(LinkToken(link.id, int(link.expires_at)))
        url = f"{self.settings.publication.public_url}/confirm/{token}"

        async def attempt() -> None:
            # Whoever was erased or moved meanwhile has no use for it.
            if await run_in_threadpool(self._is_good, link):
                await self.letters.send(link.action, link.email, url, lang)

        await self.retries.send(attempt, lost)

    async def welcome(self, uid: int, email: str, lists: Collection[str], lang: str) -> None:
        """Tell who has just joined what they will get, and how to leave.

        Like all letters it goes after the answer: the reader is on the list, sent or not.
        """
        token = self.signer.sign(Token(TokenPurpose.UNSUBSCRIBE, False, uid, 0))

        async def attempt() -> None:
            # Whoever has left again gets nothing more.
            if await run_in_threadpool(self._gets_mail, uid):
                await self.letters.welcome(email, lists, token, lang)

        await self.retries.send(attempt, lambda: None)

    def _is_good(self, link: ActionLink) -> bool:
        with self.store.read() as connection:
            return find_link(connection, link.id) is not None

    def _gets_mail(self, uid: int) -> bool:
        with self.store.read() as connection:
            return gets_mail(connection, uid)

    def _may_write(self, connection: Connection, email: str, now: float) -> bool:
        who = mailbox_of(address_key(email))
        return may_be_asked(connection, email, self.keys) and not any(
            take(connection, limit, who, self.keys, now)
            for limit in (LETTER_BY_DAY, LETTER_BY_MONTH)
        )

    def _forgive(self, email: str) -> None:
        with self.store.write() as connection:
            for limit in (LETTER_BY_DAY, LETTER_BY_MONTH):
                give_back(connection, limit, mailbox_of(address_key(email)), self.keys)
