"""Every article that compiles can be checked."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.errors import InputError
from tests.unit.check.project import ARTICLE, Project, Sample

PIECES = st.sampled_from(
    [
        *("Words. ", "67 % ", "1 in 9 ", "cure ", "ü", "\\", "&nbsp;", "***", "\n", "\n\n"),
        *("[^a]", "[^", "[^b c] ", "`[^a]`", "## ", "#### ", "- ", "1. ", "> "),
        *("[x](https://a.example/)", "[](#)", "[x](//[)", "<https://a.example>"),
        *('{{ first_name | default("x") }}', "https://a.example/{{ email }} "),
        *("| a | b |\n| --- | --- |\n| 1 | 2 |\n", "::: note N\nx\n:::\n"),
        *("::: bars T\n- 5 % | x [^a]\n:::\n", "::: study T\n- Who | x\n:::\n"),
        "\n\n[^a]: A. doi:10.1/x\n\n",
        "\n\n[^c]: B. PMID: 5 https://b.example/%zz\n\n",
    ]
)
BODIES = st.lists(st.one_of(PIECES, st.text(max_size=12)), max_size=25).map("".join)


@pytest.fixture(scope="module")
def shared_app(tmp_path_factory: pytest.TempPathFactory) -> Project:
    app = Project(tmp_path_factory.mktemp("project"))
    app.lay(Sample(""))
    return app


@given(body=BODIES, columns=st.none() | st.just(frozenset({"email"})), live=st.booleans())
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_checks_never_raise(shared_app: Project, body: str, columns, live: bool):
    try:
        shared_app.write(body)
        findings = shared_app.check(columns, live)
    except (InputError, UnicodeEncodeError):
        return
    lines = len((shared_app.root / ARTICLE).read_text().split("\n"))
    assert all(1 <= f.line <= lines for f in findings if f.file == ARTICLE)
    assert all("\n" not in f.message + f.fix for f in findings)
    assert all(not Path(f.file).is_absolute() for f in findings)


SAMPLE = Path(__file__).parents[3] / "issues/neck-muscles-and-migraine.md"


def test_the_sample_issue_is_clean():
    from newsletter.check.rules import run_checks
    from newsletter.content.reader import read_issue
    from newsletter.render.compile import compile_issue
    from newsletter.settings.load import load_settings

    publication = load_settings(SAMPLE.parents[1] / "newsletter.toml")
    issue = read_issue(SAMPLE, root=publication.root)
    assert run_checks(issue, compile_issue(issue, publication), publication) == []
