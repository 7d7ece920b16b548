"""Audience blocks: each must reach somebody."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.check.lint_context import SETTINGS_FILE, LintContext
from newsletter.check.model import Severity
from newsletter.check.rule import Problem, rule
from newsletter.content.model import AudienceBlock
from newsletter.content.suggest import did_you_mean


@rule("audience/unknown-topic", Severity.WARNING)
def unknown_topic(context: LintContext) -> Iterator[Problem]:
    """A block for a topic that does not exist: a misspelling hides it from everyone."""
    known = {topic.list for topic in context.settings.join.topics} | (context.lists or frozenset())
    for block in context.issue.blocks:
        if not isinstance(block, AudienceBlock) or block.topic in known:
            continue
        # Without a database, a topic may be the name of a list that is not known here.
        if context.lists is None:
            message = (
                f"no topic {block.topic} under [[join.topics]] in {SETTINGS_FILE}: unless a list"
                " has that name, nobody will see this block"
            )
        else:
            message = f"there is no list {block.topic}: nobody will see this block"
        there = f"known: {', '.join(sorted(known))}" if known else "none is defined yet"
        otherwise = f"use the name of a list, or add it under [[join.topics]] ({there})"
        fix = did_you_mean(block.topic, known, otherwise=otherwise, before="topic=")
        yield Problem(block.line, message, fix)
