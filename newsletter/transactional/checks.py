"""Checks every transactional message, before anybody asks for one."""

from __future__ import annotations

from email import message_from_bytes

from newsletter.audience.model import LinkAction, Token
from newsletter.check.model import Finding
from newsletter.check.transactional import check_message
from newsletter.delivery.compose.transactional import CREATED_AT
from newsletter.delivery.model import Delivery
from newsletter.i18n.catalog import catalogs_of
from newsletter.render.slots import PREVIEW_TOKEN
from newsletter.settings.model import Settings
from newsletter.transactional.messages import LINK_TOKEN, WELCOME, Messages


def check_messages(settings: Settings) -> list[Finding]:
    """The findings of the rules for transactional mail, over every kind and language, each once.

    Raises:
        InputError: A template is invalid.
    """
    catalogs = catalogs_of(settings)
    messages = Messages(settings, catalogs, PreviewSigner())
    lists = [topic.list for topic in settings.join.topics]
    values = {LINK_TOKEN: PREVIEW_TOKEN, CREATED_AT: "0"}
    found: list[Finding] = []
    sample = Delivery(0, 1, 0, settings.publication.from_address, 0, values)
    for kind in (*LinkAction, WELCOME):
        for lang in catalogs.languages:
            compiled = messages.compile(kind, lang, lists)
            # Read the headers from the finished message: only what is sent counts.
            finished = messages.composer_of(compiled)(sample)
            found += check_message(
                compiled,
                settings,
                headers=dict(message_from_bytes(finished.data).items()),
                can_leave=kind == WELCOME,
            )
    return list(dict.fromkeys(found))


class PreviewSigner:
    """Checks need no keys: it signs with the placeholder that rules expect in place of a token."""

    def sign(self, _token: Token) -> str:
        """A placeholder."""
        return PREVIEW_TOKEN

    def sign_local(self, _token: Token) -> str:
        """A placeholder."""
        return PREVIEW_TOKEN

    def sign_delivery(self, _token: Token, _position: int) -> bytes:
        """A placeholder."""
        return b""
