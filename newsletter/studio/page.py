"""What the staff pages share: how to view a message, chosen in the URL, and sorted findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, cast, get_args
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from newsletter.check.model import Finding, Severity
from newsletter.content.model import Issue
from newsletter.render.model import CompiledIssue
from newsletter.studio.sandbox_frame import WIDTHS, Scheme

Reader = Literal["sample", "nameless", "long"]

READERS: dict[Reader, str] = {
    "sample": "Sample reader",
    "nameless": "Reader without a name",
    "long": "Reader with long names",
}
_LONG = "Maximiliane-Alexandra von Hohenstein-Winterfeld"
_ORDER = tuple(Severity)


class Preview(Protocol):
    """One article, compiled and checked."""

    @property
    def issue(self) -> Issue:
        """The article."""
        ...

    @property
    def compiled(self) -> CompiledIssue:
        """The compiled article."""
        ...

    @property
    def findings(self) -> Sequence[Finding]:
        """What the checks found."""
        ...


@dataclass(frozen=True, slots=True)
class View:
    """How a message is viewed. All of it is in the URL, so that a view can be shared."""

    width: int = 600
    scheme: Scheme = "light"
    images: bool = True
    part: Literal["html", "text"] = "html"
    reader: Reader = "sample"
    variant: int = 0

    @property
    def query(self) -> str:
        """This view as a query string."""
        values = {"width": self.width, "scheme": self.scheme, "part": self.part}
        images = "on" if self.images else "off"
        return urlencode(
            values | {"images": images, "reader": self.reader, "variant": self.variant}
        )

    def change(self, **changes: object) -> str:
        """The query string of this view with something changed."""
        return replace(self, **changes).query  # type: ignore[arg-type]


def read_view(query: QueryParams, variants: int) -> View:
    """The view that a query string asks for; invalid values are replaced by defaults."""
    usual = View()
    width = _number(query.get("width", ""), usual.width)
    variant = _number(query.get("variant", ""), 0)
    reader = query.get("reader", "")
    return View(
        width=width if width in WIDTHS else usual.width,
        scheme="dark" if query.get("scheme") == "dark" else "light",
        images=query.get("images") != "off",
        part="text" if query.get("part") == "text" else "html",
        reader=cast("Reader", reader) if reader in get_args(Reader) else usual.reader,
        variant=variant if variant < variants else 0,
    )


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else otherwise


def reader_values(reader: Reader, samples: dict[str, str]) -> dict[str, str]:
    """Merge values of one made-up reader.

    Args:
        reader: Which one.
        samples: Field to sample value, from `newsletter.toml`.
    """
    if reader == "sample":
        return samples
    return dict.fromkeys(samples, "" if reader == "nameless" else _LONG)


def by_weight(findings: Sequence[Finding]) -> list[Finding]:
    """Findings, the most severe first, then by file and line."""
    return sorted(findings, key=lambda f: (_ORDER.index(f.severity), f.file, f.line))
