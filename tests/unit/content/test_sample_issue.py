"""The sample issue contains everything in its source article, and the sample disclaimer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from newsletter.audience.importing.importer import csv_columns
from newsletter.check.rules import run_checks
from newsletter.content.blocks import inlines
from newsletter.content.model import Bars, Issue
from newsletter.content.reader import read_issue
from newsletter.render.compile import compile_issue
from newsletter.settings.load import load_settings

ROOT = Path(__file__).parents[3]

REFERENCES = {
    "kroll2017": ("10.1186/s10194-017-0753-y", "28421374", "PMC5395520"),
    "benatto2019": ("10.1007/s00586-019-06097-9", "", ""),
    "florencio2017": ("10.1097/AJP.0000000000000390", "", ""),
    "mauskop2017": ("10.1159/000477393", "28690531", "PMC5498934"),
}

FACTS = (
    "148 people with migraine, 100 (67 %) also had tension-type headache and neck pain",
    "Only 1 in 9 had migraine and nothing else",
    "less active and felt less well. They had more stress and rated their own health as poorer",
    "Migraine to a high degree, tension-type headache to a moderate one, neck pain to a low one",
    "help to become more active, for better well-being and less stress",
    "52 women with migraine and 52 with neither migraine nor neck pain, aged 18 to 55",
    "electromyography (EMG)",
    "Sternocleidomastoid:** the big muscle from the breastbone to the bone behind the ear",
    "Anterior scalene:** at the side of the neck",
    "Splenius capitis:** from the base of the neck",
    "Upper trapezius:** from the skull and neck",
    "the flexors, which bend the neck forward, were weaker",
    "The ratio of extensor to flexor strength was higher",
    "the EMG ratio of extensors to flexors was lower in the full-effort forward push",
    "in the last stage of the nodding test",
    "craniocervical flexion test",
    "They also did worse in that test",
    "out of balance in both force and activity",
    "trigeminocervical complex",
    "central sensitization",
    "the sternocleidomastoid, the splenius capitis and the upper trapezius",
    "more than 20 years",
    "Ligaments are soft bands that hold the bones of the neck in place",
    "spin it in a centrifuge, which separates the platelets from the red cells",
    "Stem cells from bone marrow",
    "ligament, tendon, cartilage and bone repair",
    "chronic migraine that resists other treatment",
    "physical examination of your neck",
    "prolotherapy",
)

DISCLAIMER = (
    "not FDA approved",
    "musculoskeletal conditions",
    "do not treat disease",
    "do not offer intravenous (IV) treatments",
    "no guarantee that this treatment will help you",
    "seek advice from your own physician",
    "Neither Dr. Darrow nor any associate offers medical advice",
    "educational purposes only",
    "does not create a physician-patient relationship",
    "do not guarantee that any resource, information, product or process",
    "accurate, complete, useful or adequate",
    "cannot be responsible for the receipt of your email",
    "spam filters and mail servers",
    "medical issue, please call our office",
    "medical emergency, please call 911",
)


@pytest.fixture(scope="module")
def issue() -> Issue:
    return read_issue(ROOT / "issues" / "neck-muscles-and-migraine.md", root=ROOT)


@pytest.fixture(scope="module")
def text(issue: Issue) -> str:
    return " ".join(" ".join(token.content for token in inlines(issue.blocks)).split())


@pytest.mark.parametrize("fact", FACTS)
def test_contains_every_fact_of_the_article(text: str, fact: str) -> None:
    assert fact in text


def test_the_bars_show_the_shares_in_the_study(issue: Issue) -> None:
    (bars,) = (block for block in issue.blocks if isinstance(block, Bars))
    assert bars.title.content == "Of 148 people with migraine"
    assert [bar.value for bar in bars.bars] == ["67 %", "11 %"]
    assert "(100 people)" in bars.bars[0].label.content


def test_has_these_four_references_all_cited(issue: Issue) -> None:
    found = {r.key: (r.doi, r.pmid, r.pmcid) for r in issue.cited}
    assert found == REFERENCES
    assert len(issue.references) == len(REFERENCES)


def test_the_article_is_short(text: str) -> None:
    assert 700 <= len(text.split()) <= 1100


def test_subject_and_preheader_fit_an_inbox_and_name_no_illness(issue: Issue) -> None:
    assert len(issue.meta.subject) <= 60
    assert 60 <= len(issue.meta.preheader) <= 110
    assert not {"migraine", "pain", "headache"} & set(issue.meta.subject.lower().split())


def test_makes_no_claims(text: str) -> None:
    claims = r"\b(cures?|cured|guarantee[ds]?|fda|proven|miracle|leading|regenerat\w+)\b"
    assert re.findall(claims, text, re.IGNORECASE) == []


def test_the_picture_is_sharp_small_and_described(issue: Issue) -> None:
    assert issue.meta.hero is not None
    path = issue.folder / issue.meta.hero.image
    with Image.open(path) as picture:
        assert picture.size == (1200, 600)
    assert path.stat().st_size < 120_000
    assert "trapezius" in issue.meta.hero.alt


def test_checks_find_nothing_with_the_sample_subscribers(issue: Issue) -> None:
    settings = load_settings(ROOT / "newsletter.toml")
    columns = csv_columns(ROOT / "subscribers.example.csv", settings.merge_fields)
    compiled = compile_issue(issue, settings)
    assert run_checks(issue, compiled, settings, columns=columns) == []


@pytest.mark.parametrize("statement", DISCLAIMER)
def test_the_disclaimer_contains_every_statement(issue: Issue, statement: str) -> None:
    disclaimers = load_settings(ROOT / "newsletter.toml").disclaimers
    assert statement in disclaimers[issue.meta.disclaimer][""]
