"""The Markdown we read: a parser and its rules, in order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.footnote.index import footnote_def

from newsletter.content.containers import container_plugin
from newsletter.content.source import CONTROL
from newsletter.errors import InputError

MAX_NESTING = 20
"""Deepest nesting of block tokens: markdown-it drops in silence what lies deeper."""
MAX_PARAGRAPH = 10_000
"""Longest paragraph, in characters."""
MAX_OPENERS = 500
"""Most brackets and straight quotes in a paragraph: parsing takes time by their square."""
MAX_OPENERS_IN_ALL = 10_000
"""Most of them in an article."""

_ADDRESSES = (
    ("href", ("http", "https", "mailto", "tel"), "use https, mailto or tel"),
    ("src", ("http", "https"), "save the image as a file beside the article"),
)

_SCHEME = re.compile(r"[\x00-\x20]*([A-Za-z][A-Za-z0-9+.-]*):")
_CITATION = re.compile(r"\[\^([^\s\[\]]{1,100})\]")
# Addresses and DOIs come first so that nothing within them changes.
_DASHES = re.compile(r"https?://\S+|10\.[0-9]{4,9}/\S+|(?<!-)-{2,3}(?!-)|(?<!\.)\.{3}(?!\.)")
_TYPESET = {"--": "–", "---": "—", "...": "…"}
_OPENERS = re.compile(r"[\[\"']")
_BREAKS = ("softbreak", "hardbreak")


def parse(body: str) -> list[Token]:
    """Parse Markdown into block tokens; each token, inline ones too, has a ``map``.

    CommonMark without HTML, with tables, definition lists, footnotes (left where they stand,
    defined or not), boxes, curly quotes, dashes and ellipses.

    Args:
        body: The Markdown, padded so that its lines count as in the file.

    Raises:
        InputError: A box is wrong, nesting too deep, a paragraph too long, a table row too wide,
            an address of a scheme that mail must not hold, or a citation in an image.
    """
    return _parser().parse(body, {})


def plain(tokens: list[Token] | None) -> str:
    """Give the text of inline tokens without markup; an image is its alt text."""
    return "".join(_words(token) for token in tokens or ())


def place(token: Token) -> int:
    """The line a token starts on, counted from 1."""
    return token.map[0] + 1 if token.map else 1


def _words(token: Token) -> str:
    if token.type in _BREAKS:
        return " "
    return plain(token.children) if token.type == "image" else token.content


@cache
def _parser() -> MarkdownIt:
    options = {"html": False, "typographer": True, "maxNesting": MAX_NESTING}
    md = MarkdownIt("commonmark", options).enable(["table", "smartquotes"]).use(deflist_plugin)
    # Addresses are judged after parsing, with their line; refused here they would stay as text.
    md.validateLink = lambda url: True  # type: ignore[method-assign]
    md.block.ruler.before("reference", "footnote_def", footnote_def, {"alt": ["paragraph"]})
    md.inline.ruler.after("image", "footnote_ref", _footnote_ref)
    md.use(container_plugin)
    md.core.ruler.after("block", "limits", _limits)
    md.core.ruler.after("limits", "wide_rows", _wide_rows)
    md.core.ruler.after("inline", "dashes", _dashes)
    md.core.ruler.push("lines", _lines)
    md.core.ruler.push("refuse", _refuse)
    return md


def _footnote_ref(state: StateInline, silent: bool) -> bool:
    # The plugin's own rule walks to the end of the text for each "[^": ten seconds for 18 KB.
    found = _CITATION.match(state.src, state.pos, state.posMax)
    if not found:
        return False
    if not silent:
        state.push("footnote_ref", "", 0).meta = {"label": found[1]}
    state.pos = found.end()
    return True


def _limits(state: StateCore) -> None:
    if len(_OPENERS.findall(state.src)) > MAX_OPENERS_IN_ALL:
        raise InputError(
            f"the article has over {MAX_OPENERS_IN_ALL:,} brackets and straight quotes",
            line=1,
            fix="make it two issues",
        )
    for token in state.tokens:
        if token.level >= MAX_NESTING - 1 and token.nesting == 1:
            raise InputError("nested too deeply", line=place(token), fix="flatten lists and quotes")
        if token.type == "inline" and _too_long(token.content):
            raise InputError(
                f"a paragraph has over {MAX_PARAGRAPH:,} characters, or {MAX_OPENERS} brackets",
                line=place(token),
                fix="divide it with empty lines",
            )


def _too_long(paragraph: str) -> bool:
    return len(paragraph) > MAX_PARAGRAPH or len(_OPENERS.findall(paragraph)) > MAX_OPENERS


def _wide_rows(state: StateCore) -> None:
    """A row with more cells than its table's head would lose them in silence."""
    lines = state.src.split("\n")
    columns = 0
    for token in state.tokens:
        if token.type == "thead_open":
            columns = 0
        elif token.type == "th_open":
            columns += 1
        elif token.type == "tr_open" and 0 < columns < _cells(lines[place(token) - 1]):
            raise InputError(
                f"a table row has more cells than its head, which has {columns}",
                line=place(token),
                fix="add a column to the head, or write \\| for a bar within a cell",
            )


def _cells(row: str) -> int:
    row = row.lstrip(" \t>").rstrip()
    bars = len(re.findall(r"(?<!\\)\|", row))
    return bars + 1 - row.startswith("|") - (row.endswith("|") and not row.endswith("\\|"))


def _dashes(state: StateCore) -> None:
    # Not markdown-it's "replacements": it turns "(R)-ketamine" into "®-ketamine".
    for token in state.tokens:
        for child in token.children or ():
            if child.type == "text":
                child.content = _DASHES.sub(lambda m: _TYPESET.get(m[0], m[0]), child.content)


def _lines(state: StateCore) -> None:
    last = [0, 1]
    for token in state.tokens:
        token.map = last = token.map or last
        row = last[0]
        for child in token.children or ():
            for part in (child, *(child.children or ())):
                part.map = [row, row + 1]
            row += child.type in _BREAKS


def _refuse(state: StateCore) -> None:
    for token in state.tokens:
        for child in _deep(token):
            _refuse_address(child)
            texts = (child.content, *(str(value) for value in child.attrs.values()))
            if any(CONTROL.search(text) or "\x0c" in text or "\r" in text for text in texts):
                raise InputError(
                    "a character reference stands for a control character",
                    line=place(child),
                    fix="delete it",
                )


def _deep(token: Token) -> Iterator[Token]:
    for child in token.children or ():
        yield child
        if child.type == "image" and any(t.type == "footnote_ref" for t in child.children or ()):
            raise InputError(
                "a citation stands in an image's alt text", line=place(child), fix="put it after it"
            )
        yield from _deep(child)


def _refuse_address(token: Token) -> None:
    for name, schemes, fix in _ADDRESSES:
        found = _SCHEME.match(str(token.attrs.get(name, "")))
        if found and found[1].lower() not in schemes:
            raise InputError(
                f"an address may not begin with {found[1][:20]}:", line=place(token), fix=fix
            )
