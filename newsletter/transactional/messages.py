"""Composes transactional mail: a link with one button, or the welcome to the list.

It contains nothing that a visitor typed except the address it goes to, so that a form cannot be
abused to send somebody else's words.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from typing import Final

from newsletter.audience.model import LinkAction
from newsletter.delivery.compose.composer import Signer
from newsletter.delivery.compose.transactional import TransactionalComposer
from newsletter.i18n.catalog import Catalogs
from newsletter.render.model import UNSUBSCRIBE_TOKEN, CompiledIssue
from newsletter.render.transactional import compile_message, placeholder
from newsletter.settings.model import Settings
from newsletter.transactional.texts import link_words, welcome_words

WELCOME: Final = "welcome"
"""The kind of the message to new subscribers. Every other kind is a `LinkAction`."""
LINK_TOKEN = "link_token"  # noqa: S105
"""The slot for a link's token."""
KEPT = 64
"""Composers cached: one by kind and language, and for welcomes by the lists joined."""

_TOKEN = placeholder(0)
_Key = tuple[str, str, tuple[str, ...], int]


class Messages:
    """Compiles each kind once for each language, until a template changes.

    Args:
        settings: The publication and its templates.
        languages: The catalogs.
        signer: Signs the unsubscribe links of welcomes.
    """

    def __init__(self, settings: Settings, languages: Catalogs, signer: Signer) -> None:
        self._settings = settings
        self._languages = languages
        self._signer = signer
        self._kept: OrderedDict[_Key, TransactionalComposer] = OrderedDict()

    def composer(self, kind: str, lang: str, lists: Collection[str] = ()) -> TransactionalComposer:
        """The composer of a kind of message.

        Args:
            kind: `WELCOME` or a `LinkAction`.
            lang: A language of the catalogs.
            lists: For a welcome: the lists joined.     Raises:
            InputError: A template is invalid.
            ValueError: The kind does not exist.
        """
        key = (kind, lang, tuple(sorted(lists)), self._templates_changed())
        found = self._kept.pop(key, None) or self.composer_of(self.compile(kind, lang, lists))
        self._kept[key] = found
        # Another thread may have removed the last one in the meantime.
        while len(self._kept) > KEPT:
            self._kept.pop(next(iter(self._kept)), None)
        return found

    def composer_of(self, compiled: CompiledIssue) -> TransactionalComposer:
        """The composer of a message from `compile`."""
        return TransactionalComposer(
            compiled,
            signer=self._signer,
            bounce_address=self._settings.bounce_address,
            can_leave=compiled.slug == WELCOME,
        )

    def compile(self, kind: str, lang: str, lists: Collection[str] = ()) -> CompiledIssue:
        """The message with its tokens still open. Args and raises: as `composer`."""
        publication = self._settings.publication
        base = publication.public_url
        if kind == WELCOME:
            topics = [topic for topic in self._settings.join.topics if topic.list in lists]
            titles = [topic.titles.get(lang, topic.title) for topic in topics]
            values = {
                **welcome_words(self._languages.plain(lang), publication.name),
                "topics": titles or [publication.name],
                "archive": f"{base}/archive" if self._settings.archive == "public" else "",
                "preferences": f"{base}/p/{_TOKEN}",
                "unsubscribe": f"{base}/u/{_TOKEN}",
            }
            slots = {_TOKEN: UNSUBSCRIBE_TOKEN}
            return compile_message(self._settings, WELCOME, lang, values, slots)
        words = link_words(LinkAction(kind), self._languages.plain(lang), publication.name)
        link = {**words, "url": f"{base}/confirm/{_TOKEN}"}
        return compile_message(self._settings, "link", lang, link, {_TOKEN: LINK_TOKEN})

    def _templates_changed(self) -> int:
        """A value that changes when a template is edited, which happens while pages are served."""
        folder = self._settings.templates / "email"
        return hash(
            tuple(sorted((file.name, file.stat().st_mtime_ns) for file in folder.iterdir()))
        )
