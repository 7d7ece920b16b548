"""Samples for the rules of group `audience`."""

from tests.unit.check.project import Sample


def block(topic: str) -> str:
    """An article with a block for one topic."""
    return f"Words.\n\n::: audience topic={topic}\nMore words.\n:::"


LISTS = frozenset({"readers", "staff"})
NOBODY_JOINS = {'[[join.topics]]\nlist = "research"\ntitle = "Research"\n': ""}

FIRES = (
    Sample("audience/unknown-topic", block("reserch"), at="reserch"),
    Sample("audience/unknown-topic", block("reserch"), at="reserch", lists=LISTS),
    Sample("audience/unknown-topic", block("news"), at="news", settings=NOBODY_JOINS),
)

NEAR_MISSES = (
    Sample("audience/unknown-topic", block("research")),
    Sample("audience/unknown-topic", block("staff"), lists=LISTS),
    Sample("audience/unknown-topic", front={"topics": "[reserch]"}),
)
