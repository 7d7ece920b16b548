"""What an article is, once read: the values that `content` owns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date as Date
from pathlib import Path
from typing import Annotated, Any, Literal

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
    """The one button: ``label`` starts with a verb."""

    label: Line
    url: str


class FrontMatter(_Frozen):
    """The YAML head of an article. Unknown keys are errors."""

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
    def _written_as_its_language(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Without ``dir``, Arabic and Hebrew go from right to left."""
        lang = values.get("lang")
        return {"dir": direction(lang), **values} if isinstance(lang, str) else values


@dataclass(frozen=True, slots=True)
class Prose:
    """A run of ordinary Markdown block tokens: paragraphs, headings, lists, quotes, images."""

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
    """One bar: ``percent`` of 0 to 100, ``value`` as written ("67 %"), ``label`` inline."""

    percent: float
    value: str
    label: Token
    line: int


@dataclass(frozen=True, slots=True)
class Bars:
    """``::: bars TITLE``: shares of one whole, which the title names."""

    title: Token
    bars: tuple[Bar, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Study:
    """``::: study TITLE``: rows of (label, inline text): who, how many, found, strength."""

    title: Token
    rows: tuple[tuple[str, Token], ...]
    line: int


@dataclass(frozen=True, slots=True)
class Glance:
    """``::: glance TITLE``: the few facts to take away, inline each."""

    title: Token
    facts: tuple[Token, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Note:
    """``::: note TITLE``: a notice box around ordinary Markdown."""

    title: Token
    tokens: tuple[Token, ...]
    line: int


Block = Prose | DataTable | Bars | Study | Glance | Note


@dataclass(frozen=True, slots=True)
class AudienceBlock:
    """``::: audience topic=NAME``: blocks for readers of one topic only."""

    topic: str
    blocks: tuple[Block, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Reference:
    """One entry of the reference list.

    ``entry`` is its inline token; DOI, PMID, PMCID and bare URLs in it are links already (their
    ``link_open`` has ``info == "auto"``); ``text`` is the same without markup. ``number`` counts
    from 1 by first citation; None when it is never cited. ``doi``, ``pmid`` and ``pmcid`` hold the
    first identifier of their kind, empty if there is none or it is malformed; ``urls`` the web
    addresses as the author wrote them.
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
    """One ``[^key]`` in the article; ``number`` is None where no entry has that key."""

    key: str
    number: int | None
    line: int


@dataclass(frozen=True, slots=True)
class MergeUse:
    """One ``{{ name | default("…") }}``, standing in the source as ``placeholder``."""

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
"""How many placeholders one prefix can number."""

_BASE36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Issue:
    """One article, read.

    Merge fields stand in tokens, subject and preheader as placeholders of plain capitals and
    digits, ``prefix`` + two of [0-9A-Z] + ``X``; ``merges`` says what each is. ``prefix`` derives
    from the source, so that the same source always compiles to the same bytes. Merge fields take
    the numbers from 0 up; whoever needs placeholders for other things takes them from
    ``PLACEHOLDERS - 1`` down.

    ``references`` has the cited ones by number, then the others as they stand in the file.
    ``duplicate_keys`` names each key that several entries have, with the lines of all of them; the
    first entry is the one in ``references``. Tokens are shared between variants: read them only.
    """

    path: Path
    source: str
    meta: FrontMatter
    meta_lines: Mapping[str, int]
    blocks: tuple[Block | AudienceBlock, ...]
    references: tuple[Reference, ...]
    citations: tuple[Citation, ...]
    merges: tuple[MergeUse, ...]
    prefix: str
    images: tuple[ImageUse, ...] = ()
    duplicate_keys: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where relative image paths start."""
        return self.path.parent

    @property
    def cited(self) -> tuple[Reference, ...]:
        """The references that are cited, in order of their numbers."""
        return tuple(r for r in self.references if r.number is not None)

    @property
    def numbers(self) -> Mapping[str, int]:
        """The number of each cited reference, by key."""
        return {r.key: r.number for r in self.references if r.number is not None}

    def placeholder(self, index: int) -> str:
        """The placeholder with this number.

        Raises:
            ValueError: ``index`` is not within 0 to ``PLACEHOLDERS - 1``.
        """
        return placeholder(self.prefix, index)


def placeholder(prefix: str, index: int) -> str:
    """Name one placeholder: ``prefix``, two of [0-9A-Z], ``X``.

    Raises:
        ValueError: ``index`` is not within 0 to ``PLACEHOLDERS - 1``.
    """
    if not 0 <= index < PLACEHOLDERS:
        raise ValueError(f"no placeholder has the number {index}")
    high, low = divmod(index, len(_BASE36))
    return f"{prefix}{_BASE36[high]}{_BASE36[low]}X"
