"""The welcome as its reader gets it, in both languages."""

from pathlib import Path

import pytest

from newsletter.i18n.catalog import Catalogs
from newsletter.render.model import UNSUBSCRIBE_TOKEN, Variant
from newsletter.render.slots import preview_part
from newsletter.settings.load import load_settings
from newsletter.transactional.checks import PreviewSigner
from newsletter.transactional.messages import WELCOME, Messages
from tests.support.golden import check_golden

ROOT = Path(__file__).parents[3]
TOKEN = {UNSUBSCRIBE_TOKEN: "t" * 32}


def welcome(lang: str) -> Variant:
    settings = load_settings(ROOT / "newsletter.toml")
    languages = Catalogs(settings.templates / "locale", "en")
    compiled = Messages(settings, languages, PreviewSigner()).compile(WELCOME, lang, ["readers"])
    (variant,) = compiled.variants
    return variant


@pytest.mark.parametrize("lang", ["en", "es"])
def test_html_part(lang: str) -> None:
    html = preview_part(welcome(lang).html, TOKEN)
    check_golden(f"web/welcome.{lang}.html", html.replace("><", ">\n<") + "\n")


@pytest.mark.parametrize("lang", ["en", "es"])
def test_text_part(lang: str) -> None:
    variant = welcome(lang)
    (subject,) = variant.subject.segments
    check_golden(f"web/welcome.{lang}.txt", f"{subject}\n\n{preview_part(variant.text, TOKEN)}")
