"""The welcome as its reader gets it, in both languages."""

from pathlib import Path

import pytest

from newsletter.i18n.catalog import Catalogs
from newsletter.settings.load import load_settings
from newsletter.transactional.letters import Letter, Letters
from tests.golden import check_golden

ROOT = Path(__file__).parents[3]


def welcome(lang: str) -> Letter:
    settings = load_settings(ROOT / "newsletter.toml")
    languages = Catalogs(settings.templates / "locale", "en")
    return Letters(settings, languages).write_welcome(["readers"], "t" * 32, lang)


@pytest.mark.parametrize("lang", ["en", "es"])
def test_html_part(lang: str) -> None:
    html = welcome(lang).html
    check_golden(f"web/welcome.{lang}.html", html.replace("><", ">\n<") + "\n")


@pytest.mark.parametrize("lang", ["en", "es"])
def test_text_part(lang: str) -> None:
    letter = welcome(lang)
    check_golden(f"web/welcome.{lang}.txt", f"{letter.subject}\n\n{letter.text}")
