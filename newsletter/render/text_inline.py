"""Inline tokens as plain text."""

from __future__ import annotations

import re
from collections.abc import Mapping

from markdown_it.token import Token

from newsletter.i18n.catalog import Translator
from newsletter.render.html import citation_number

# Markdown has turned the DOI into a link, whose URL says the same.
_DOI_LABEL = re.compile(r"\bdoi:\s*(?=https://doi\.org/)", re.IGNORECASE)
_STOP_AFTER_URL = re.compile(r"(https?://[^\s<>]+)\.(?=\s|$)")


class Inline:
    """Writes inline tokens.

    Args:
        numbers: Reference key to its number.
        words: Translates into the article's language.
    """

    def __init__(self, numbers: Mapping[str, int], words: Translator) -> None:
        self._numbers = numbers
        self._words = words

    def write(self, token: Token) -> str:
        """The content of one inline token; a hard break is a line break."""
        return self._sequence(token.children or []).strip()

    def _sequence(self, tokens: list[Token]) -> str:
        out, index = "", 0
        while index < len(tokens):
            token = tokens[index]
            if token.type == "link_open":
                end = _closing(tokens, index)
                out += self._link(token, self._sequence(tokens[index + 1 : end]))
                index = end
            elif token.type == "footnote_ref":
                number = citation_number(token, self._numbers)
                joined = index > 0 and tokens[index - 1].type == "footnote_ref"
                out = f"{out[:-1]},{number}]" if joined else f"{out}[{number}]"
            elif token.type in {"text", "code_inline"}:
                out += token.content
            elif token.type in {"softbreak", "hardbreak"}:
                out += " " if token.type == "softbreak" else "\n"
            elif token.type in {"em_open", "em_close", "strong_open", "strong_close"}:
                out += self.emphasis
            elif token.type == "image" and (alt := self._sequence(token.children or [])):
                _ = self._words
                out += _("[Picture: %(alt)s]", alt=alt)
            index += 1
        return out

    emphasis = "*"

    def _link(self, token: Token, label: str) -> str:
        url = str(token.attrs["href"])
        if url.startswith(("#", "mailto:", "tel:")):
            return label
        return url if token.info == "auto" or label == url else f"{label} <{url}>"


class LinkEntry(Inline):
    """Writes reference entries: a DOI as its full URL, PubMed's numbers unchanged."""

    emphasis = ""

    def write(self, token: Token) -> str:
        """One entry, with the URL of a DOI in place of "doi:"."""
        # Mail programs would make a period after a URL part of the link.
        text = _DOI_LABEL.sub("", super().write(token))
        return _STOP_AFTER_URL.sub(r"\1", text)

    def _link(self, token: Token, label: str) -> str:
        pubmed = token.info == "auto" and "ncbi.nlm.nih.gov" in str(token.attrs["href"])
        return label if pubmed and "://" not in label else super()._link(token, label)


def _closing(tokens: list[Token], start: int) -> int:
    depth = 0
    for index in range(start, len(tokens)):
        depth += {"link_open": 1, "link_close": -1}.get(tokens[index].type, 0)
        if depth == 0:
            return index
    return len(tokens)
