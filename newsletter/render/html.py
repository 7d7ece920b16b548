"""Markdown tokens to HTML, for the mail and for the archive page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from newsletter.content.model import Block, Prose
from newsletter.i18n.catalog import Translator
from newsletter.render.images import ImageCollector, Picture

_OPTIONS = MarkdownIt("commonmark", {"xhtmlOut": False}).options

_SHARE = re.compile(r"(?<=[0-9]) %")
"""A number and its percent sign stay on one line."""


class Writer(RendererHTML):
    """Writes tokens as HTML for the mail. Each token type is written by the method of its name.

    Args:
        numbers: Reference key to its number.
        gallery: Collects the pictures.
        width: The widest picture, in CSS pixels.
        words: Translates into the article's language, as plain text.
    """

    def __init__(
        self, numbers: Mapping[str, int], gallery: ImageCollector, width: int, words: Translator
    ) -> None:
        super().__init__()
        self._numbers = numbers
        self._gallery = gallery
        self._width = width
        self._words = words
        self._line: int | None = None

    def render_tokens(self, tokens: Sequence[Token]) -> str:
        """Block tokens as HTML."""
        pieces = []
        for index, token in enumerate(tokens):
            if token.type == "inline":
                pieces.append(self.render_inline(token))
            else:
                rule = self.rules.get(token.type, self.renderToken)
                pieces.append(rule(tokens, index, _OPTIONS, {}))
        return "".join(pieces)

    def render_inline(self, token: Token, line: int | None = None) -> str:
        """The content of one inline token as HTML; ``line`` is its line in the article."""
        self._line = token.map[0] + 1 if token.map else line
        return self.renderInline(token.children or [], _OPTIONS, {}).strip()

    def text(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Text; a citation follows its word without a space."""
        content = _SHARE.sub("\u00a0%", tokens[idx].content)
        cited = idx + 1 < len(tokens) and tokens[idx + 1].type == "footnote_ref"
        return escape(content.rstrip() if cited else content, quote=False)

    def footnote_ref(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        """A citation; adjacent ones join as ``3,4``."""
        number = citation_number(tokens[idx], self._numbers)
        _ = self._words
        label = escape(_("reference %(number)s", number=number))
        link = f'<a href="#ref-{number}"{self._anchor(number)} aria-label="{label}">{number}</a>'
        before = "," if idx > 0 and tokens[idx - 1].type == "footnote_ref" else "<sup>"
        last = idx + 1 == len(tokens) or tokens[idx + 1].type != "footnote_ref"
        return before + link + ("</sup>" if last else "")

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """A picture, hosted under the hash of its content."""
        token = tokens[idx]
        alt = self.renderInlineAsText(token.children, options, env)
        picture = self._gallery.add(str(token.attrs["src"]), self._width, self._line)
        return self._picture(picture, alt)

    def _anchor(self, number: int) -> str:
        """The id of a citation: none in mail, where nothing links back to it."""
        return ""

    def _picture(self, picture: Picture, alt: str) -> str:
        """An image that scales down."""
        # The style also limits the alternative text while pictures are blocked.
        return write_picture(picture, alt, f' style="max-width:{picture.width}px"')


def write_picture(picture: Picture, alt: str, attributes: str = "") -> str:
    """An image element."""
    return (
        f'<img src="{picture.url}" alt="{escape(alt)}"'
        f' width="{picture.width}" height="{picture.height}"{attributes}>'
    )


def citation_number(token: Token, numbers: Mapping[str, int]) -> int:
    """The number of the reference that a ``footnote_ref`` token cites."""
    return numbers[token.meta["label"]]


WriteBlock = Callable[[Block, Writer, int], str]
"""Writes one block; the number is the level of its title's heading."""


def write_blocks(blocks: Iterable[Block], writer: Writer, write: WriteBlock) -> str:
    """An article's blocks, each by ``write``.

    The titles of boxes continue the article's heading levels, so that none is skipped.
    """
    pieces, level = [], 1
    for block in blocks:
        pieces.append(write(block, writer, min(level + 1, 6)))
        if isinstance(block, Prose):
            headings = [token.tag for token in block.tokens if token.type == "heading_open"]
            level = int(headings[-1][1]) if headings else level
    return "\n".join(pieces)
