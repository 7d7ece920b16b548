import pytest

from newsletter.content.blocks import inlines
from newsletter.content.model import AudienceBlock, Bars, DataTable, Glance, Note, Prose, Study
from newsletter.content.reader import select, topics_of
from newsletter.content.tokens import plain
from tests.unit.content.articles import BODY_LINE, Read, Refuse


def words(read: Read, body: str) -> str:
    return " / ".join(plain(token.children) for token in inlines(read(body).blocks))


def test_blocks_in_order_with_their_lines(read: Read) -> None:
    issue = read("One.\n\n## Two\n\n| a |\n|---|\n| b |\n\n::: note N\nText\n:::\nThree.\n- Four\n")
    assert [(type(b), b.line) for b in issue.blocks] == [
        (Prose, 6),
        (DataTable, 10),
        (Note, 14),
        (Prose, 17),
    ]


def test_bars(read: Read) -> None:
    (bars,) = read(
        "::: bars Of 148\n- 67 % | *both*\n- 11,5% | one\n- 100 percent | all\n:::"
    ).blocks
    assert isinstance(bars, Bars)
    assert plain(bars.title.children) == "Of 148"
    assert [(b.percent, b.value, plain(b.label.children), b.line) for b in bars.bars] == [
        (67.0, "67 %", "both", 7),
        (11.5, "11,5%", "one", 8),
        (100.0, "100 percent", "all", 9),
    ]


def test_study_and_glance(read: Read) -> None:
    study, glance = read(
        "::: study Who\n- Size | 52 | 52 women\n\n- Found | less\n:::\n::: glance\n* a\n* b\n:::\n"
    ).blocks
    assert isinstance(study, Study)
    assert [(label, plain(t.children)) for label, t in study.rows] == [
        ("Size", "52 | 52 women"),
        ("Found", "less"),
    ]
    assert isinstance(glance, Glance)
    assert [plain(fact.children) for fact in glance.facts] == ["a", "b"]


def test_table(read: Read) -> None:
    (table,) = read("| a | b |\n|:--|--:|\n| 1 | x \\| y |\n| 2 |\n").blocks
    assert isinstance(table, DataTable)
    assert table.align == ("left", "right")
    assert [[plain(c.children) for c in row] for row in table.rows] == [["1", "x | y"], ["2", ""]]


def test_variants(read: Read) -> None:
    issue = read(
        "All.\n\n::: audience topic=neck\nNeck ![n](n.png)\n\n::: bars T\n- 1 % | x\n:::\n:::\n\n"
        "::: audience topic=back\nBack\n:::\n"
    )
    assert topics_of(issue) == ("back", "neck")
    assert [type(b) for b in issue.blocks] == [Prose, AudienceBlock, AudienceBlock]
    assert [type(b) for b in select(issue, frozenset({"neck"})).blocks] == [Prose, Prose, Bars]
    nobody = select(issue, frozenset({"knee"}))
    assert [type(b) for b in nobody.blocks] == [Prose]
    assert (len(issue.images), len(nobody.images)) == (1, 0)


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("::: bras T\n- 1 % | x\n:::", 1),
        ("a\n\n::: bars T\n- 1 % | x\n", 3),
        ("a\n:::\n", 2),
        ("::: bars T\n- 1 % | x\n- many | x\n:::", 3),
        ("::: bars T\n- 1 % | x\n- 7 | x\n:::", 3),
        ("::: bars T\n- 101 % | x\n:::", 2),
        ("::: bars T\n- -1 % | x\n:::", 2),
        ("::: bars T\n- 1 % x\n:::", 2),
        ("::: bars T\n- 1 % [^a] | x\n:::", 2),
        ("::: bars T\n- 1 % | x\n\nText | more\n:::", 4),
        ("::: study T\n- a | x\n- Who\n:::", 3),
        ("::: glance T\n- a\n  - b\n:::", 3),
        ("::: glance T\n-\n- b\n:::", 2),
        ("::: glance T\n1. a\n:::", 2),
        ("::: note\n:::", 1),
        ("::: audience migraine\na\n:::", 1),
        ("::: audience topic=Neck\na\n:::", 1),
        ("::: audience topic=a\n::: audience topic=b\nx\n:::\n:::", 2),
        ("::: note\n::: bars T\n- 1 % | x\n:::\n:::", 2),
        ("- a\n\n  ::: note\n  b\n  :::\n", 3),
        ("> ::: note\n> b\n> :::\n", 1),
        ("| a |\n|---|\n| b | c |\n", 3),
        ("![a](data:image/png;base64,AAAA)", 1),
        ("a\n[b](javascript:alert(1))", 2),
        ("<vbscript:x>", 1),
        ("![[^a]](x.png)", 1),
        ("a &#12; b", 1),
        ("> " * 30 + "a", 1),
        ("- " * 30 + "a", 1),
        ("a" * 10_001, 1),
    ],
)
def test_invalid_blocks_report_their_line(refuse: Refuse, body: str, line: int) -> None:
    assert refuse(body).line == BODY_LINE + line - 1


def test_unknown_block_suggests_the_right_one(refuse: Refuse) -> None:
    assert refuse("::: bras T\n:::").fix == "did you mean ::: bars?"


def test_typography(read: Read) -> None:
    assert words(read, '"So" -- it\'s 5\\--6 --- yes...') == "“So” – it’s 5--6 — yes…"


def test_chemical_names_are_unchanged(read: Read) -> None:
    assert words(read, "(R)-ketamine, vitamin (C), +-5, (tm)") == (
        "(R)-ketamine, vitamin (C), +-5, (tm)"
    )


def test_html_is_kept_as_text(read: Read) -> None:
    assert words(read, "<script>a</script>\n") == "<script>a</script>"


def test_every_token_has_a_line(read: Read) -> None:
    issue = read("a *b*\nc `d`\n\n- e\n\n> f\n\nterm\n: def\n\n```\ng\n```\n")
    (prose,) = issue.blocks
    assert isinstance(prose, Prose)
    assert all(token.map for token in prose.tokens)
    assert all(child.map for token in prose.tokens for child in token.children or ())
