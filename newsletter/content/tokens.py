"""Reads lines and text off markdown-it's tokens."""

from __future__ import annotations

from markdown_it.token import Token

BREAKS = ("softbreak", "hardbreak")


def place(token: Token) -> int:
    """Return the line a token starts on, counted from 1."""
    return token.map[0] + 1 if token.map else 1


def plain(tokens: list[Token] | None) -> str:
    """Return the text of inline tokens without markup; an image becomes its alt text."""
    words: list[str] = []
    for token in tokens or ():
        if token.type in BREAKS:
            words.append(" ")
        else:
            # An image's own content is its alt text with the markup still in it.
            words.append(plain(token.children) if token.type == "image" else token.content)
    return "".join(words)
