"""One variant as its recipients see it: words, links and headings of the rendered mail."""

from __future__ import annotations

import re
from collections.abc import Iterator
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
# Besides whitespace: soft hyphen, grapheme joiner, zero-width and direction marks.
_BLANK = re.compile(r"[\s\u00a0\u00ad\u034f\u200b-\u200f\u2060\ufeff]*")
_FACTOR = {"px": 1.0, "pt": 4 / 3, "rem": DEFAULT_SIZE_PX}


@dataclass(frozen=True, slots=True)
class Run:
    """Text in one element: its size in CSS pixels, and whether it is super- or subscript."""

    text: str
    size: float
    raised: bool


@dataclass(frozen=True, slots=True)
class Link:
    """A visible link; ``text`` includes the alt text of pictures in it."""

    href: str
    text: str


@dataclass(frozen=True)
class RenderedMail:
    """One variant with its slots filled: with defaults, or with the names of the fields."""

    subject: str
    preheader: str
    html: str
    text: str
    unsubscribe_url: str

    @cached_property
    def tree(self) -> HtmlElement:
        """The HTML part, parsed."""
        # lxml raises an error for an empty document.
        return lxml_html.document_fromstring(self.html if self.html.strip() else "<p></p>")

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """Every visible run of text, in order; spaces between blocks are runs too."""
        return tuple(_runs(self.tree, DEFAULT_SIZE_PX, raised=False))

    @cached_property
    def words(self) -> str:
        """The visible text, on one line, without citation numbers."""
        # A space: the words around a citation number must not join.
        return squeeze("".join(" " if run.raised else run.text for run in self.runs))

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """Every visible link, in order."""
        anchors = (a for a in self.tree.iter("a") if a.get("href") is not None and _seen(a))
        found = []
        for anchor in anchors:
            pictures = (str(image.get("alt") or "") for image in anchor.iter("img"))
            runs = "".join(run.text for run in _runs(anchor, DEFAULT_SIZE_PX, raised=False))
            text = squeeze(" ".join((runs, *pictures)))
            found.append(Link(str(anchor.get("href")).strip(), text))
        return tuple(found)

    @cached_property
    def names(self) -> frozenset[str]:
        """The targets that a link within the mail can have."""
        elements = [e for e in self.tree.iter() if isinstance(e.tag, str)]
        return frozenset(str(e.get(key)) for e in elements for key in ("id", "name") if e.get(key))

    @cached_property
    def headings(self) -> tuple[tuple[int, str], ...]:
        """Level and words of each visible heading, in order."""
        found = (e for e in self.tree.iter("h1", "h2", "h3", "h4", "h5", "h6") if _seen(e))
        return tuple((int(str(e.tag)[1]), words_of(e)) for e in found)

    @cached_property
    def columns(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Each named column of a visible data table, and the text of its cells."""
        tables = (t for t in self.tree.iter("table") if t.find("thead") is not None and _seen(t))
        columns = []
        for table in tables:
            rows = ([words_of(cell) for cell in row] for row in table.iter("tr"))
            for name, *values in zip_longest(*rows, fillvalue=""):
                if not is_blank(name):
                    columns.append((name, tuple(values)))
        return tuple(columns)


def read_mail(variant: Variant, public_url: str) -> RenderedMail:
    """Fill a variant's slots, and prepare it for the rules."""
    whole = {SlotKind.URL, SlotKind.TEXT_URL}
    filled = {}
    for name in ("subject", "preheader", "html", "text"):
        part: Part = getattr(variant, name)
        # A field without a default shows its name, as a whole URL where nothing else is valid.
        values = {
            slot.name: f"https://{slot.name.replace('_', '-')}.invalid/"
            if slot.kind in whole
            else slot.name
            for slot in part.slots
            if not slot.default and slot.kind is not SlotKind.TOKEN
        }
        filled[name] = preview_part(part, values)
    return RenderedMail(unsubscribe_url=f"{public_url}/u/", **filled)


def squeeze(text: str) -> str:
    """The text with every run of whitespace as one space."""
    return " ".join(text.split())


def words_of(element: HtmlElement) -> str:
    """The visible text of one element, without citation numbers."""
    runs = _runs(element, DEFAULT_SIZE_PX, raised=False)
    return squeeze("".join(" " if run.raised else run.text for run in runs))


def is_blank(text: str) -> bool:
    """Whether a text shows nothing: whitespace, zero-width and other invisible characters."""
    return _BLANK.fullmatch(text) is not None


def _runs(element: HtmlElement, size: float, *, raised: bool) -> Iterator[Run]:
    if not isinstance(element.tag, str) or element.tag in _UNSEEN or _is_hidden(element):
        return
    if found := _FONT_SIZE.search(element.get("style") or ""):
        unit = (found[2] or "px").lower()
        number = _number(found[1])
        if number is not None and unit in {"em", "%"}:
            size *= number / (100 if unit == "%" else 1)
        elif number is not None:
            size = number * _FACTOR[unit]
    raised = raised or element.tag in {"sup", "sub"}
    # Words of neighboring blocks must not run into each other.
    apart = not _INLINE.fullmatch(element.tag)
    if apart:
        yield Run(" ", size, raised)
    # Size 0 hides text, such as the preheader's padding; children may set a size of their own.
    if element.text and size > 0:
        yield Run(element.text, size, raised)
    for child in element:
        yield from _runs(child, size, raised=raised)
        if child.tail and size > 0:
            yield Run(child.tail, size, raised)
    if apart:
        yield Run(" ", size, raised)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:  # such as "1.2.3": clients ignore the whole declaration
        return None


def _is_hidden(element: HtmlElement) -> bool:
    return element.get("hidden") is not None or bool(_HIDDEN.search(element.get("style") or ""))


def _seen(element: HtmlElement) -> bool:
    return not any(_is_hidden(each) for each in (element, *element.iterancestors()))
