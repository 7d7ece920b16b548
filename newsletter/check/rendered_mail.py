"""One variant as its readers see it: words, links and headings of the rendered mail."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest

from lxml import html as lxml_html
from lxml.html import HtmlElement

from newsletter.render.model import Part, SlotKind, Variant
from newsletter.render.slots import preview_part

DEFAULT_SIZE_PX = 16.0

_INLINE = re.compile(r"a|abbr|b|cite|code|del|em|font|i|ins|kbd|mark|q|s|small|span|strong|sub|u")
_UNSEEN = frozenset({"head", "script", "style", "template", "title"})
_HIDDEN = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
_FONT_SIZE = re.compile(r"(?:^|;)\s*font-size\s*:\s*([0-9.]+)\s*(px|pt|em|rem|%)?", re.IGNORECASE)
_BLANK = re.compile(r"[\s\u00a0\u00ad\u034f\u200b-\u200f\u2060\ufeff]*")
_FACTOR = {"px": 1.0, "pt": 4 / 3, "rem": DEFAULT_SIZE_PX}


@dataclass(frozen=True, slots=True)
class Run:
    """Words in one element: their size in CSS pixels, and whether they are super- or subscript."""

    text: str
    size: float
    raised: bool


@dataclass(frozen=True, slots=True)
class Link:
    """A link a reader can see; ``text`` includes the alt text of pictures in it."""

    href: str
    text: str


@dataclass(frozen=True)
class RenderedMail:
    """One variant with its slots filled: defaults, or the field's name where there is none."""

    subject: str
    preheader: str
    html: str
    text: str
    unsubscribe_url: str

    @cached_property
    def tree(self) -> HtmlElement:
        """The HTML part, parsed."""
        return lxml_html.document_fromstring(self.html if self.html.strip() else "<p></p>")

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """Every visible run of words, in order; blanks between blocks are runs too."""
        return tuple(_runs(self.tree, DEFAULT_SIZE_PX, raised=False))

    @cached_property
    def words(self) -> str:
        """What a reader sees, on one line, without citation numbers."""
        return squeeze("".join(" " if run.raised else run.text for run in self.runs))

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """Every visible link, in order."""
        anchors = (a for a in self.tree.iter("a") if a.get("href") is not None and _seen(a))
        return tuple(Link(str(a.get("href")).strip(), _label(a)) for a in anchors)

    @cached_property
    def names(self) -> frozenset[str]:
        """What a link within the mail can lead to."""
        elements = [e for e in self.tree.iter() if isinstance(e.tag, str)]
        return frozenset(str(e.get(key)) for e in elements for key in ("id", "name") if e.get(key))

    @cached_property
    def headings(self) -> tuple[tuple[int, str], ...]:
        """Level and words of each visible heading, in order."""
        found = (e for e in self.tree.iter("h1", "h2", "h3", "h4", "h5", "h6") if _seen(e))
        return tuple((int(str(e.tag)[1]), words_of(e)) for e in found)

    @cached_property
    def columns(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Each column of a visible table that has a name, and the words of its cells."""
        tables = (t for t in self.tree.iter("table") if t.find("thead") is not None and _seen(t))
        return tuple(column for table in tables for column in _named_columns(table))


def read_mail(variant: Variant, public_url: str) -> RenderedMail:
    """Fill a variant's slots and get ready to read it."""
    filled = {
        name: _fill(getattr(variant, name)) for name in ("subject", "preheader", "html", "text")
    }
    return RenderedMail(unsubscribe_url=f"{public_url}/u/", **filled)


def squeeze(text: str) -> str:
    """Every run of blanks as one."""
    return " ".join(text.split())


def words_of(element: HtmlElement) -> str:
    """The visible words of one element, without citation numbers."""
    runs = _runs(element, DEFAULT_SIZE_PX, raised=False)
    return squeeze("".join(" " if run.raised else run.text for run in runs))


def _named_columns(table: HtmlElement) -> Iterator[tuple[str, tuple[str, ...]]]:
    rows = ([words_of(cell) for cell in row] for row in table.iter("tr"))
    for name, *values in zip_longest(*rows, fillvalue=""):
        if not is_blank(name):
            yield name, tuple(values)


def is_blank(text: str) -> bool:
    """Whether there is nothing to see in a text."""
    return _BLANK.fullmatch(text) is not None


def _fill(part: Part) -> str:
    return preview_part(part, _stand_ins(part))


def _stand_ins(part: Part) -> Mapping[str, str]:
    """A value for each field that has no default, fit for its place."""
    whole = {SlotKind.URL, SlotKind.TEXT_URL}
    return {
        slot.name: f"https://{slot.name.replace('_', '-')}.invalid/"
        if slot.kind in whole
        else slot.name
        for slot in part.slots
        if not slot.default and slot.kind is not SlotKind.TOKEN
    }


def _runs(element: HtmlElement, size: float, *, raised: bool) -> Iterator[Run]:
    if not isinstance(element.tag, str) or element.tag in _UNSEEN or _is_hidden(element):
        return
    size = _size(element, size)
    raised = raised or element.tag in {"sup", "sub"}
    apart = not _INLINE.fullmatch(element.tag)
    if apart:
        yield Run(" ", size, raised)
    if element.text and size > 0:
        yield Run(element.text, size, raised)
    for child in element:
        yield from _runs(child, size, raised=raised)
        if child.tail and size > 0:
            yield Run(child.tail, size, raised)
    if apart:
        yield Run(" ", size, raised)


def _size(element: HtmlElement, inherited: float) -> float:
    found = _FONT_SIZE.search(element.get("style") or "")
    if not found:
        return inherited
    try:
        number = float(found[1])
    except ValueError:
        return inherited
    unit = (found[2] or "px").lower()
    if unit in {"em", "%"}:
        return inherited * number / (100 if unit == "%" else 1)
    return number * _FACTOR[unit]


def _is_hidden(element: HtmlElement) -> bool:
    return element.get("hidden") is not None or bool(_HIDDEN.search(element.get("style") or ""))


def _seen(element: HtmlElement) -> bool:
    return not any(_is_hidden(each) for each in (element, *element.iterancestors()))


def _label(anchor: HtmlElement) -> str:
    pictures = (str(image.get("alt") or "") for image in anchor.iter("img"))
    runs = "".join(run.text for run in _runs(anchor, DEFAULT_SIZE_PX, raised=False))
    return squeeze(" ".join((runs, *pictures)))
