"""Where merge fields are allowed, and the kind of slot in each place."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import InputError
from newsletter.render.model import Part, SlotKind
from newsletter.render.split import Placeholder, Placeholders, split_html, split_text

PREFIX = "QZ7F3AM1"
M = f"{PREFIX}00X"
MARKS = Placeholders(PREFIX, Path("issues/a.md"), {M: Placeholder("city", "Here", 7)})


def kinds(part: Part) -> list[SlotKind]:
    return [slot.kind for slot in part.slots]


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (f"<p>Hi {M}!</p>", SlotKind.HTML),
        (f"{M}", SlotKind.HTML),
        (f"<title>{M}</title>", SlotKind.HTML),
        (f'<img alt="a > {M}">', SlotKind.HTML),
        (f"<img alt='{M}'>", SlotKind.HTML),
        (f'<a href="{M}">x</a>', SlotKind.URL),
        (f'<a href="https://a.example/{M}">x</a>', SlotKind.URL_PART),
        (f'<a href="https://a.example?q={M}">x</a>', SlotKind.URL_PART),
        (f'<a href="http://127.0.0.1:8025/u/{M}">x</a>', SlotKind.URL_PART),
        (f'<a href="mailto:a@clinic.example?subject={M}">x</a>', SlotKind.URL_PART),
        (f"<!--[if mso]><p>{M}</p><![endif]-->", SlotKind.HTML),
        (f'<!--[if mso]><a href="https://a.example/{M}">x</a><![endif]-->', SlotKind.URL_PART),
        (f"<style>p {{}}</style>{M}<script>1</script>", SlotKind.HTML),
    ],
)
def test_places_in_html(source: str, kind: SlotKind) -> None:
    part = split_html(source, MARKS)
    assert kinds(part) == [kind]
    assert M.join(part.segments) == source


@pytest.mark.parametrize(
    "source",
    [
        f"<style>.a {{ color: {M} }}</style>",
        f"<script>var a = '{M}'</script>",
        f'<p style="color:{M}">x</p>',
        f'<p onclick="{M}">x</p>',
        f"<p title={M}>x</p>",
        f"<p {M}>x</p>",
        f"<{M}>x</{M}>",
        f'<a href="{M}/path">x</a>',
        f'<a href="https://{M}/path">x</a>',
        f'<a href="https://www.{M}">x</a>',
        f'<a href="javascript:{M}">x</a>',
        f'<a href="mailto:{M}">x</a>',
        f'<a href="/relative/{M}">x</a>',
        f'<img src="https://a.example/{M}.png">',
        f'<td background="https://a.example/{M}.png">',
        f"<!-- {M} -->",
        f'<!--[if mso]><p style="{M}">x</p><![endif]-->',
        f"<!--[if mso]><style>{M}</style><![endif]-->",
    ],
)
def test_places_refused(source: str) -> None:
    with pytest.raises(InputError, match="merge field city is not allowed in") as caught:
        split_html(source, MARKS)
    assert (caught.value.file, caught.value.line) == (Path("issues/a.md"), 7)
    assert caught.value.fix


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (f"Hello {M},", SlotKind.TEXT),
        (f"see https://a.example/?q={M} now", SlotKind.URL_PART),
        (f"a page <https://a.example/{M}>", SlotKind.URL_PART),
        (f"a page <{M}>", SlotKind.TEXT_URL),
        (f"https://a.example/ {M}", SlotKind.TEXT),
    ],
)
def test_places_in_text(source: str, kind: SlotKind) -> None:
    assert kinds(split_text(source, MARKS)) == [kind]


def test_host_in_text_is_refused() -> None:
    with pytest.raises(InputError, match="scheme or host"):
        split_text(f"https://{M}.example/", MARKS)


@given(st.lists(st.sampled_from([M, "a", "<p>", "</p>", " ", '"', "x > y", "&amp;"])))
def test_segments_and_slots_alternate(pieces: list[str]) -> None:
    text = "".join(pieces)
    part = split_text(text, MARKS)
    assert len(part.segments) == len(part.slots) + 1
    assert M.join(part.segments) == text
    assert not any(PREFIX in segment for segment in part.segments)
