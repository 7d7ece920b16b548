"""The contrast ratio between text and its background (WCAG 2.2, "contrast ratio")."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.settings.model import Palette

READABLE = 4.5
"""The minimum for ordinary text (WCAG 2.2 success criterion 1.4.3, level AA)."""

_BEHIND = {
    "ink": ("card", "page", "notice"),
    "secondary": ("card", "page"),
    "accent": ("card", "page", "notice"),
    "warm": ("card", "notice"),
}
"""Text color to the backgrounds it is used on, in mail and pages; buttons reverse the two."""


def too_faint(palette: Palette) -> Iterator[tuple[str, str, float]]:
    """Each text color that is hard to read: its name, that of the background, their ratio."""
    colors = palette.model_dump()
    for words, grounds in _BEHIND.items():
        for ground in grounds:
            ratio = contrast(colors[words], colors[ground])
            if ratio < READABLE:
                yield words, ground, ratio


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colors as ``#RRGGBB``: 1 for the same, 21 for black on white."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: str) -> float:
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    # sRGB is not linear in light (WCAG 2.2, "relative luminance").
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
