"""Mistakes in the environment are explained in a sentence that repeats no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.errors import InputError, UsageError
from newsletter.settings.load import load_settings

EXAMPLE = Path(__file__).parents[2] / "newsletter.toml"


@pytest.mark.parametrize("value", ["key-one,key-two", "[", "{]"])
def test_a_list_that_is_not_json(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("NEWSLETTER_OLD_SECRET_KEYS", value)
    with pytest.raises(InputError, match=r"NEWSLETTER_OLD_SECRET_KEYS.*JSON") as raised:
        load_settings(EXAMPLE)
    assert value not in str(raised.value)


def test_the_public_url_may_end_with_a_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWSLETTER_PUBLICATION__PUBLIC_URL", "https://www.clinic.example/news/")
    assert load_settings(EXAMPLE).publication.public_url == "https://www.clinic.example/news"


@pytest.mark.parametrize(
    ("variable", "says"),
    [
        ("NEWSLETTER_TYPO", "there is no such setting  (unset it"),
        ("NEWSLETTER_SMTP__PROT", "did you mean NEWSLETTER_SMTP__PORT?"),
        ("newsletter_transprot", "did you mean NEWSLETTER_TRANSPORT?"),
        ("NEWSLETTER_SMTP_PASSWORD", "did you mean NEWSLETTER_SMTP__PASSWORD?"),
        ("NEWSLETTER_SENDGRID_API_KEY", "did you mean SENDGRID_API_KEY?"),
        ("NEWSLETTER_TRANSPORT__HOST", "there is no such setting"),
        ("NEWSLETTER_ROOT", "there is no such setting"),
    ],
)
def test_unknown_variables_are_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, says: str
) -> None:
    monkeypatch.setenv(variable, "hunter2")
    with pytest.raises(UsageError) as raised:
        load_settings(EXAMPLE)
    assert says in str(raised.value)
    assert "newsletter.toml" not in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_known_variables_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWSLETTER_USER", "Ada")
    monkeypatch.setenv("NEWSLETTER_DISCLAIMERS__SHORT", "Words.")
    monkeypatch.setenv("NEWSLETTER_DISCLAIMERS__LONG__ES", "Palabras.")
    monkeypatch.setenv("NEWSLETTER_THEME__DARK__ACCENT", "#80FFFF")
    monkeypatch.setenv("NEWSLETTER_MERGE_FIELDS__CITY__SAMPLE", "Sample Town")
    settings = load_settings(EXAMPLE)
    assert settings.disclaimers["short"] == {"": "Words."}
    assert settings.disclaimers["long"] == {"es": "Palabras."}
    assert settings.theme.dark.accent == "#80FFFF"
    assert settings.merge_fields["city"].sample == "Sample Town"


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("NEWSLETTER_SMTP__PORT", "abc", "NEWSLETTER_SMTP__PORT must be a whole number"),
        ("NEWSLETTER_SMTP", '{"prot": 25}', "unknown setting 'smtp.prot', in NEWSLETTER_SMTP"),
        ("NEWSLETTER_TRANSPORT", "pigeon", "must be file, smtp or sendgrid, in the environment"),
    ],
)
def test_an_invalid_variable_is_not_blamed_on_the_file(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(InputError) as raised:
        load_settings(EXAMPLE)
    assert says in str(raised.value)
    assert raised.value.file is None
