import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.content.blocks import inlines
from newsletter.content.merge_fields import mask
from newsletter.content.model import PLACEHOLDERS
from newsletter.errors import InputError
from tests.unit.content.articles import BODY_LINE, HEAD, Read, Refuse

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True)
defaults = st.none() | st.text(
    st.characters(exclude_characters='"\\{}\n', codec="utf-8"), max_size=20
)
fields = st.tuples(names, defaults)
texts = st.text(st.characters(exclude_characters="{}%", codec="utf-8"), max_size=40)


def written(name: str, default: str | None) -> str:
    return "{{ " + name + ("" if default is None else f' | default("{default}")') + " }}"


@given(st.lists(st.tuples(texts, fields), max_size=8), texts)
def test_restoring_the_fields_gives_the_source(
    pairs: list[tuple[str, tuple[str, str | None]]], tail: str
) -> None:
    source = "".join(text + written(*field) for text, field in pairs) + tail
    masked = mask(source)
    assert masked == mask(source)
    assert masked.prefix not in source
    assert [(m.name, m.default) for m in masked.fields] == [field for _, field in pairs]
    restored = masked.text
    for merge in masked.fields:
        assert merge.placeholder.isalnum()
        assert merge.placeholder.isupper()
        assert restored.count(merge.placeholder) == 1
        restored = restored.replace(merge.placeholder, written(merge.name, merge.default))
    assert restored == source


@given(st.text(st.sampled_from('{}%| \n"\\ax()default'), max_size=60))
def test_braces_in_any_order_are_fields_or_an_error(source: str) -> None:
    line = 1
    try:
        assert "{{" not in mask(source).text
    except InputError as error:
        line = error.line or 0
    assert 1 <= line <= source.count("\n") + 1


@pytest.mark.parametrize(
    "field",
    [
        "{{ name | upper }}",
        "{{ name() }}",
        "{{ user.name }}",
        "{{ 1 }}",
        "{{}}",
        "{{ name",
        "name }}",
        "{{ name\n}}",
        "{{ name | default('there') }}",
        "{{ name | default(“there”) }}",
        "{% if x %}",
        "{{ a | default({{ b }}) }}",
    ],
)
def test_invalid_fields(refuse: Refuse, field: str) -> None:
    error = refuse(f"One\n\n{field}\n")
    assert error.line == BODY_LINE + 2
    assert "default" in error.fix


def test_fields_work_in_text_addresses_and_front_matter(read: Read) -> None:
    issue = read(
        '[a](https://clinic.example/?u={{ uid }}) ![{{ pet | default("cat") }}](x.png)\n',
        head='subject: Hi {{ a }}\npreheader: "{{ b | default(\\"x\\") }}"\ndate: 2026-03-31\n',
    )
    a, b, uid, pet = issue.merge_fields
    assert (b.default, pet.default, pet.line) == ("x", "cat", 6)
    assert (issue.meta.subject, issue.meta.preheader) == (f"Hi {a.placeholder}", b.placeholder)
    link, *_, image = next(inlines(issue.blocks)).children or ()
    assert link.attrs["href"] == f"https://clinic.example/?u={uid.placeholder}"
    assert issue.images[0].alt == pet.placeholder
    assert image.attrs["src"] == "x.png"


def test_placeholders_are_numbered_from_both_ends(read: Read) -> None:
    issue = read("{{ a }}{{ b }}\n")
    assert [m.placeholder for m in issue.merge_fields] == [
        issue.placeholder(0),
        issue.placeholder(1),
    ]
    last = issue.placeholder(PLACEHOLDERS - 1)
    assert last == issue.prefix + "ZZX"
    with pytest.raises(ValueError, match="1296"):
        issue.placeholder(PLACEHOLDERS)


def test_too_many_fields(refuse: Refuse) -> None:
    assert "more than" in refuse("{{ a }}\n\n" * 1001).message


def test_the_prefix_depends_on_the_source_only(read: Read) -> None:
    assert read("{{ a }}").prefix != read("{{ a }}!").prefix
    assert read(head=HEAD).prefix == read(head=HEAD).prefix
