"""Audience blocks: somebody may get each of them."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.check.lint_context import SETTINGS_FILE, LintContext
from newsletter.check.model import Severity
from newsletter.check.rule import Problem, rule
from newsletter.content.model import AudienceBlock
from newsletter.content.suggest import did_you_mean


@rule("audience/unknown-topic", Severity.WARNING)
def unknown_topic(case: LintContext) -> Iterator[Problem]:
    """A block for a topic that nobody can have chosen: a slip of the pen hides it from everyone."""
    known = {topic.list for topic in case.settings.join.topics} | (case.lists or frozenset())
    for block in case.issue.blocks:
        if isinstance(block, AudienceBlock) and block.topic not in known:
            yield Problem(block.line, _message(block.topic, case), _fix(block.topic, known))


def _message(topic: str, case: LintContext) -> str:
    where_to = f"under [[join.topics]] in {SETTINGS_FILE}"
    if case.lists is None:
        return f"no {topic} stands {where_to}: unless a list has that name, nobody gets this block"
    return f"there is no list {topic}: nobody gets this block"


def _fix(topic: str, known: set[str]) -> str:
    there = f"there: {', '.join(sorted(known))}" if known else "there is none"
    otherwise = f"name a list, or add it under [[join.topics]] ({there})"
    return did_you_mean(topic, known, otherwise=otherwise, before="topic=")
