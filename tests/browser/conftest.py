"""One Chromium for all tests of a worker, and applications served on loopback."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from starlette.types import ASGIApp

from newsletter.web.http.server import background

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

Serve = Callable[[ASGIApp], str]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    # Not for the session: Playwright keeps an event loop running in this thread, which would
    # take asyncio.run from the tests of other folders.
    if not CHROMIUM.exists():
        pytest.fail(f"{CHROMIUM} is missing: run `make chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve an application and give its address."""
    with ExitStack() as running:
        yield lambda app: running.enter_context(background(app))
