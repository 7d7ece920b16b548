"""Markdown file -> Issue, and an issue -> what readers of some topics get of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from markdown_it.token import Token

from newsletter.content.blocks import group
from newsletter.content.citations import images, number, spell_out_undefined
from newsletter.content.frontmatter import Head, read_head, validate
from newsletter.content.markdown import parse, place, plain
from newsletter.content.merge_fields import Masked, mask
from newsletter.content.model import AudienceBlock, Block, FrontMatter, ImageUse, Issue
from newsletter.content.references import duplicates, references, take_entries
from newsletter.content.source import read_source, split
from newsletter.errors import InputError


def read_issue(path: Path, *, root: Path) -> Issue:
    """Read one article. Nothing is written and nothing fetched.

    Args:
        path: The Markdown file: UTF-8, YAML front matter, CommonMark (https://spec.commonmark.org).
        root: The project's folder, which the file must lie in.

    Raises:
        InputError: The file or anything in it cannot be taken as it is; names the line and the fix.
    """
    try:
        source = read_source(path, root)
        return _build(path, source, mask(source))
    except InputError as error:
        raise InputError(error.message, file=path, line=error.line, fix=error.fix) from None


def select(issue: Issue, topics: frozenset[str]) -> Issue:
    """Give an issue as readers of exactly these topics get it.

    Audience blocks of other topics are gone, the blocks of the kept ones stand in their place, and
    references are numbered anew.
    """
    blocks = tuple(_kept(issue.blocks, topics))
    numbered, citations = number(blocks, issue.references)
    pictures = (*_hero(issue.meta, issue.meta_lines.get("hero.image", 1)), *images(blocks))
    return replace(issue, blocks=blocks, references=numbered, citations=citations, images=pictures)


def topics_of(issue: Issue) -> tuple[str, ...]:
    """The topics that audience blocks distinguish, sorted."""
    return tuple(sorted({b.topic for b in issue.blocks if isinstance(b, AudienceBlock)}))


def _build(path: Path, source: str, masked: Masked) -> Issue:
    parts = split(masked.text)
    head = read_head(parts.front)
    meta = validate(head, path.stem, masked.prefix)
    tokens, entries = take_entries(parse(parts.body))
    listed = references(entries)
    spell_out_undefined(tokens, {reference.key for reference in listed})
    title, tokens = _take_title(tokens, head)
    meta = _with_title(meta, title, masked.prefix, head)
    blocks = group(tokens)
    numbered, citations = number(blocks, listed)
    return Issue(
        path=path,
        source=source,
        meta=meta,
        meta_lines=head.lines,
        blocks=blocks,
        references=numbered,
        citations=citations,
        merges=masked.merges,
        prefix=masked.prefix,
        images=(*_hero(meta, head.lines.get("hero.image", 1)), *images(blocks)),
        duplicate_keys=duplicates(entries),
    )


def _take_title(tokens: list[Token], head: Head) -> tuple[Token | None, list[Token]]:
    for token in tokens:
        if token.type == "heading_open" and token.tag == "h1" and "title" in head.values:
            raise InputError(
                "the title stands in the front matter and as a # heading",
                line=place(token),
                fix="remove one; further headings start with ##",
            )
    if not tokens or tokens[0].tag != "h1":
        return None, tokens
    return tokens[1], tokens[3:]


def _with_title(meta: FrontMatter, heading: Token | None, prefix: str, head: Head) -> FrontMatter:
    if "title" in head.values:
        return meta
    if heading is None:
        title = _without_merges(meta.subject, prefix)
        line = head.lines["subject"]
    else:
        title = " ".join(plain(heading.children).split())
        line = place(heading)
        if prefix in title or any(t.type == "footnote_ref" for t in heading.children or ()):
            raise InputError(
                "the title cannot hold a merge field or a citation", line=line, fix="take it out"
            )
    if not title:
        raise InputError("the article has no title", line=line, fix="add a line: # The title")
    return meta.model_copy(update={"title": title})


def _without_merges(text: str, prefix: str) -> str:
    text = re.sub(rf"{prefix}[0-9A-Z]{{2}}X", "", text)
    return " ".join(text.split()).strip(" ,;:–—-").replace(" ,", ",")


def _hero(meta: FrontMatter, line: int) -> tuple[ImageUse, ...]:
    return (ImageUse(meta.hero.image, meta.hero.alt, line),) if meta.hero else ()


def _kept(blocks: tuple[Block | AudienceBlock, ...], topics: frozenset[str]) -> Iterator[Block]:
    for block in blocks:
        if not isinstance(block, AudienceBlock):
            yield block
        elif block.topic in topics:
            yield from block.blocks
