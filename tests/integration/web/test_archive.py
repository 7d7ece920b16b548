"""Past issues on the web: of what was sent, and of no reader."""

import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from sqlalchemy import insert, select

from newsletter.campaign.tables import compiled_issue
from newsletter.content.reader import read_issue
from newsletter.delivery.ledger.tables import campaign, campaign_event
from newsletter.render.codec import serialize
from newsletter.render.compile import compile_issue
from newsletter.web.public.app import public_app
from tests.integration.web.conftest import KEYS, PROJECT, Clinic, ask
from tests.integration.web.reader import joinable

ATOM = {"a": "http://www.w3.org/2005/Atom"}
HOSTILE = '<script>alert(1)</script> & \\"co\\"'


class Shelf:
    """Campaigns put into the database as a send would leave them."""

    def __init__(self, clinic: Clinic, folder: Path) -> None:
        self.clinic = clinic
        self.folder = folder
        self.settings = joinable(clinic.settings, archive="public")
        shutil.copytree(PROJECT / "templates", folder / "templates")

    def send(
        self,
        slug: str,
        title: str,
        *,
        day: str,
        state: str = "finished",
        at: float,
        author: str = "",
    ) -> None:
        path = self.folder / f"{slug}.md"
        body = 'Hello {{ first_name | default("there") }}, <b>no</b> HTML.\n\n<script>x</script>\n'
        path.write_text(
            f'---\nsubject: "{title}"\n'
            "preheader: 'For {{ first_name | default(\"you\") }}: &'\n"
            f"date: {day}\nslug: {slug}\nauthor: '{author}'\n---\n{body}",
            encoding="utf-8",
        )
        settings = self.settings.model_copy(update={"root": self.folder})
        compiled = compile_issue(read_issue(path, root=self.folder), settings)
        with self.clinic.store.write() as connection:
            connection.execute(
                insert(compiled_issue).values(
                    digest=compiled.digest, slug=slug, payload=serialize(compiled), created_at=at
                )
            )
            connection.execute(
                insert(campaign).values(
                    slug=slug,
                    audience="readers",
                    digest=compiled.digest,
                    state=state,
                    transport="smtp",
                    created_by="test",
                    created_at=at,
                )
            )

    def get(self, path: str, **changes: object):
        settings = self.settings.model_copy(update=changes)
        return ask(public_app(self.clinic.store, KEYS, settings), "GET", path)


@pytest.fixture
def shelf(clinic: Clinic, tmp_path: Path) -> Shelf:
    opened = Shelf(clinic, tmp_path / "project")
    opened.send("march", "Neck", day="2026-03-01", at=100.0)
    opened.send("april", HOSTILE, day="2026-04-01", state="sending", at=200.0)
    opened.send("may", "Not yet", day="2026-05-01", state="approved", at=300.0)
    opened.send("june", "Taken back", day="2026-06-01", state="cancelled", at=400.0)
    return opened


def test_what_was_sent_is_listed_the_newest_first(shelf: Shelf) -> None:
    page = shelf.get("/archive").text
    assert 0 < page.index("/archive/april") < page.index("/archive/march")
    assert "April 1, 2026" in page
    assert "/archive/may" not in page
    assert "/archive/june" not in page
    assert "<script" not in page


def test_an_article_is_a_page_of_its_own_and_of_nobody(shelf: Shelf) -> None:
    answer = shelf.get("/archive/april")
    page = answer.text
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert '<link rel="canonical" href="https://news.clinic.example/archive/april">' in page
    assert "<h1>&lt;script&gt;alert(1)" in page
    assert "Hello there, &lt;b&gt;no&lt;/b&gt; HTML." in page
    assert "For you: &amp;" in page
    assert "<script" not in page
    assert "/u/" not in page
    assert "/p/" not in page
    assert "{{" not in page


@pytest.mark.parametrize("slug", ["may", "june", "nothing", "..%2f..%2fetc", "feed.xml2"])
def test_what_was_not_sent_is_not_there(shelf: Shelf, slug: str) -> None:
    assert shelf.get(f"/archive/{slug}").status_code == 404


def test_the_latest_text_of_an_issue_counts(shelf: Shelf) -> None:
    shelf.send("march", "Neck, corrected", day="2026-03-01", at=500.0)
    assert "Neck, corrected" in shelf.get("/archive/march").text
    assert shelf.get("/archive").text.count("/archive/march") == 1


def test_search_engines_are_asked_to_stay_away_unless_it_is_public(shelf: Shelf) -> None:
    robots = '<meta name="robots" content="noindex">'
    for path in ("/archive", "/archive/march"):
        assert robots not in shelf.get(path).text
        assert robots in shelf.get(path, archive="unlisted").text
        assert shelf.get(path, archive="off").status_code == 404


def test_the_feed_is_atom(shelf: Shelf) -> None:
    answer = shelf.get("/archive/feed.xml")
    assert answer.headers["content-type"].startswith("application/atom+xml")
    feed = ET.fromstring(answer.text)
    assert [e.findtext("a:id", namespaces=ATOM) for e in feed.findall("a:entry", ATOM)] == [
        "https://news.clinic.example/archive/april",
        "https://news.clinic.example/archive/march",
    ]
    entry = feed.find("a:entry", ATOM)
    assert entry is not None
    for name in ("title", "updated", "published", "summary", "content"):
        assert entry.findtext(f"a:{name}", namespaces=ATOM)
    assert entry.findtext("a:title", namespaces=ATOM) == '<script>alert(1)</script> & "co"'
    assert feed.findtext("a:updated", namespaces=ATOM) == "1970-01-01T00:03:20Z"


def test_an_entry_was_published_when_its_sending_began(shelf: Shelf) -> None:
    with shelf.clinic.store.write() as connection:
        number = connection.execute(
            select(campaign.c.id).where(campaign.c.slug == "april")
        ).scalar_one()
        for at, before, after in (
            (210.0, "approved", "scheduled"),
            (260.0, "scheduled", "sending"),
            (270.0, "sending", "paused"),
            (280.0, "paused", "sending"),
        ):
            values = {"from_state": before, "to_state": after, "at": at, "by": "test"}
            connection.execute(insert(campaign_event).values(campaign_id=number, **values))
    entry = ET.fromstring(shelf.get("/archive/feed.xml").text).find("a:entry", ATOM)
    assert entry is not None
    assert entry.findtext("a:published", namespaces=ATOM) == "1970-01-01T00:04:20Z"
    assert entry.findtext("a:updated", namespaces=ATOM) == "1970-01-01T00:04:20Z"


def test_who_answers_for_an_issue_is_named(shelf: Shelf) -> None:
    shelf.send("march", "Neck", day="2026-03-01", at=500.0, author="A. Writer, MD & co")
    assert '<p class="small">By A. Writer, MD &amp; co</p>' in shelf.get("/archive/march").text
    april, march = ET.fromstring(shelf.get("/archive/feed.xml").text).findall("a:entry", ATOM)
    assert march.findtext("a:author/a:name", namespaces=ATOM) == "A. Writer, MD & co"
    assert april.find("a:author", ATOM) is None


def test_an_empty_archive_says_so(clinic: Clinic) -> None:
    settings = joinable(clinic.settings, archive="public")
    app = public_app(clinic.store, KEYS, settings)
    assert "Nothing here yet." in ask(app, "GET", "/archive").text
    assert ET.fromstring(ask(app, "GET", "/archive/feed.xml").text).findall("a:entry", ATOM) == []
