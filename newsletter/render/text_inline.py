"""Inline tokens as plain text."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

from markdown_it.token import Token

from newsletter.render.html import citation_number


class Inline:
    """Writes inline tokens.

    Args:
        numbers: Reference key to its number.
        terse: Write PubMed numbers without their links, where a DOI leads there already.
    """

    def __init__(self, numbers: Mapping[str, int], *, terse: bool = False) -> None:
        self._numbers = numbers
        self._terse = terse

    def write(self, token: Token) -> str:
        """The content of one inline token; a hard break is a line end."""
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
                out = self._cite(out, token, joined=tokens[index - 1].type == token.type)
            else:
                out += self._leaf(token)
            index += 1
        return out

    def _cite(self, before: str, token: Token, *, joined: bool) -> str:
        number = citation_number(token, self._numbers)
        if joined and before.endswith("]"):
            return f"{before[:-1]},{number}]"
        return f"{before}[{number}]"

    def _leaf(self, token: Token) -> str:
        match token.type:
            case "text" | "code_inline":
                return token.content
            case "softbreak":
                return " "
            case "hardbreak":
                return "\n"
            case "em_open" | "em_close" | "strong_open" | "strong_close":
                return "*"
            case "image":
                alt = self._sequence(token.children or [])
                return f"[Picture: {alt}]" if alt else ""
        return ""

    def _link(self, token: Token, label: str) -> str:
        url = str(token.attrs["href"])
        scheme = url.partition(":")[0]
        if url.startswith("#") or scheme in {"mailto", "tel"}:
            return label
        if self._terse and "ncbi.nlm.nih.gov" in url and "doi.org" not in url:
            return label
        if token.info == "auto" or _same(label, url):
            return _identified(label, url)
        return f"{label} <{url}>"


def _identified(label: str, url: str) -> str:
    """A link that the text itself spells: the URL alone says it all, save PubMed's numbers."""
    return f"{label} <{url}>" if label.upper().startswith("PMC") or label.isdigit() else url


def _same(label: str, url: str) -> bool:
    return unquote(url).rstrip("/").endswith(label.rstrip("/")) and "." in label


def _closing(tokens: list[Token], start: int) -> int:
    depth = 0
    for index in range(start, len(tokens)):
        depth += {"link_open": 1, "link_close": -1}.get(tokens[index].type, 0)
        if depth == 0:
            return index
    return len(tokens)
