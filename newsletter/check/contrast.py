"""How well a colour can be told from the one behind it (WCAG 2.2, "contrast ratio")."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.settings.model import Palette

READABLE = 4.5
"""The least ratio of ordinary text (WCAG 2.2 success criterion 1.4.3, level AA)."""

_BEHIND = {
    "ink": ("card", "page", "notice"),
    "secondary": ("card", "page"),
    "accent": ("card", "page", "notice"),
    "warm": ("card", "notice"),
}
"""What each colour of words stands on, in mail and pages; buttons have the two exchanged."""


def too_faint(palette: Palette) -> Iterator[tuple[str, str, float]]:
    """The name of each colour of words that cannot be read, that of the one behind, their ratio."""
    colours = palette.model_dump()
    for words, grounds in _BEHIND.items():
        for ground in grounds:
            ratio = contrast(colours[words], colours[ground])
            if ratio < READABLE:
                yield words, ground, ratio


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours as ``#RRGGBB``: 1 for the same, 21 for black on white."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
