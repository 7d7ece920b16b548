"""Previewed mail can do nothing; the page around it is accessible and follows the article."""

import threading
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from newsletter.errors import InputError
from newsletter.studio.demo import Demo, DemoStep, demo_app
from newsletter.studio.preview import preview_app
from tests.browser.conftest import Serve
from tests.browser.test_public_pages import assert_accessible
from tests.integration.web.conftest import Clinic, clinic
from tests.integration.web.samples import BLOCKER, NOTE, Loaded, compiled_issue, save_picture

__all__ = ["clinic"]

TOKEN = "opens-once"


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """A server that is not ours, and what it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


@pytest.fixture
def article(tmp_path: Path) -> Path:
    folder = tmp_path / "articles"
    folder.mkdir()
    file = folder / "neck.md"
    file.write_text("Neck muscles")
    return file


@pytest.fixture
def open_preview(
    clinic: Clinic, serve: Serve, article: Path, chromium: Browser
) -> Iterator[Callable[..., Page]]:
    contexts = []

    def open_preview(extra: str = "", **options: object) -> Page:
        picture = save_picture(article.parent)

        def load(path: Path) -> Loaded:
            title = path.read_text()
            if title == "broken":
                raise InputError("unknown key: titel", file="neck.md", line=4, fix="write title")
            return Loaded(compiled_issue(title, extra=extra, images=(picture,)))

        context = chromium.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.goto(serve(preview_app(clinic.settings, article, load, TOKEN)) + f"/?token={TOKEN}")
        return page

    yield open_preview
    for context in contexts:
        context.close()


def hostile(address: str) -> str:
    """Everything by which mail could reach out."""
    return f"""
    <img src="{address}/pixel.gif"><link rel="stylesheet" href="{address}/style.css">
    <link rel="preload" as="image" href="{address}/preload"><iframe src="{address}/frame"></iframe>
    <style>@import url({address}/import.css); body {{ background: url({address}/background.png) }}
    @font-face {{ font-family: f; src: url({address}/font) }} p {{ font-family: f }}</style>
    <video src="{address}/video" poster="{address}/poster"></video>
    <object data="{address}/object"></object><meta http-equiv="refresh" content="0;{address}/go">
    <svg><image href="{address}/svg.png"/></svg><script>fetch("{address}/script")</script>
    <p id="script" onclick="this.textContent='ran'">not run</p>
    <img src="x:" onerror="document.getElementById('script').textContent='ran'">
    <script>document.getElementById('script').textContent = 'ran'</script>
    <script>top.location = "{address}/top"</script>
    <form action="{address}/form"><button id="send">Send</button></form>
    <a id="self" href="{address}/self">self</a>
    <a id="top" target="_top" href="{address}/top">top</a>
    <a id="blank" target="_blank" href="{address}/blank" ping="{address}/ping">blank</a>"""


def test_previewed_mail_reaches_nobody_and_runs_nothing(
    open_preview: Callable[..., Page], elsewhere: tuple[str, list[str]]
) -> None:
    address, asked = elsewhere
    page = open_preview(hostile(address))
    before = page.url
    frame = page.frame_locator(".stage iframe")
    assert frame.locator("#script").inner_text() == "not run"
    for target in ("#send", "#blank", "#top", "#self"):
        frame.locator(target).click()
        page.wait_for_timeout(200)
    assert asked == []
    assert page.url == before
    assert len(page.context.pages) == 1


def test_pictures_show_and_can_be_turned_off(open_preview: Callable[..., Page]) -> None:
    page = open_preview()
    picture = page.frame_locator(".stage iframe").locator("img")
    picture.wait_for()
    assert picture.evaluate("i => i.decode().then(() => i.naturalWidth)") == 1
    page.get_by_role("link", name="Off").click()
    assert picture.evaluate("i => i.naturalWidth") == 0


@pytest.mark.parametrize("viewer", ["light", "dark"])
def test_the_scheme_is_the_chosen_one_and_not_the_viewers(
    open_preview: Callable[..., Page], viewer: str
) -> None:
    page = open_preview(color_scheme=viewer)
    colour = "p => getComputedStyle(p).color"
    hello = page.frame_locator(".stage iframe").locator("#hello")
    assert hello.evaluate(colour) == "rgb(1, 2, 3)"
    page.get_by_role("link", name="Dark").click()
    assert hello.evaluate(colour) == "rgb(250, 251, 252)"


@pytest.mark.parametrize("height", [640, 1200])
def test_the_mail_is_as_high_as_the_screen_allows(
    open_preview: Callable[..., Page], height: int
) -> None:
    page = open_preview(viewport={"width": 1280, "height": height})
    box = page.locator("iframe").bounding_box()
    assert box
    assert height * 0.85 < box["height"] < height


def test_saving_the_article_reloads_the_page_even_after_an_error(
    open_preview: Callable[..., Page], article: Path
) -> None:
    page = open_preview()
    for text, heading in (
        ("broken", "neck does not compile"),
        ("Mended at last", "Mended at last"),
    ):
        article.write_text(text)
        page.get_by_role("heading", name=heading).wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_axe_finds_nothing_in_the_preview(
    open_preview: Callable[..., Page], article: Path, scheme: str, width: int
) -> None:
    page = open_preview(color_scheme=scheme, viewport={"width": width, "height": 800})
    assert_accessible(page)
    page.get_by_role("link", name="Text").click()
    assert_accessible(page)
    article.write_text("broken")
    page.reload()
    assert_accessible(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_axe_finds_nothing_in_the_demonstration(
    clinic: Clinic, serve: Serve, chromium: Browser, tmp_path: Path, scheme: str, width: int
) -> None:
    mailbox = tmp_path / "mailbox"
    mailbox.mkdir()
    message = EmailMessage()
    address = "maria-magdalena+newsletter@reader.example"
    message["To"], message["Subject"] = address, "About your neck"
    message.set_content("Dear Maria")
    message.add_alternative("<p>Hello Maria</p>", subtype="html")
    (mailbox / "0001.eml").write_bytes(message.as_bytes())
    demo = Demo(
        "It went through",
        [DemoStep("Checked", "2 findings"), DemoStep("Sent", "1 of 1")],
        "<p>Hello</p>",
        [NOTE, BLOCKER],
        mailbox,
        tmp_path,
        {"Mailbox": mailbox},
    )
    context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.goto(serve(demo_app(clinic.settings, demo)))
    assert_accessible(page)
    for frame in page.locator("iframe").all():
        box = frame.bounding_box()
        assert box
        assert box["x"] >= 16, "a margin on the left"
        assert box["x"] + box["width"] <= width - 16, "and on the right"
    page.get_by_role("link", name=address).click()
    assert page.frame_locator("iframe").get_by_text("Hello Maria").is_visible()
    assert_accessible(page)
    context.close()
