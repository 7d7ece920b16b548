"""One article that uses everything, and the issue it is read as."""

from collections.abc import Iterator

from markdown_it.token import Token

from newsletter.content.model import (
    AudienceBlock,
    Bars,
    Block,
    DataTable,
    Glance,
    Issue,
    Note,
    Prose,
    Study,
)
from newsletter.content.reader import read_issue, select
from tests.support.golden import HERE, check_golden


def inline(token: Token) -> str:
    """Show inline tokens as text, with links, images and citations in angle brackets."""
    return "".join(_shown(child) for child in token.children or ())


def _shown(token: Token) -> str:
    match token.type:
        case "text":
            return token.content
        case "footnote_ref":
            return f"<cite {token.meta['label']}>"
        case "link_open":
            return f"<a {token.attrs['href']}>"
        case "image":
            return f"<img {token.attrs['src']} {inline(token)!r}>"
        case _:
            return f"<{token.type}>"


def block(value: Block | AudienceBlock) -> Iterator[str]:
    """Show a block, one line per part."""
    yield f"{value.line}: {type(value).__name__}"
    match value:
        case Prose(tokens=tokens):
            yield from prose(tokens)
        case Note(title=title, tokens=tokens):
            yield f"    title: {inline(title)}"
            yield from prose(tokens)
        case DataTable(head=head, rows=rows, align=align):
            for row in (head, *rows):
                yield "    " + " | ".join(inline(cell) for cell in row)
            yield f"    {align}"
        case Bars(title=title, bars=bars):
            yield f"    title: {inline(title)}"
            yield from (f"    {b.line}: {b.percent} ({b.value}) {inline(b.label)}" for b in bars)
        case Study(title=title, rows=pairs):
            yield f"    title: {inline(title)}"
            yield from (f"    {label} = {inline(text)}" for label, text in pairs)
        case Glance(title=title, facts=facts):
            yield f"    title: {inline(title)}"
            yield from (f"    * {inline(fact)}" for fact in facts)
        case AudienceBlock(topic=topic, blocks=inner):
            yield f"    topic: {topic}"
            yield from (f"    {line}" for each in inner for line in block(each))


def prose(tokens: tuple[Token, ...]) -> Iterator[str]:
    for token in tokens:
        if token.nesting >= 0:
            line = token.map[0] + 1 if token.map else 0
            yield f"    {line}: {'  ' * token.level}{token.type} {inline(token)}".rstrip()


def shown(issue: Issue) -> Iterator[str]:
    yield from (f"{key}: {value}" for key, value in issue.meta)
    yield from ("", *(line for each in issue.blocks for line in block(each)), "")
    for r in issue.references:
        yield f"{r.line}: [{r.number}] {r.key} doi={r.doi} pmid={r.pmid} {r.pmcid} {r.urls}"
        yield f"    {inline(r.entry)}"
    yield from ("", *(str(citation) for citation in issue.citations))
    yield from ("", *(str(merge) for merge in issue.merge_fields))
    yield from ("", *(str(image) for image in issue.images))
    yield f"duplicates: {issue.duplicate_keys}"
    yield f"numbers without a topic: {select(issue, frozenset()).numbers}"


def test_golden_article() -> None:
    folder = HERE / "content"
    issue = read_issue(folder / "article.md", root=folder)
    check_golden("content/article.txt", "\n".join(shown(issue)) + "\n")
