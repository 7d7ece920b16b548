"""What a person sets wrong in the environment is met with a sentence; a secret is not repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.errors import InputError
from newsletter.settings import load_settings

EXAMPLE = Path(__file__).parents[2] / "newsletter.toml"


@pytest.mark.parametrize("value", ["key-one,key-two", "[", "{]"])
def test_a_list_that_is_no_json(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("NEWSLETTER_OLD_SECRET_KEYS", value)
    with pytest.raises(InputError, match=r"old_secret_keys.*JSON") as raised:
        load_settings(EXAMPLE)
    assert value not in str(raised.value)


def test_the_public_url_may_end_with_a_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWSLETTER_PUBLICATION__PUBLIC_URL", "https://www.clinic.example/news/")
    assert load_settings(EXAMPLE).publication.public_url == "https://www.clinic.example/news"
