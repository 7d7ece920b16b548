"""Reads a Markdown file into an Issue, and selects what subscribers of some topics get of it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from markdown_it.token import Token

from newsletter.content.blocks import group
from newsletter.content.citations import images, number, spell_out_undefined
from newsletter.content.frontmatter import Head, read_head, validate
from newsletter.content.markdown import parse
from newsletter.content.merge_fields import mask
from newsletter.content.model import AudienceBlock, Block, FrontMatter, ImageUse, Issue
from newsletter.content.references import duplicates, references, take_entries
from newsletter.content.source import read_source, split
from newsletter.content.tokens import place, plain
from newsletter.errors import InputError


def read_issue(path: Path, *, root: Path) -> Issue:
    """Read one article. Nothing is written and nothing fetched.

    Args:
        path: The Markdown file: UTF-8, YAML front matter, CommonMark (https://spec.commonmark.org).
        root: The project folder, which must contain the file.

    Raises:
        InputError: The file or its content is invalid; names the line and the fix.
    """
    try:
        source = read_source(path, root)
        masked = mask(source)
        parts = split(masked.text)
        head = read_head(parts.front)
        meta = validate(head, path.stem, masked.prefix)
        tokens, entries = take_entries(parse(parts.body))
        listed = references(entries)
        spell_out_undefined(tokens, {reference.key for reference in listed})
        meta, tokens = _with_title(meta, head, tokens, masked.prefix)
        blocks = group(tokens)
        numbered, citations = number(blocks, listed)
    except InputError as error:
        # Only here is the file's name known.
        raise InputError(error.message, file=path, line=error.line, fix=error.fix) from None
    return Issue(
        path=path,
        source=source,
        meta=meta,
        meta_lines=head.lines,
        blocks=blocks,
        references=numbered,
        citations=citations,
        merge_fields=masked.fields,
        prefix=masked.prefix,
        images=(*_hero(meta, head.lines.get("hero.image", 1)), *images(blocks)),
        duplicate_keys=duplicates(entries),
    )


def select(issue: Issue, topics: frozenset[str]) -> Issue:
    """Return an issue as subscribers of exactly these topics get it.

    Audience blocks of other topics are removed, those of the given topics are replaced by their
    content, and references are renumbered.
    """
    kept: list[Block] = []
    for block in issue.blocks:
        if not isinstance(block, AudienceBlock):
            kept.append(block)
        elif block.topic in topics:
            kept += block.blocks
    blocks = tuple(kept)
    numbered, citations = number(blocks, issue.references)
    pictures = (*_hero(issue.meta, issue.meta_lines.get("hero.image", 1)), *images(blocks))
    return replace(issue, blocks=blocks, references=numbered, citations=citations, images=pictures)


def topics_of(issue: Issue) -> tuple[str, ...]:
    """Return the topics of the issue's audience blocks, sorted."""
    return tuple(sorted({b.topic for b in issue.blocks if isinstance(b, AudienceBlock)}))


def _with_title(
    meta: FrontMatter, head: Head, tokens: list[Token], prefix: str
) -> tuple[FrontMatter, list[Token]]:
    """Take the title from the front matter, else from a leading heading, else from the subject."""
    if "title" in head.values:
        for token in tokens:
            if token.type == "heading_open" and token.tag == "h1":
                raise InputError(
                    "the title is given twice: in the front matter and as a # heading",
                    line=place(token),
                    fix="remove one; further headings start with ##",
                )
        return meta, tokens
    if tokens and tokens[0].tag == "h1":
        heading, tokens = tokens[1], tokens[3:]
        title = " ".join(plain(heading.children).split())
        line = place(heading)
        # The title is also the name of the archive page, which is the same for everyone.
        if prefix in title or any(t.type == "footnote_ref" for t in heading.children or ()):
            raise InputError(
                "the title cannot contain a merge field or a citation",
                line=line,
                fix="remove it from the title",
            )
    else:
        title = re.sub(rf"{prefix}[0-9A-Z]{{2}}X", "", meta.subject)
        # What is left around "{{ first_name }}, your neck" must not start with the comma.
        title = " ".join(title.split()).strip(" ,;:–—-").replace(" ,", ",")
        line = head.lines["subject"]
    if not title:
        raise InputError("the article has no title", line=line, fix="add a line: # The title")
    return meta.model_copy(update={"title": title}), tokens


def _hero(meta: FrontMatter, line: int) -> tuple[ImageUse, ...]:
    return (ImageUse(meta.hero.image, meta.hero.alt, line),) if meta.hero else ()
