import datetime

import pytest

from tests.unit.content.articles import HEAD, Read, Refuse


def test_defaults(read: Read) -> None:
    meta = read(name="spring-news.md").meta
    assert (meta.slug, meta.title, meta.lang, meta.template) == (
        "spring-news",
        "News",
        "en",
        "article",
    )
    assert meta.date == datetime.date(2026, 3, 31)


def test_values_are_kept_as_written(read: Read) -> None:
    meta = read(head=HEAD + "lang: no\nauthor: 0x10\nstandfirst: 1_000\ntitle: 2026\n").meta
    assert (meta.lang, meta.author, meta.standfirst, meta.title) == ("no", "0x10", "1_000", "2026")


def test_nested_keys_have_lines(read: Read) -> None:
    issue = read(head=HEAD + "hero:\n  image: a.png\n  alt: Neck\n")
    assert issue.meta_lines["hero.alt"] == 7
    assert [(i.src, i.alt, i.line) for i in issue.images] == [("a.png", "Neck", 6)]


def test_title_from_the_leading_heading(read: Read) -> None:
    issue = read("\n# Necks & *more*\n\nText.\n")
    assert issue.meta.title == "Necks & more"
    assert [block.line for block in issue.blocks] == [9]


def test_title_from_the_subject_without_merge_fields(read: Read) -> None:
    head = HEAD.replace("News", '{{ first_name | default("there") }}, your neck')
    assert read(head=head).meta.title == "your neck"


@pytest.mark.parametrize("body", ["# One\n", "Text.\n\n# One\n"])
def test_title_given_twice(refuse: Refuse, body: str) -> None:
    assert "title" in refuse(body, head=HEAD + "title: Two\n").message


@pytest.mark.parametrize("heading", ["# {{ name }}", "# T[^a]\n\n[^a]: b", "#"])
def test_invalid_titles(refuse: Refuse, heading: str) -> None:
    assert refuse(heading + "\n").line == 6


def test_unknown_key_suggests_the_right_one(refuse: Refuse) -> None:
    error = refuse(head=HEAD.replace("preheader", "preheadr"))
    assert (error.line, error.fix) == (3, "did you mean preheader?")
    nested = refuse(head=HEAD + "hero:\n  image: a.png\n  atl: x\n")
    assert (nested.line, nested.fix) == (7, "did you mean alt?")


@pytest.mark.parametrize(
    ("extra", "line"),
    [
        ("hero: a.png\n", 5),
        ("hero: {image: a.png}\n", 5),
        ("topics: migraine\n", 5),
        ("author: [a, b]\n", 5),
        ("dir: up\n", 5),
        ("lang: english language\n", 5),
        ("topics: [Upper Case]\n", 5),
        ("call_to_action:\n  label:\n  url: x\n", 6),
        ("slug: {{ name }}\n", 5),
        ("hero: {image: '{{ x }}.png', alt: x}\n", 5),
        ("topics: ['{{ x }}']\n", 5),
        ("subject: again\n", 5),
        ("author: 'a\n", 5),
        ("author: a: b\n", 5),
        ('author: "a\\a"\n', 5),
        ("? [a]\n: b\n", 5),
    ],
)
def test_invalid_values_report_their_line(refuse: Refuse, extra: str, line: int) -> None:
    assert refuse(head=HEAD + extra).line == line


@pytest.mark.parametrize("value", ["soon", "2026-13-45", "31.3.2026", "2026-03-31 10:00", "[x]"])
def test_invalid_dates(refuse: Refuse, value: str) -> None:
    assert refuse(head=HEAD.replace("2026-03-31", value)).line == 4


@pytest.mark.parametrize("key", ["subject", "preheader", "date"])
def test_required_keys(refuse: Refuse, key: str) -> None:
    head = "".join(line for line in HEAD.splitlines(keepends=True) if not line.startswith(key))
    assert refuse(head=head).message == f"{key} is missing"


@pytest.mark.parametrize("head", ["", "just text\n", "- a\n", "[a]\n"])
def test_front_matter_without_keys(refuse: Refuse, head: str) -> None:
    assert "no keys" in refuse(head=head).message


def test_file_name_that_is_not_a_slug(refuse: Refuse) -> None:
    assert "rename" in refuse(name="Spring News.md").fix


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "head",
    [
        "a: &a [x, x]\nb: &b [*a, *a]\n",
        "a: *a\n",
        "a: !!python/object/apply:os.system [ls]\n",
        "a: !!binary x\n",
        "<<: {a: b}\n",
        "a: " + "[" * 9_000 + "\n",
        "a: " + "{b: " * 4_000 + "\n",
        "a: " + "- " * 4_000 + "\n",
        "x" * 30_000 + ": y\n",
        '"\\ud800": x\n',
        'a: "\\UFFFFFFFF"\n',
        "%YAML 9.9\n",
        "a: b\n...\nc: d\n",
        "a:\n\t- b\n",
    ],
)
def test_hostile_yaml(refuse: Refuse, head: str) -> None:
    assert refuse(head=head).line
