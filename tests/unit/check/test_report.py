"""Findings as text and as JSON."""

import json

from newsletter.check.model import Finding, Severity
from newsletter.check.report import findings_json, format_findings
from tests.unit.check.project import Project, Sample

UNUSED = Finding(
    "references/unused",
    Severity.WARNING,
    "issues/x.md",
    41,
    "[^smith2001] is never cited",
    "remove it, or cite it",
)
BLOCKER = Finding("disclaimer/missing", Severity.BLOCKER, "issues/x.md", 3, "none", "name one")
NOTE = Finding("images/wide", Severity.NOTE, "issues/x.md", 9, "2401 pixels", "scale it down")


def test_findings_look_like_compiler_output():
    assert format_findings([UNUSED], color=False) == (
        "issues/x.md:41: references/unused  [^smith2001] is never cited  (remove it, or cite it)"
    )


def test_severity_is_in_words_and_color_is_added():
    plain = format_findings([BLOCKER, NOTE], color=False)
    assert plain.split("\n") == [
        "issues/x.md:3: blocker: disclaimer/missing  none  (name one)",
        "issues/x.md:9: note: images/wide  2401 pixels  (scale it down)",
    ]
    colored = format_findings([BLOCKER], color=True)
    assert colored.replace("\x1b[31m", "").replace("\x1b[0m", "") == plain.split("\n")[0]


def test_json_has_exactly_the_documented_keys():
    (found,) = json.loads(findings_json([UNUSED]))["findings"]
    assert found == {
        "rule": "references/unused",
        "severity": "warning",
        "file": "issues/x.md",
        "line": 41,
        "message": "[^smith2001] is never cited",
        "fix": "remove it, or cite it",
    }
    assert json.loads(findings_json([])) == {"findings": []}


def test_findings_are_unique_and_sorted_by_file_line_and_severity(app: Project):
    body = "Lorem ipsum, 67 % cure.[^b]\n\n::: audience topic=neck\nTODO\n:::\n\n[^c]: Alone."
    app.lay(Sample("", body, front={"subject": "'Re: YOU!!'"}))
    findings = app.check()
    order = list(Severity)
    keys = [(f.file, f.line, order.index(f.severity)) for f in findings]
    assert keys == sorted(keys)
    assert len(findings) == len(set(findings))
    assert len({f.line for f in findings}) > 3
