"""The ``::: kind title`` blocks, as a rule for markdown-it."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore

from newsletter.content.suggest import did_you_mean
from newsletter.errors import InputError

KINDS = ("audience", "bars", "glance", "note", "study")
_FENCE = re.compile(r"(:{3,})[ \t]*(.*)")
_EXAMPLE = "open with ::: bars TITLE (or study, glance, note, audience topic=NAME), close with :::"


def container_plugin(md: MarkdownIt) -> None:
    """Add the blocks. Unlike with mdit-py-plugins' containers, a mistake is an error with its line.

    The rule pushes ``container_open`` (``info`` is the kind, ``meta["title"]`` the rest of the
    line), an inline token for the title, the content, and ``container_close``. Rows of ``bars``
    and ``study`` are split at their first ``|``: ``meta["head"]`` is the part before it.
    """
    interrupts = ["paragraph", "reference", "blockquote", "list", "table"]
    md.block.ruler.before("table", "container", _container, {"alt": interrupts})
    # Before inline parsing, so that a label or percentage stays text as written.
    md.core.ruler.after("block", "rows", _split_rows)


def _container(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    if state.is_code_block(start) or not (fence := _FENCE.fullmatch(_text(state, start))):
        return False
    # markdown-it only asks whether a block would begin here, to end the paragraph before it.
    if silent:
        return True
    line = start + 1
    kind, _, title = fence[2].strip().partition(" ")
    if not kind:
        raise InputError("::: closes a block that was never opened", line=line, fix=_EXAMPLE)
    if kind not in KINDS:
        fix = did_you_mean(kind, KINDS, otherwise=_EXAMPLE, before="::: ")
        raise InputError(f"unknown block ::: {kind[:40]}", line=line, fix=fix)
    enclosing: list[str] = state.env.setdefault("containers", [])
    # Each open container is one level; further levels are lists or quotes.
    if state.level != len(enclosing):
        raise InputError(
            f"::: {kind} is inside a list or a quote",
            line=line,
            fix="move it to the left margin, with an empty line before it",
        )
    if enclosing and (kind == "audience" or enclosing[-1] != "audience"):
        raise InputError(
            f"::: {kind} is inside ::: {enclosing[-1]}",
            line=line,
            fix=f"close ::: {enclosing[-1]} with ::: first; only audience blocks hold other blocks",
        )
    close = _closing_line(state, start, end)
    opening = state.push("container_open", "div", 1)
    opening.info = kind
    opening.meta = {"title": title.strip()}
    opening.map = [start, close + 1]
    inline = state.push("inline", "", 0)
    # What follows "audience" is a condition, not text for readers.
    inline.content = "" if kind == "audience" else title.strip()
    inline.map = [start, start + 1]
    inline.children = []
    enclosing.append(kind)
    state.lineMax, outer = close, state.lineMax
    state.md.block.tokenize(state, start + 1, close)
    state.lineMax = outer
    enclosing.pop()
    state.push("container_close", "div", -1).map = [close, close + 1]
    state.line = close + 1
    return True


def _text(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]


def _closing_line(state: StateBlock, start: int, end: int) -> int:
    depth = 1
    for line in range(start + 1, end):
        fence = None if state.is_code_block(line) else _FENCE.fullmatch(_text(state, line))
        if fence:
            depth += 1 if fence[2].strip() else -1
        if not depth:
            return line
    # CommonMark would close it at the end of the file and put the rest of the article inside.
    raise InputError(
        f"{_text(state, start)[:40]} is never closed",
        line=start + 1,
        fix="put a line ::: after it",
    )


def _split_rows(state: StateCore) -> None:
    kind = ""
    is_title = False
    for token in state.tokens:
        if token.type == "container_open":
            kind = token.info
        elif token.type == "container_close":
            kind = ""
        elif token.type == "inline" and kind in ("bars", "study") and not is_title:
            head, bar, rest = token.content.partition("|")
            line = token.map[0] + 1 if token.map else None
            if not bar:
                example = "- 67 % | words" if kind == "bars" else "- Label | words"
                raise InputError(f"a row of ::: {kind} has no |", line=line, fix=f"write {example}")
            # The head is kept as text, where a citation would be lost.
            if "[^" in head:
                raise InputError(
                    "a citation comes before the |", line=line, fix="move it to the end of the row"
                )
            token.meta = {"head": " ".join(head.split())}
            token.content = rest.strip()
        is_title = token.type == "container_open"
