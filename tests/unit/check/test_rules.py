"""Every rule fires at the right line of a real article, and ignores near misses."""

from importlib import import_module
from pathlib import Path

import pytest

from newsletter.check.rule import MailKind
from newsletter.check.rules import RULES
from tests.unit.check.project import Project, Sample

GROUPS = sorted({rule.group for rule in RULES if MailKind.ISSUE in rule.applies_to})
MODULES = [import_module(f"tests.unit.check.samples.{group.replace('-', '_')}") for group in GROUPS]
FIRES: list[Sample] = [sample for module in MODULES for sample in module.FIRES]
NEAR_MISSES: list[Sample] = [sample for module in MODULES for sample in module.NEAR_MISSES]
DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("sample", FIRES, ids=lambda sample: sample.rule)
def test_fires_at_the_line_of_the_problem(app: Project, sample: Sample):
    app.lay(sample)
    findings = app.check(sample.columns, sample.live, sample.lists)
    found = [f for f in findings if f.rule == sample.rule]
    expected = (sample.file, app.line_of(sample.file, sample.at))
    assert expected in [(f.file, f.line) for f in found], findings
    assert all(f.message and f.fix and "\n" not in f.message + f.fix for f in found)


@pytest.mark.parametrize("sample", NEAR_MISSES, ids=lambda sample: sample.rule)
def test_ignores_near_misses(app: Project, sample: Sample):
    app.lay(sample)
    findings = app.check(sample.columns, sample.live, sample.lists)
    assert [f for f in findings if f.rule == sample.rule] == []


@pytest.mark.parametrize("live", [False, True])
def test_a_plain_article_has_no_findings(app: Project, live: bool):
    app.lay(Sample(""))
    assert app.check(live=live) == []


@pytest.mark.parametrize("samples", [FIRES, NEAR_MISSES], ids=["fires", "near misses"])
def test_every_rule_has_samples(samples: list[Sample]):
    of_issues = {rule.name for rule in RULES if MailKind.ISSUE in rule.applies_to}
    assert {sample.rule for sample in samples} == of_issues


def test_rules_are_named_group_and_rule_once():
    names = [rule.name for rule in RULES]
    assert len(names) == len(set(names))
    assert all(name.count("/") == 1 and name == name.lower() for name in names)
    groups = [rule.group for rule in RULES]
    assert groups == sorted(groups, key=groups.index), "rules of a group are listed together"


def test_every_rule_is_documented_with_its_severity():
    rows = [line for line in (DOCS / "checks.md").read_text().split("\n") if line.startswith("| `")]
    documented = [tuple(cell.strip(" `") for cell in row.split("|")[1:3]) for row in rows]
    assert documented == [(rule.name, str(rule.severity)) for rule in RULES]


def test_rules_for_live_sends_are_documented_as_such():
    rows = (DOCS / "checks.md").read_text().split("\n")
    live = {
        row.split("`")[1] for row in rows if row.startswith("| `") and "Live sends only." in row
    }
    assert live == {rule.name for rule in RULES if rule.live}


def test_a_fix_suggests_a_similar_name(app: Project):
    app.lay(Sample("", "Hi {{ frist_name }}.\n\n::: audience topic=reserch\nWords.\n:::"))
    fixes = {f.rule: f.fix for f in app.check()}
    assert fixes["audience/unknown-topic"] == "did you mean topic=research?"
    assert fixes["merge-fields/undeclared"].startswith("did you mean first_name? Or declare [")


def test_a_problem_that_occurs_twice_is_found_twice(app: Project):
    app.lay(Sample("", "[Read more](https://a.org/)\n\nWords.\n\n[Read more](https://a.org/)"))
    lines = [f.line for f in app.check() if f.rule == "links/vague-text"]
    assert len(lines) == 2
    assert lines[1] == lines[0] + 4
