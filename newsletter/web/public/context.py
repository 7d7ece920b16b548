"""What all public pages share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool

from newsletter.audience.address import address_key
from newsletter.errors import InputError, UnavailableError
from newsletter.queues.outgoing import NewMessage, enqueue
from newsletter.transactional.messages import WELCOME
from newsletter.transactional.settlement import LIFETIME_S

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from newsletter.audience.keys import Keys
    from newsletter.audience.model import ActionLink, LinkAction
    from newsletter.audience.tokens import TokenSigner
    from newsletter.settings.model import Settings
    from newsletter.store.engine import Store
    from newsletter.transactional.drain import Drain
    from newsletter.transactional.messages import Messages
    from newsletter.web.public.pages import Pages


@dataclass(frozen=True, slots=True)
class PublicContext:
    """The database, the keys, and what responses are made of.

    The ``owe_…`` methods queue mail in the transaction that causes it: a visitor who is answered
    after the commit gets it, whatever happens to this process. ``drain`` sends it, and is woken
    after the answer, so that neither its work nor its failure tells a visitor anything.
    """

    settings: Settings
    store: Store
    keys: Keys
    signer: TokenSigner
    pages: Pages
    messages: Messages
    drain: Drain

    @property
    def base(self) -> str:
        """The prefix of every path, as browsers see it."""
        return self.pages.base

    async def require_message(self, action: LinkAction, lang: str) -> None:
        """Make sure that a message can be composed, before a visitor is told that it is on its way.

        Raises:
            UnavailableError: Its template is invalid.
        """
        try:
            await run_in_threadpool(self.messages.composer, action, lang)
        except InputError as error:
            raise UnavailableError(f"a message cannot be composed: {error}") from None

    def owe_stranger(
        self,
        connection: Connection,
        action: LinkAction,
        email: str,
        details: Mapping[str, Any],
        *,
        uid: int = 0,
    ) -> None:
        """Queue a link to an address that nobody has confirmed yet.

        Whether the address may be mailed is decided when the queue is drained: here every address
        takes the same time.

        Args:
            connection: The write transaction of the request.
            details: Stored with the link; ``language`` is the mail's, too.
            uid: The subscriber that the link changes; 0 for nobody yet.
        """
        at = self.store.now(connection)
        message = self._message(action, email, details["language"], at + LIFETIME_S, uid)
        enqueue(connection, replace(message, details=details), at)

    def owe_link(self, connection: Connection, link: ActionLink, lang: str) -> None:
        """Queue a link that a subscriber asked for."""
        uid = link.subscriber_uid
        message = self._message(link.action, link.email, lang, link.expires_at, uid)
        enqueue(connection, replace(message, link_id=link.id), link.created_at)

    def owe_welcome(self, connection: Connection, link: ActionLink, uid: int, lang: str) -> None:
        """Queue the welcome for a subscriber who has just confirmed."""
        at = self.store.now(connection)
        message = self._message(WELCOME, link.email, lang, at + LIFETIME_S, uid)
        enqueue(connection, replace(message, details={"lists": link.details["lists"]}), at)

    def _message(self, kind: str, email: str, lang: str, expires_at: float, uid: int) -> NewMessage:
        key = address_key(email)
        transport = self.settings.transport
        return NewMessage(kind, email, key, lang, transport, expires_at, uid)
