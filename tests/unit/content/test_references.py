import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.content.blocks import group
from newsletter.content.citations import number, spell_out_undefined
from newsletter.content.markdown import parse
from newsletter.content.model import Reference
from newsletter.content.reader import select
from newsletter.content.references import references, take_entries
from tests.unit.content.articles import BODY_LINE, Read, Refuse

keys = st.sampled_from(["a", "b", "c", "d-1", "Krøll", "10"])
styles = st.sampled_from(["Text {}.", "- item {}", "| h {} |\n|---|\n| c |", "::: note {}\nx\n:::"])
bodies = st.lists(st.tuples(styles, st.lists(keys, min_size=1, max_size=3)), max_size=8)


def entry(read: Read, text: str) -> Reference:
    (reference,) = read(f"A[^a]\n\n[^a]: {text}\n").references
    return reference


@given(bodies, st.lists(keys, unique=True, min_size=1))
def test_numbers_follow_first_citation(
    pieces: list[tuple[str, list[str]]], defined: list[str]
) -> None:
    cited = [key for _, some in pieces for key in some]
    body = "\n\n".join(style.format("".join(f"[^{key}]" for key in some)) for style, some in pieces)
    entries = "".join(f"\n\n[^{key}]: Entry {key}" for key in defined)
    tokens, found = take_entries(parse(body + entries))
    listed = references(found)
    spell_out_undefined(tokens, defined)
    numbered, citations = number(group(tokens), listed)
    order = list(dict.fromkeys(key for key in cited if key in defined))
    assert [c.key for c in citations] == cited
    assert [(r.key, r.number) for r in numbered if r.number] == [
        (key, place) for place, key in enumerate(order, start=1)
    ]
    assert {r.key for r in numbered} == set(defined)
    assert all((c.number is None) == (c.key not in defined) for c in citations)


def test_each_variant_has_its_own_numbers(read: Read) -> None:
    issue = read(
        "::: audience topic=neck\nN[^n]\n:::\n\nAll[^a]\n\n[^a]: A\n[^n]: N\n[^u]: U\n",
    )
    assert issue.numbers == {"n": 1, "a": 2}
    assert select(issue, frozenset({"neck"})).numbers == {"n": 1, "a": 2}
    variant = select(issue, frozenset())
    assert variant.numbers == {"a": 1}
    assert [r.key for r in variant.references] == ["a", "n", "u"]
    assert [r.key for r in variant.cited] == ["a"]


def test_citations_without_an_entry_report_their_line(read: Read) -> None:
    issue = read("One\ntwo [^x] *three\n[^Bad key]* [^a]\n\n`[^code]`\n\n[^a]: A\n")
    found = [(c.key, c.number, c.line - BODY_LINE + 1) for c in issue.citations]
    assert found == [("x", None, 2), ("Bad key", None, 3), ("a", 1, 3)]


def test_duplicate_keys(read: Read) -> None:
    issue = read("A[^a]\n\n[^a]: First\n[^b]: Other\n[^a]: Second\n")
    assert issue.duplicate_keys == {"a": (8, 10)}
    assert [(r.key, r.text, r.line) for r in issue.references] == [
        ("a", "First", 8),
        ("b", "Other", 9),
    ]


def test_an_entry_of_several_lines_and_paragraphs(read: Read) -> None:
    assert (
        entry(read, "Krøll *LS*,\n  Hammarlund.\n\n    In 2017.").text
        == "Krøll LS, Hammarlund. In 2017."
    )


@pytest.mark.parametrize("text", ["1. Krøll", "see[^b]", "- x", "> x", "\n\n        code"])
def test_invalid_entries(refuse: Refuse, text: str) -> None:
    assert refuse(f"A[^a]\n\n[^a]: {text}\n\n[^b]: B\n").line


@pytest.mark.parametrize(
    ("text", "doi"),
    [
        ("doi:10.1186/s10194-017-0753-x.", "10.1186/s10194-017-0753-x"),
        ("(doi: 10.1016/S2352-3026(17)30182-5).", "10.1016/S2352-3026(17)30182-5"),
        ("https://doi.org/10.1000/182", "10.1000/182"),
        ("<https://dx.doi.org/10.1000/182>", "10.1000/182"),
        ("[full text](https://doi.org/10.1000/a%3Cb)", "10.1000/a<b"),
        ("10.1000/a--b...c; more", "10.1000/a--b...c"),
        ("10.1000/a_b_c, PMID", "10.1000/a_b_c"),
        (
            "10.1002/(SICI)1(98)17:15<1661::AID>3.0.CO;2-2.",
            "10.1002/(SICI)1(98)17:15<1661::AID>3.0.CO;2-2",
        ),
        ("doi:10.12/short", ""),
        ("doi:10.1186-s10194", ""),
        ("doi:10.1186/", ""),
        ("v10.1186/x", ""),
    ],
)
def test_doi(read: Read, text: str, doi: str) -> None:
    reference = entry(read, text)
    assert reference.doi == doi
    links = [t for t in reference.entry.children or () if t.type == "link_open"]
    assert bool(links) == bool(doi)


def test_identifiers_become_links(read: Read) -> None:
    reference = entry(
        read, "Mauskop A. doi: 10.1159/000477393. PubMed PMID: 28690531; PMCID: PMC5498934."
    )
    links = [t.attrs["href"] for t in reference.entry.children or () if t.type == "link_open"]
    assert links == [
        "https://doi.org/10.1159/000477393",
        "https://pubmed.ncbi.nlm.nih.gov/28690531/",
        "https://pmc.ncbi.nlm.nih.gov/articles/PMC5498934/",
    ]
    assert (reference.pmid, reference.pmcid, reference.urls) == ("28690531", "PMC5498934", ())
    assert reference.text.endswith("PMID: 28690531; PMCID: PMC5498934.")


def test_web_addresses_are_kept_as_written(read: Read) -> None:
    reference = entry(read, "WHO. https://who.example/a_(b). [More](https://x.example/).")
    assert reference.urls == ("https://who.example/a_(b)", "https://x.example/")


@given(st.text(st.sampled_from("10./()<>[]x -;PMIDC:&#*_~http"), max_size=80))
def test_links_never_change_the_words(text: str) -> None:
    tokens = parse(f"[^a]: x {text}")
    _, found = take_entries([t for t in tokens if t.type in KNOWN])
    for reference in references(found):
        children = reference.entry.children or []
        shown = "".join(t.content for t in children if t.type in ("text", "code_inline"))
        assert shown == reference.text.replace("\n", " ")


KNOWN = (
    "footnote_reference_open",
    "footnote_reference_close",
    "paragraph_open",
    "inline",
    "paragraph_close",
)
