"""What a person is shown before a send."""

import pytest

from newsletter.cli.send_view import show_variants
from newsletter.render.model import Part, Variant
from tests.unit.delivery.issues import SENDER, CompiledIssue, compiled


def test_each_text_says_how_many_get_it(capsys: pytest.CaptureFixture[str]) -> None:
    part = Part(("",), ())
    topics = (frozenset[str](), frozenset({"pain", "research"}))
    variants = tuple(Variant(each, part, part, part, part) for each in topics)
    issue = CompiledIssue("s", "en", "2026-05-01", "T", SENDER, variants, (), "", "d")
    show_variants(issue, {0: 1200})
    assert capsys.readouterr().err.splitlines() == [
        "    without topic blocks: 1,200",
        "    with the blocks for pain, research: 0",
    ]


def test_a_single_text_needs_no_words(capsys: pytest.CaptureFixture[str]) -> None:
    show_variants(compiled(), {0: 7})
    assert capsys.readouterr() == ("", "")
