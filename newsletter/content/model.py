"""The parts of an article, as read: front matter, blocks, references, merge fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date as Date
from pathlib import Path
from typing import Annotated, Literal

from markdown_it.token import Token
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from newsletter.i18n.languages import direction

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]
Line = Annotated[str, StringConstraints(min_length=1, pattern=r"^[^\r\n]+$", strip_whitespace=True)]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Hero(_Frozen):
    """The picture under the title; ``image`` is relative to the article."""

    image: str
    alt: str


class CallToAction(_Frozen):
    """The single button; ``label`` should start with a verb."""

    label: Line
    url: str


class FrontMatter(_Frozen):
    """The YAML front matter of an article. Unknown keys are errors."""

    subject: Line
    preheader: Line
    date: Date
    slug: Slug
    title: Line
    standfirst: str = ""
    author: str = ""
    lang: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] = "en"
    dir: Literal["ltr", "rtl", "auto"] = "ltr"
    template: Slug = "article"
    hero: Hero | None = None
    call_to_action: CallToAction | None = None
    topics: tuple[Slug, ...] = Field(default=())
    disclaimer: str = ""

    @model_validator(mode="before")
    @classmethod
    def _direction_of_language(cls, values: dict[str, object]) -> dict[str, object]:
        # Writers of Arabic or Hebrew need not know of ``dir``.
        lang = values.get("lang")
        return {"dir": direction(lang), **values} if isinstance(lang, str) else values


@dataclass(frozen=True, slots=True)
class Prose:
    """Consecutive ordinary Markdown block tokens: paragraphs, headings, lists, quotes, images."""

    tokens: tuple[Token, ...]
    line: int


@dataclass(frozen=True, slots=True)
class DataTable:
    """A Markdown table; cells are inline tokens.

    ``align`` has one of "", "left", "center" and "right" per column.
    """

    head: tuple[Token, ...]
    rows: tuple[tuple[Token, ...], ...]
    line: int
    align: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: ``percent`` from 0 to 100, ``value`` as written ("67 %"), ``label`` inline."""

    percent: float
    value: str
    label: Token
    line: int


@dataclass(frozen=True, slots=True)
class Bars:
    """``::: bars TITLE``: shares of one whole, named by the title."""

    title: Token
    bars: tuple[Bar, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Study:
    """``::: study TITLE``: rows of (label, inline text) that describe one study."""

    title: Token
    rows: tuple[tuple[str, Token], ...]
    line: int


@dataclass(frozen=True, slots=True)
class Glance:
    """``::: glance TITLE``: the key facts, one inline token each."""

    title: Token
    facts: tuple[Token, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Note:
    """``::: note TITLE``: a highlighted box of ordinary Markdown."""

    title: Token
    tokens: tuple[Token, ...]
    line: int


Block = Prose | DataTable | Bars | Study | Glance | Note


@dataclass(frozen=True, slots=True)
class AudienceBlock:
    """``::: audience topic=NAME``: blocks shown only to subscribers of one topic."""

    topic: str
    blocks: tuple[Block, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Reference:
    """One entry of the reference list.

    ``entry`` is its inline token, in which DOIs, PMIDs, PMCIDs and bare URLs are already links
    (their ``link_open`` has ``info == "auto"``); ``text`` is the same without markup. ``number``
    counts from 1 in order of first citation, and is None if the reference is never cited. ``doi``,
    ``pmid`` and ``pmcid`` hold the first valid identifier of each kind, or an empty string;
    ``urls`` holds the web addresses as the author wrote them.
    """

    key: str
    number: int | None
    entry: Token
    text: str
    doi: str
    pmid: str
    pmcid: str
    urls: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Citation:
    """One ``[^key]`` in the article; ``number`` is None if no entry has that key."""

    key: str
    number: int | None
    line: int


@dataclass(frozen=True, slots=True)
class MergeUse:
    """One ``{{ name | default("…") }}``; tokens hold ``placeholder`` in its place."""

    placeholder: str
    name: str
    default: str | None
    line: int


@dataclass(frozen=True, slots=True)
class ImageUse:
    """One picture: ``src`` as in its token (percent-encoded) or in ``hero``, ``alt`` as text."""

    src: str
    alt: str
    line: int


PLACEHOLDERS = 36 * 36
"""How many placeholders one prefix allows: two characters of `BASE36`."""

BASE36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Issue:
    """One article, as read.

    Tokens, subject and preheader hold a placeholder for each merge field: plain capitals and
    digits (``prefix``, two characters of `BASE36`, ``X``) that survive Markdown, MJML and CSS
    inlining unchanged. ``merge_fields`` says what each one is. ``prefix`` is derived from the
    source, so the same source always compiles to the same bytes. Merge fields are numbered from 0
    up; placeholders for anything else are taken from ``PLACEHOLDERS - 1`` down.

    ``references`` lists the cited ones by number, then the others in file order.
    ``duplicate_keys`` maps each key used by several entries to the lines of all of them; only the
    first such entry is in ``references``. Variants share their tokens: treat them as read-only.
    """

    path: Path
    source: str
    meta: FrontMatter
    meta_lines: Mapping[str, int]
    blocks: tuple[Block | AudienceBlock, ...]
    references: tuple[Reference, ...]
    citations: tuple[Citation, ...]
    merge_fields: tuple[MergeUse, ...]
    prefix: str
    images: tuple[ImageUse, ...] = ()
    duplicate_keys: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The folder that relative image paths start from."""
        return self.path.parent

    @property
    def cited(self) -> tuple[Reference, ...]:
        """The cited references, in order of their numbers."""
        return tuple(r for r in self.references if r.number is not None)

    @property
    def numbers(self) -> Mapping[str, int]:
        """The number of each cited reference, by key."""
        return {r.key: r.number for r in self.references if r.number is not None}

    def placeholder(self, index: int) -> str:
        """Return the placeholder with this number.

        Raises:
            ValueError: ``index`` is not within 0 to ``PLACEHOLDERS - 1``.
        """
        return placeholder(self.prefix, index)


def placeholder(prefix: str, index: int) -> str:
    """Build a placeholder: ``prefix``, two characters of `BASE36`, ``X``.

    Raises:
        ValueError: ``index`` is not within 0 to ``PLACEHOLDERS - 1``.
    """
    if not 0 <= index < PLACEHOLDERS:
        raise ValueError(f"no placeholder has the number {index}")
    high, low = divmod(index, len(BASE36))
    return f"{prefix}{BASE36[high]}{BASE36[low]}X"
