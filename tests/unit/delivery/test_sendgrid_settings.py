"""The key comes only from the environment, and goes only to SendGrid, encrypted."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from newsletter.errors import InputError
from newsletter.settings.load import load_settings
from newsletter.settings.model import Sendgrid

ROOT = Path(__file__).parents[3]


def test_the_key_has_sendgrids_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENDGRID_API_KEY", "SG.very-secret")
    settings = load_settings(ROOT / "newsletter.toml")
    assert settings.sendgrid_api_key.get_secret_value() == "SG.very-secret"
    assert "very-secret" not in f"{settings!r}{settings.model_dump_json()}"


@pytest.mark.parametrize("name", ["sendgrid_api_key", "SENDGRID_API_KEY"])
def test_a_key_in_the_file_is_refused_and_not_repeated(tmp_path: Path, name: str) -> None:
    path = tmp_path / "newsletter.toml"
    path.write_text(f'{name} = "SG.very-secret"\n', encoding="utf-8")
    with pytest.raises(InputError, match="secret") as caught:
        load_settings(path)
    assert "SG.very-secret" not in str(caught.value)


@pytest.mark.parametrize("host", ["https://api.eu.sendgrid.com", "http://127.0.0.1:8000"])
def test_valid_hosts(host: str) -> None:
    assert Sendgrid(host=host).host == host


@pytest.mark.parametrize(
    "host",
    [
        "http://api.sendgrid.com",
        "http://127.0.0.1.evil.example",
        "https://api.sendgrid.com/",
        "https://user@api.sendgrid.com",
        "https://",
        "api.sendgrid.com",
        "ftp://127.0.0.1",
    ],
)
def test_the_key_is_never_sent_unencrypted(host: str) -> None:
    with pytest.raises(ValidationError, match="must"):
        Sendgrid(host=host)
