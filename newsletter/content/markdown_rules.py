"""The rules that `newsletter.content.markdown` adds to markdown-it, in the order they run."""

from __future__ import annotations

import re
from collections.abc import Iterator

from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from newsletter.content.source import CONTROL
from newsletter.content.tokens import BREAKS, place
from newsletter.errors import InputError

MAX_NESTING = 20
"""Deepest nesting of block tokens: markdown-it silently drops anything deeper."""
MAX_PARAGRAPH = 10_000
"""Longest paragraph, in characters."""
MAX_OPENERS = 500
"""Most brackets and straight quotes in a paragraph: parsing time grows with their square."""
MAX_OPENERS_IN_ALL = 10_000
"""Most brackets and straight quotes in an article."""

_ADDRESSES = (
    ("href", ("http", "https", "mailto", "tel"), "use https, mailto or tel"),
    ("src", ("http", "https"), "save the image as a file next to the article"),
)

# Browsers skip leading control characters and blanks of an address, so the scheme may follow them.
_SCHEME = re.compile(r"[\x00-\x20]*([A-Za-z][A-Za-z0-9+.-]*):")
_CITATION = re.compile(r"\[\^([^\s\[\]]{1,100})\]")
# Addresses and DOIs come first so that nothing inside them changes.
_DASHES = re.compile(r"https?://\S+|10\.[0-9]{4,9}/\S+|(?<!-)-{2,3}(?!-)|(?<!\.)\.{3}(?!\.)")
_TYPESET = {"--": "–", "---": "—", "...": "…"}
_OPENERS = re.compile(r"[\[\"']")
_UNESCAPED_BAR = re.compile(r"(?<!\\)\|")


def check_limits(state: StateCore) -> None:
    """Refuse what would take markdown-it too long, or what it would drop.

    Raises:
        InputError: Too many brackets and quotes, blocks nested too deeply, or a long paragraph.
    """
    if len(_OPENERS.findall(state.src)) > MAX_OPENERS_IN_ALL:
        raise InputError(
            f"the article has more than {MAX_OPENERS_IN_ALL:,} brackets and straight quotes",
            line=1,
            fix="split it into two issues",
        )
    for token in state.tokens:
        if token.level >= MAX_NESTING - 1 and token.nesting == 1:
            raise InputError("nested too deeply", line=place(token), fix="flatten lists and quotes")
        if token.type == "inline" and (
            len(token.content) > MAX_PARAGRAPH or len(_OPENERS.findall(token.content)) > MAX_OPENERS
        ):
            raise InputError(
                f"a paragraph has more than {MAX_PARAGRAPH:,} characters or {MAX_OPENERS} brackets",
                line=place(token),
                fix="split it with empty lines",
            )


def check_row_widths(state: StateCore) -> None:
    """Refuse table rows with more cells than the header row.

    Raises:
        InputError: A row is too wide.
    """
    # GitHub's table rule silently drops excess cells (https://github.github.com/gfm/, section
    # 4.10), so the tokens no longer have them: count them in the source.
    lines = state.src.split("\n")
    columns = 0
    for token in state.tokens:
        if token.type == "thead_open":
            columns = 0
        elif token.type == "th_open":
            columns += 1
        elif token.type == "tr_open" and columns:
            row = lines[place(token) - 1].lstrip(" \t>").rstrip()
            cells = len(_UNESCAPED_BAR.findall(row)) + 1
            # Bars at either end are borders, and separate nothing.
            cells -= row.startswith("|") + (row.endswith("|") and not row.endswith("\\|"))
            if cells > columns:
                raise InputError(
                    f"a table row has more cells than the header row, which has {columns}",
                    line=place(token),
                    fix="add a column to the header, or write \\| for a bar inside a cell",
                )


def citation(state: StateInline, silent: bool) -> bool:
    """Read ``[^key]``, whether an entry defines the key or not."""
    # The plugin's own rule walks to the end of the text for each "[^": ten seconds for 18 KB.
    found = _CITATION.match(state.src, state.pos, state.posMax)
    if not found:
        return False
    if not silent:
        state.push("footnote_ref", "", 0).meta = {"label": found[1]}
    state.pos = found.end()
    return True


def dashes(state: StateCore) -> None:
    """Typeset dashes and ellipses."""
    for token in state.tokens:
        for child in token.children or ():
            if child.type == "text":
                child.content = _DASHES.sub(lambda m: _TYPESET.get(m[0], m[0]), child.content)


def add_lines(state: StateCore) -> None:
    """Give every token the lines it is on."""
    # markdown-it maps most block tokens and no inline token, but every error needs a line.
    last = [0, 1]
    for token in state.tokens:
        token.map = last = token.map or last
        row = last[0]
        for child in token.children or ():
            for part in (child, *(child.children or ())):
                part.map = [row, row + 1]
            row += child.type in BREAKS


def check_values(state: StateCore) -> None:
    """Refuse addresses, characters and citations that no mail may contain.

    Raises:
        InputError: An address has another scheme, a character reference such as ``&#12;``
            encodes a control character, or an image's alt text contains a citation.
    """
    for token in state.tokens:
        for child in _descendants(token):
            for name, schemes, fix in _ADDRESSES:
                found = _SCHEME.match(str(child.attrs.get(name, "")))
                if found and found[1].lower() not in schemes:
                    raise InputError(
                        f"an address must not start with {found[1][:20]}:",
                        line=place(child),
                        fix=fix,
                    )
            texts = (child.content, *(str(value) for value in child.attrs.values()))
            # `read_source` refused raw control characters; references to them are decoded here.
            if any(CONTROL.search(text) for text in texts):
                raise InputError(
                    "a character reference encodes a control character",
                    line=place(child),
                    fix="delete it",
                )
            alt = child.children or () if child.type == "image" else ()
            if any(part.type == "footnote_ref" for part in alt):
                raise InputError(
                    "an image's alt text contains a citation",
                    line=place(child),
                    fix="move it after the image",
                )


def _descendants(token: Token) -> Iterator[Token]:
    for child in token.children or ():
        yield child
        yield from _descendants(child)
