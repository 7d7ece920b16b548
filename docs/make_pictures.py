"""Takes the pictures of README.md from the sample issue as it renders now: `make pictures`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[1]
ISSUE = "issues/neck-muscles-and-migraine.md"
VIEWS = {"desktop": (820, 1180, "light"), "phone": (375, 812, "dark")}
CHROMIUM = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


def main() -> None:
    """Render the sample issue and photograph the top of it."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        command = [sys.executable, "send.py", "render", ISSUE, "--out", folder]
        subprocess.run(command, cwd=ROOT, check=True)
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=CHROMIUM.split()
        )
        for name in VIEWS:
            photograph(browser, Path(folder) / "index.html", name)
        browser.close()


def photograph(browser: Browser, page_file: Path, name: str) -> None:
    """One view, at two device pixels a CSS pixel, with few colors."""
    width, height, scheme = VIEWS[name]
    page = browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        device_scale_factor=2,
    )
    page.goto(page_file.as_uri())
    target = ROOT / "docs" / "images" / f"{name}.png"
    page.screenshot(path=target)
    page.close()
    shrink(target)


def shrink(path: Path) -> None:
    """A palette of 128 colors: a third of the bytes, and nobody sees it."""
    from PIL import Image

    with Image.open(path) as picture:
        picture.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
