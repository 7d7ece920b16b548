"""The ``::: kind title`` boxes as a Markdown block rule."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from newsletter.content.suggest import did_you_mean
from newsletter.errors import InputError

KINDS = ("audience", "bars", "glance", "note", "study")
_FENCE = re.compile(r"(:{3,})[ \t]*(.*)")
_EXAMPLE = "open with ::: bars TITLE (or study, glance, note, audience topic=NAME), close with :::"


def container_plugin(md: MarkdownIt) -> None:
    """Add the boxes. Unlike mdit-py-plugins' containers, a mistake is an error with its line.

    The rule pushes ``container_open`` (``info`` is the kind, ``meta["title"]`` the rest of the
    line), an inline token of the title, the content, and ``container_close``.
    """
    interrupts = ["paragraph", "reference", "blockquote", "list", "table"]
    md.block.ruler.before("table", "container", _container, {"alt": interrupts})
    md.core.ruler.after("block", "rows", _rows)


def _container(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    if state.is_code_block(start) or not (fence := _FENCE.fullmatch(_text(state, start))):
        return False
    if silent:
        return True
    kind, title = _opening(fence[2], start)
    stack: list[str] = state.env.setdefault("containers", [])
    _check_place(stack, kind, state.level, start)
    close = _closing(state, start, end)
    _push(state, kind, title, start, close)
    stack.append(kind)
    state.lineMax, outer = close, state.lineMax
    state.md.block.tokenize(state, start + 1, close)
    state.lineMax = outer
    stack.pop()
    state.push("container_close", "div", -1).map = [close, close + 1]
    state.line = close + 1
    return True


def _text(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]


def _opening(rest: str, line: int) -> tuple[str, str]:
    kind, _, title = rest.strip().partition(" ")
    if not kind:
        raise InputError("::: closes a block that was never opened", line=line + 1, fix=_EXAMPLE)
    if kind not in KINDS:
        fix = did_you_mean(kind, KINDS, otherwise=_EXAMPLE, before="::: ")
        raise InputError(f"unknown block ::: {kind[:40]}", line=line + 1, fix=fix)
    return kind, title.strip()


def _check_place(stack: list[str], kind: str, level: int, line: int) -> None:
    if level != len(stack):
        raise InputError(
            f"::: {kind} stands inside a list or a quote",
            line=line + 1,
            fix="move it to the left margin, with an empty line before it",
        )
    if stack and (kind == "audience" or stack[-1] != "audience"):
        raise InputError(
            f"::: {kind} stands inside ::: {stack[-1]}",
            line=line + 1,
            fix=f"close ::: {stack[-1]} with ::: first; only audience blocks hold other blocks",
        )


def _closing(state: StateBlock, start: int, end: int) -> int:
    depth = 1
    for line in range(start + 1, end):
        fence = None if state.is_code_block(line) else _FENCE.fullmatch(_text(state, line))
        if fence:
            depth += 1 if fence[2].strip() else -1
        if not depth:
            return line
    raise InputError(
        f"{_text(state, start)[:40]} is never closed",
        line=start + 1,
        fix="put a line ::: after it",
    )


def _push(state: StateBlock, kind: str, title: str, start: int, close: int) -> None:
    opening = state.push("container_open", "div", 1)
    opening.info = kind
    opening.meta = {"title": title}
    opening.map = [start, close + 1]
    inline = state.push("inline", "", 0)
    inline.content = "" if kind == "audience" else title
    inline.map = [start, start + 1]
    inline.children = []


def _rows(state: StateCore) -> None:
    kind = ""
    titled = False
    for token in state.tokens:
        if token.type == "container_open":
            kind = token.info
        elif token.type == "container_close":
            kind = ""
        elif token.type == "inline" and kind in ("bars", "study") and not titled:
            _split_row(token, kind)
        titled = token.type == "container_open"


def _split_row(token: Token, kind: str) -> None:
    head, bar, rest = token.content.partition("|")
    line = token.map[0] + 1 if token.map else None
    example = "- 67 % | words" if kind == "bars" else "- Label | words"
    if not bar:
        raise InputError(f"a row of ::: {kind} has no |", line=line, fix=f"write {example}")
    if "[^" in head:
        raise InputError(
            "a citation stands before the |", line=line, fix="put it at the end of the row"
        )
    token.meta = {"head": " ".join(head.split())}
    token.content = rest.strip()
