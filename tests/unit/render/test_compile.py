"""A compiled issue: its variants, its slots, its digest, and how it is stored."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from newsletter.content.reader import read_issue
from newsletter.errors import InputError
from newsletter.render.codec import deserialize, serialize
from newsletter.render.compile import compile_issue, write_text
from newsletter.render.digest import digest_of
from newsletter.render.model import UNSUBSCRIBE_TOKEN, CompiledIssue, Part, SlotKind
from newsletter.render.slots import preview_part
from newsletter.settings.model import Join, Settings, Topic
from tests.unit.render.conftest import HEAD, Compile

TWO_TOPICS = """\
For all.[^all]

::: audience topic=back
Backs only.[^back]
:::

::: audience topic=neck
Necks only.[^neck]
:::

[^all]: All. doi:10.1000/1
[^back]: Back. doi:10.1000/2
[^neck]: Neck. doi:10.1000/3
"""


def test_one_variant_per_subset_of_topics(build: Compile) -> None:
    compiled = build(TWO_TOPICS)
    texts = {v.topics: preview_part(v.text, {}) for v in compiled.variants}
    assert set(texts) == {frozenset(s) for s in ((), ("back",), ("neck",), ("back", "neck"))}
    for topics, text in texts.items():
        assert ("Backs only" in text) == ("back" in topics)
        assert ("Necks only" in text) == ("neck" in topics)
        assert text.count("\n[") == 1 + len(topics), "references are numbered without gaps"


def test_the_archive_has_every_topic(build: Compile) -> None:
    archive = build(TWO_TOPICS).archive_html
    assert "Backs only" in archive
    assert "Necks only" in archive


def test_without_topics_there_is_one_variant(build: Compile) -> None:
    (variant,) = build().variants
    assert variant.topics == frozenset()


def test_more_than_four_topics_are_refused(build: Compile) -> None:
    body = "".join(f"::: audience topic=t{n}\nText.\n:::\n\n" for n in range(5))
    with pytest.raises(InputError, match="5 topics"):
        build(body)


def test_slots_are_known_by_name_kind_and_default(build: Compile) -> None:
    body = 'Hi {{ first_name | default("A & B") }}, [go](https://a.example/?q={{ first_name }}).\n'
    compiled = build(body)
    (variant,) = compiled.variants
    slots = [(slot.name, slot.kind, slot.default) for slot in variant.html.slots]
    assert slots == [
        ("first_name", SlotKind.HTML, "A & B"),
        ("first_name", SlotKind.URL_PART, ""),
        *[(UNSUBSCRIBE_TOKEN, SlotKind.TOKEN, "")] * 2,
    ]
    assert [slot.kind for slot in variant.text.slots] == [
        SlotKind.TEXT,
        SlotKind.URL_PART,
        SlotKind.TOKEN,
        SlotKind.TOKEN,
    ]
    assert compiled.merge_fields == {"first_name"}
    assert "https://news.clinic.example/u/TOKEN" in preview_part(
        variant.html, {UNSUBSCRIBE_TOKEN: "TOKEN"}
    )
    assert "<p>Hi A &amp; B, " in compiled.archive_html


def test_subject_and_preheader_have_slots(root: Path, settings: Settings) -> None:
    path = root / "a.md"
    path.write_text(
        "---\nsubject: News, {{ first_name }}\npreheader: Dear {{ first_name }}\n"
        "date: 2026-03-01\ntitle: T\n---\nText.\n",
        encoding="utf-8",
    )
    variant = compile_issue(read_issue(path, root=root), settings).variants[0]
    hostile = {"first_name": "<b>\r\nBcc: x"}
    assert preview_part(variant.subject, hostile) == "News, <b>  Bcc: x"
    assert preview_part(variant.preheader, hostile) == "Dear <b>  Bcc: x"
    assert "Dear &lt;b&gt;  Bcc: x" in preview_part(variant.html, hostile)


def test_a_field_in_a_host_names_its_line(build: Compile) -> None:
    with pytest.raises(InputError, match="scheme or host") as caught:
        build("One.\n\n[go](https://{{ first_name }}.example/)\n")
    assert caught.value.line == 8


def test_write_text_is_the_text_part(root: Path, settings: Settings, build: Compile) -> None:
    compiled = build("Text.\n")
    text = write_text(read_issue(root / "news.md", root=root), settings)
    before, *_, after = compiled.variants[0].text.segments
    assert text.startswith(before)
    assert text.endswith(after)


def test_the_footer_leads_to_pages_that_are_on(root: Path, settings: Settings) -> None:
    (root / "news.md").write_text(f"---\n{HEAD}---\nText.\n", encoding="utf-8")
    issue = read_issue(root / "news.md", root=root)
    publication = settings.publication.model_copy(update={"join_url": ""})
    bare = settings.model_copy(update={"publication": publication})
    topics = (Topic(list="readers", title="All"),)
    full = bare.model_copy(update={"join": Join(topics=topics), "archive": "unlisted"})
    for changed, shown in ((bare, False), (full, True)):
        variant = compile_issue(issue, changed).variants[0]
        for part in (variant.html, variant.text):
            whole = "".join(part.segments)
            assert "https://news.clinic.example/p/" in whole
            assert ("https://news.clinic.example/join" in whole) is shown
            assert ("https://news.clinic.example/archive/news" in whole) is shown


def test_an_unknown_disclaimer_is_refused(build: Compile) -> None:
    with pytest.raises(InputError, match="no disclaimer named long") as caught:
        build(head="disclaimer: long\n")
    assert caught.value.line == 5


def test_the_disclaimer_is_text(build: Compile) -> None:
    html = "".join(build().variants[0].html.segments)
    assert "We give no advice. &lt;b&gt;Call&lt;/b&gt; 911 &amp; wait." in html


def test_a_button_with_a_script_is_refused(build: Compile) -> None:
    with pytest.raises(InputError, match="button") as caught:
        build(head="call_to_action:\n  label: Go\n  url: javascript:alert(1)\n")
    assert caught.value.line == 7


def test_the_digest_covers_every_word_and_the_sender(
    build: Compile, root: Path, settings: Settings
) -> None:
    first = build("One, two.\n")
    publication = settings.publication.model_copy(update={"reply_to": "office@clinic.example"})
    other = settings.model_copy(update={"publication": publication})
    digests = {
        first.digest,
        build("One two.\n").digest,
        build("One, two.\n", head="author: A. Writer\n").digest,
        compile_issue(read_issue(root / "news.md", root=root), other).digest,
    }
    assert len(digests) == 4
    assert build("One, two.\n").digest == first.digest


def test_the_digest_does_not_depend_on_a_pictures_path(build: Compile) -> None:
    first = build("![A](pictures/small.png)\n")
    moved = replace(first.images[0], path=Path("elsewhere.png"))
    assert deserialize(serialize(replace(first, images=(moved,)))).digest == first.digest


def test_a_stored_issue_is_restored_unchanged(every_block: CompiledIssue) -> None:
    data = serialize(every_block)
    assert deserialize(data) == every_block
    assert serialize(deserialize(data)) == data
    assert json.loads(data)["digest"] == every_block.digest


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b'{"format": 2}', b"null"])
def test_other_data_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="not a compiled issue"):
        deserialize(data)


def test_a_stored_issue_that_was_changed_is_refused(build: Compile) -> None:
    compiled = build("Word.\n")
    variant = replace(compiled.variants[0], text=Part(("Another",)))
    with pytest.raises(InputError, match="changed after"):
        deserialize(serialize(replace(compiled, variants=(variant,))))


def test_the_sample_is_far_below_gmails_limit(every_block: CompiledIssue) -> None:
    html = preview_part(every_block.variants[-1].html, {})
    assert len(html.encode()) < 60_000


def test_a_reference_links_back_by_an_arrow_or_by_letters(build: Compile) -> None:
    archive = build("a[^1] b[^2] c[^2]\n\n[^1]: One.\n[^2]: Two.\n").archive_html
    once, twice = re.findall(r'<span class="back">(.*?)</span></li>', archive)
    assert re.findall(r">([^<]+)<", once + "<") == ["↩\ufe0e"]
    assert re.findall(r'href="([^"]+)"', once) == ["#cite-1-1"]
    assert re.findall(r'href="([^"]+)"[^>]*>([^<]+)<', twice) == [
        ("#cite-2-1", "a"),
        ("#cite-2-2", "b"),
    ]
    often = build("a[^1]\n\n" * 27 + "[^1]: One.\n").archive_html
    assert 'aria-label="Back to citation a1 of reference 1">a1</a></span>' in often


def test_an_issue_stored_without_an_author_keeps_its_digest(build: Compile) -> None:
    named, unnamed = build(head="author: A. Writer\n"), build()
    assert deserialize(serialize(named)) == named
    assert b"author" not in serialize(unnamed)
    assert digest_of(replace(unnamed, author="B")) != unnamed.digest
