"""The staff preview: who gets in, what it shows, what it says when an article is broken."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette

from newsletter.errors import InputError
from newsletter.settings.model import MergeField, Settings
from newsletter.studio.preview import preview_app
from tests.integration.web.conftest import Browser, Clinic
from tests.integration.web.samples import PUBLIC_URL, Loaded, compiled_issue, save_picture

TOKEN = "opens-once"
HERE = "127.0.0.1:8026"


@pytest.fixture
def settings(clinic: Clinic) -> Settings:
    fields = {"first_name": MergeField(sample="Maria")}
    return clinic.settings.model_copy(update={"merge_fields": fields})


@pytest.fixture
def article(tmp_path: Path) -> Path:
    folder = tmp_path / "articles"
    folder.mkdir()
    file = folder / "neck.md"
    file.write_text("Neck muscles")
    return file


@pytest.fixture
def loads() -> list[Path]:
    return []


@pytest.fixture
def load(article: Path, loads: list[Path]) -> Callable[[Path], Loaded]:
    picture = save_picture(article.parent)

    def load(path: Path) -> Loaded:
        loads.append(path)
        title = path.read_text()
        if title == "broken":
            raise InputError("unknown key: titel", file="neck.md", line=4, fix="write title")
        return Loaded(compiled_issue(title, images=(picture,)))

    return load


@pytest.fixture
def app(settings: Settings, article: Path, load: Callable[[Path], Loaded]) -> Starlette:
    return preview_app(settings, article, load, TOKEN)


@pytest.fixture
def context(app: Starlette) -> Iterator[Browser]:
    """A browser that was let in."""
    with Browser(app, HERE) as browser:
        assert browser.get(f"/?token={TOKEN}").status_code == 303
        yield browser


@pytest.mark.parametrize("path", ["/", "/issue/neck", "/issue/neck/mail", "/issue/neck/version"])
@pytest.mark.parametrize("query", ["", "?token=", "?token=wrong"])
def test_nobody_gets_in_without_the_token(app: Starlette, path: str, query: str) -> None:
    with Browser(app, HERE) as browser:
        answer = browser.get(path + query)
        assert answer.status_code == 403
        assert "Copy the whole address" in answer.text
        assert "set-cookie" not in answer.headers


def test_the_token_opens_once_and_for_one_browser(app: Starlette) -> None:
    with Browser(app, HERE) as first, Browser(app, HERE) as second:
        answer = first.get(f"/?token={TOKEN}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert first.get("/issue/neck").status_code == 200
        assert first.get(f"/?token={TOKEN}").headers["location"] == "/"
        for path in (f"/?token={TOKEN}", "/issue/neck"):
            refused = second.get(path)
            assert refused.status_code == 403
            assert "open the new address here" in refused.text


def test_a_long_cookie_of_another_page_keeps_nobody_waiting(
    app: Starlette, context: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Python before 3.11.10 takes 8 seconds for these (CVE-2024-7592): nobody may ask it to.
    monkeypatch.delattr("http.cookies._unquote")
    headers = {"Cookie": 'another="' + "\\\\" * 30_000 + '"'}
    with Browser(app, HERE) as stranger:
        assert stranger.ask("GET", "/issue/neck", headers=headers).status_code == 403
    (mine,) = context.cookies.items()
    headers = {"Cookie": f"{headers['Cookie']}; {'='.join(mine)}; last"}
    assert context.ask("GET", "/issue/neck", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "192.0.2.1"]
)
def test_another_host_name_is_refused(app: Starlette, host: str) -> None:
    with Browser(app, host) as browser:
        assert browser.get(f"/?token={TOKEN}").status_code == 403
        assert browser.get("/static/site.css").status_code == 403


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000"])
def test_every_name_of_this_machine_is_fine(app: Starlette, host: str) -> None:
    with Browser(app, host) as browser:
        assert browser.get(f"/?token={TOKEN}").status_code == 303


def test_inbox_row_and_findings_the_gravest_first(context: Browser) -> None:
    page = context.get("/issue/neck").text
    assert "Maria, about your neck" in page
    assert "Four muscles" in page
    assert page.index("No alt text") < page.index("Grade 11")
    assert "issues/neck.md:30" in page


@pytest.mark.parametrize(
    ("reader", "html", "text"),
    [
        ("sample", "Hello Maria<", "Dear Maria,"),
        ("nameless", "Hello there<", "Dear Reader,"),
        ("long", "Hello Maximiliane-", "Dear Maximiliane-"),
        ("nonsense", "Hello Maria<", "Dear Maria,"),
    ],
)
def test_mail_and_text_are_filled_for_the_chosen_reader(
    context: Browser, reader: str, html: str, text: str
) -> None:
    assert html in context.get(f"/issue/neck/mail?reader={reader}").text
    assert text in context.get(f"/issue/neck?part=text&reader={reader}").text


def test_the_frame_may_load_local_pictures_or_none(context: Browser) -> None:
    on, off = (context.get(f"/issue/neck/mail?images={state}") for state in ("on", "off"))
    assert "sandbox; default-src 'none'; img-src 'self' data:;" in on.headers[POLICY]
    assert "sandbox; default-src 'none'; img-src 'none';" in off.headers[POLICY]
    assert f"{PUBLIC_URL}/media/" not in on.text
    picture = on.text.split('src="')[1].split('"')[0]
    assert context.get(picture).headers["content-type"] == "image/png"


POLICY = "content-security-policy"


def test_a_broken_article_is_explained_and_mended_by_saving(
    context: Browser, article: Path
) -> None:
    article.write_text("broken")
    page = context.get("/issue/neck")
    assert page.status_code == 422
    assert "neck.md:4" in page.text
    assert "unknown key: titel" in page.text
    assert context.get("/issue/neck/mail").status_code == 404
    version = context.get("/issue/neck/version").text
    article.write_text("Mended now")
    assert context.get("/issue/neck/version").text != version
    assert "Mended now" in context.get("/issue/neck").text


def test_nothing_is_compiled_twice_without_a_change(context: Browser, loads: list[Path]) -> None:
    for path in ("/issue/neck", "/issue/neck/mail", "/issue/neck?part=text&width=nonsense"):
        assert context.get(path).status_code == 200
    assert len(loads) == 1


@pytest.mark.parametrize("slug", ["other", "..%2f..%2fnewsletter", "neck.md"])
def test_only_listed_articles_are_shown(context: Browser, slug: str) -> None:
    assert context.get(f"/issue/{slug}").status_code == 404


def test_without_an_article_all_are_listed(
    settings: Settings, tmp_path: Path, load: Callable[[Path], Loaded]
) -> None:
    root = tmp_path / "project"
    (root / "issues").mkdir(parents=True)
    (root / "templates").symlink_to(settings.templates)
    moved = settings.model_copy(update={"root": root})
    with Browser(preview_app(moved, None, load, TOKEN), HERE) as browser:
        browser.get(f"/?token={TOKEN}")
        assert "There is no article yet" in browser.get("/").text
        for slug in ("neck", "sleep"):
            (root / "issues" / f"{slug}.md").write_text(slug)
        page = browser.get("/").text
        assert 'href="/issue/neck"' in page
        assert 'href="/issue/sleep"' in page
