"""Any file content gives an issue or an `InputError`, and quickly."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from newsletter.content.reader import read_issue, select
from newsletter.errors import InputError
from tests.unit.content.articles import HEAD

PIECES = [
    *("\n", "\n\n", " ", "    ", "\t", "---", "- ", "> ", "1. ", "# ", "|", "|---|\n", "```\n"),
    *(":::", "::: bars T\n", "::: note\n", "::: audience topic=a\n", "- 5 % | x\n", ": ", "~ "),
    *("[^a]", "[^a]: ", "[^", "]", "(", ")", "![", "](", "data:", "<", ">", "*", "_", "`", "\\"),
    *("{{ a }}", "{{", "}}", "{%", "&#12;", "&amp;", "doi:10.1000/1", '"', "'", "--", "...", "a"),
]
HEADS = ["subject: ", "date: ", "hero: ", "&a", "*a", "!!int", "[", "{", "}", ",", "\ud7ff", "\x07"]


def read_any(path: Path, source: bytes) -> None:
    path.write_bytes(source)
    try:
        issue = read_issue(path, root=path.parent)
    except InputError:
        return
    for topics in (frozenset[str](), frozenset({"a"})):
        select(issue, topics)


fast = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@fast
@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
@example("::: note\n   ")
def test_any_body(tmp_path: Path, body: str) -> None:
    read_any(tmp_path / "a.md", f"---\n{HEAD}---\n{body}".encode())


@fast
@given(st.lists(st.sampled_from(PIECES + HEADS), max_size=20).map("".join))
def test_any_head(tmp_path: Path, head: str) -> None:
    read_any(tmp_path / "a.md", f"---\n{HEAD}{head}\n---\nText.\n".encode())


@fast
@given(st.binary(max_size=80), st.text(max_size=80))
def test_any_bytes(tmp_path: Path, raw: bytes, text: str) -> None:
    read_any(tmp_path / "a.md", raw)
    read_any(tmp_path / "a.md", f"---\n{HEAD}---\n{text}".encode(errors="ignore"))


ONE_LINE = [">", "[", "![", "[^a", '"', "*a_", "`", "- ", "<", "{{", ":", "[a](", "#", "&#12;"]
LONG_PARAGRAPHS = [
    "[" * 500 + "a" * 9_000,
    "![" * 490,
    "[^a" * 490,
    "[a](<" * 490,
    "'\"" * 250 + "a" * 9_000,
    "*a_" * 3_000,
    "`a``" * 2_000,
    "<a:" * 3_000,
    "&#" * 4_000,
]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("piece", ONE_LINE)
def test_a_megabyte(tmp_path: Path, piece: str) -> None:
    read_any(tmp_path / "a.md", f"---\n{HEAD}---\n{piece * (1_000_000 // len(piece))}".encode())


NEWLINE = "\n"
LINES = [">\n", "> a\n", "[\n", "[a]: b\n", "[^a]: b\n", "- a\n", "- a\n\n", "::: note\n", "|\n"]
LINES += ["a\n: b\n", "|a|b|\n", "a\n", "{{ a }}\n", "[^a]\n\n", "    \n", "```\n"]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("piece", LONG_PARAGRAPHS)
def test_longest_allowed_paragraphs(tmp_path: Path, piece: str) -> None:
    read_any(tmp_path / "a.md", f"---\n{HEAD}---\n{(piece + NEWLINE * 2) * 20}".encode())


@pytest.mark.timeout(120)
@pytest.mark.parametrize("piece", LINES)
def test_longest_allowed_articles(tmp_path: Path, piece: str) -> None:
    read_any(
        tmp_path / "a.md", f"---\n{HEAD}---\n{piece * (9_000 // piece.count(NEWLINE))}".encode()
    )
