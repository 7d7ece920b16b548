"""Pages say in which language and direction they are, and which of their texts are in another."""

import shutil
from pathlib import Path

import pytest

from newsletter.settings.load import load_settings
from newsletter.web.public.archive import PastIssue
from newsletter.web.public.pages import Pages

ROOT = Path(__file__).parents[3]
TOPICS = load_settings(ROOT / "newsletter.toml").join.topics
NAME = '<span lang="en" dir="ltr">Dr. Darrow’s newsletter</span>'
ADDRESS = '<span lang="en" dir="ltr">Sample Clinic, 1 Sample Street'


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    """The real pages, and Arabic ones with Spanish words."""
    shutil.copytree(ROOT / "templates", tmp_path / "templates")
    shutil.copy(ROOT / "newsletter.toml", tmp_path)
    locale = tmp_path / "templates" / "locale"
    shutil.copytree(locale / "es", locale / "ar")
    return Pages(load_settings(tmp_path / "newsletter.toml"))


def issue(lang: str) -> PastIssue:
    return PastIssue("neck", lang, "2026-06-01", "Dr. X", "Words.", "<p>More.</p>")


def test_the_publications_texts_are_marked_in_another_language(pages: Pages) -> None:
    page = pages.render("unsubscribe.html", "es", path="/u/x")
    assert '<html lang="es" dir="ltr">' in page
    assert page.count(NAME) == 2
    assert ADDRESS in page
    assert f"Pulse el botón y {NAME} dejará de enviarse" in page


def test_in_their_own_language_they_are_not(pages: Pages) -> None:
    page = pages.render("unsubscribe.html", "en", path="/u/x")
    assert '<html lang="en" dir="ltr">' in page
    assert page.count("lang=") == 1


def test_a_topic_without_a_title_in_the_pages_language_is_marked(pages: Pages) -> None:
    topics = [topic.model_copy(update={"titles": {}}) for topic in TOPICS]
    values = {"email": "", "chosen": (), "errors": {}, "wording": ""}
    page = pages.render("join.html", "es", topics=topics, **values)
    assert '<p><span lang="en" dir="ltr">The newsletter, about once a month</span></p>' in page
    page = pages.render("join.html", "es", topics=TOPICS, **values)
    assert "<p>El boletín, más o menos una vez al mes</p>" in page


def test_pages_and_issues_go_in_the_direction_of_their_language(pages: Pages) -> None:
    page = pages.render("article.html", "es", issue=issue("ar"), html="")
    assert '<html lang="es" dir="ltr">' in page
    assert '<article id="article" class="card" lang="ar" dir="rtl">' in page
    assert '<p class="small" lang="es" dir="ltr"><time' in page
    page = pages.render("archive.html", "ar", issues=[issue("en")])
    assert '<html lang="ar" dir="rtl">' in page
    assert '<h2 lang="en" dir="ltr">' in page


def test_the_feed_keeps_the_direction(pages: Pages) -> None:
    feed = pages.render("feed.xml", "en", issues=[issue("ar"), issue("es")], updated="")
    assert "&lt;div dir=&#34;rtl&#34;&gt;&lt;p&gt;More.&lt;/p&gt;&lt;/div&gt;</content>" in feed
    assert '<content type="html">&lt;p&gt;More.&lt;/p&gt;</content>' in feed
