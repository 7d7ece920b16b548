"""Errors in MJML that the compiler ignores."""

from pathlib import Path

import pytest

from newsletter.errors import InputError
from newsletter.render.mjml_lint import lint_mjml
from tests.unit.render.conftest import PROJECT


def test_our_own_templates_are_clean() -> None:
    files = sorted((PROJECT / "templates" / "email").glob("*.mjml"))
    assert files
    for file in files:
        lint_mjml(file.read_text(encoding="utf-8"), file)


@pytest.mark.parametrize(
    ("source", "line", "message", "fix"),
    [
        ("<mj-section>\n<mj-txt>a</mj-txt>\n</mj-section>", 2, "<mj-txt>", "mj-text"),
        ("<mj-section>\n\n<mj-column paddin='1'/></mj-section>", 3, '"paddin"', "did you mean"),
        ("<mj-text>a\n</mj-txt>", 2, "does not close anything", ""),
        ("{# c\n #}\n<mj-text>a", 3, "<mj-text> is never closed", ""),
        ("<mj-section><mj-text>a</mj-text></mj-section>", 1, "not allowed", "<mj-column>"),
        ("<mj-text>\n<mj-image src='x' /></mj-text>", 2, "not allowed inside <mj-text>", ""),
        ("<mj-column>\n<p>a</p></mj-column>", 2, "unknown element <p>", ""),
        ("<mj-include path='x.mjml' />", 1, "unknown element <mj-include>", ""),
        ("<mj-text\n align='left' align='right'>a</mj-text>", 2, "twice", ""),
        ("<mj-text align=left>a</mj-text>", 1, "without a quoted value", ""),
        ("<mj-text>\n1 < 2</mj-text>", 2, "does not start an element", "&lt;"),
        ("<mj-text>a\n<p>b</mj-text>", 2, "does not close anything", ""),
        ("<mj-head>\n\t<mj-title>a</mj-title></mj-head>", 2, "this tab", "spaces"),
        ('<mj-text>\n{{ "<mj-x>" }}\n<mj-x /></mj-text>', 3, "<mj-x>", ""),
    ],
)
def test_errors_name_the_line(source: str, line: int, message: str, fix: str) -> None:
    with pytest.raises(InputError) as caught:
        lint_mjml(source, Path("templates/email/a.mjml"))
    assert (caught.value.file, caught.value.line) == (Path("templates/email/a.mjml"), line)
    assert message in caught.value.message
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    "source",
    [
        "<mj-text>a <br> b <img src='x'> <p>c</p></mj-text>",
        '<mj-text align="{{ "left" if a > b else "right" }}">{% if a < b %}x{% endif %}</mj-text>',
        "<mj-style>a > b { color: red } @media (width < 9px) {}</mj-style>",
        "<!-- <mj-nothing> -->",
        "<mj-attributes><mj-all padding='0' /><mj-text color='#000000' /></mj-attributes>",
        "",
    ],
)
def test_valid_templates_pass(source: str) -> None:
    lint_mjml(source, "a.mjml")
