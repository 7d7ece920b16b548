"""Samples for the rules of group `size`."""

from tests.unit.check.project import Sample

PARAGRAPH = "Words of a letter, plain and calm. " * 28 + "\n\n"
"""About a thousand characters."""
UMLAUTS = "ü" * 980 + "\n\n"

FIRES = (
    Sample("size/clipped", PARAGRAPH * 105),
    Sample("size/clipped", UMLAUTS * 36),
    Sample("size/large", PARAGRAPH * 80),
)

NEAR_MISSES = (
    Sample("size/clipped", PARAGRAPH * 80),
    Sample("size/large", PARAGRAPH * 50),
    Sample("size/large", PARAGRAPH * 105),
)
