"""Keys: from the environment, or made once for trials."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from newsletter.audience.keys import Keys, load_keys
from newsletter.errors import InputError, RefusedError
from newsletter.loopback import is_loopback_url
from newsletter.settings.model import Settings

LONG = "a key of thirty-two bytes or more"


def settings(root: Path, url: str = "https://news.clinic.example", **secrets: object) -> Settings:
    publication = {
        "name": "Clinic",
        "from_name": "Clinic",
        "from_address": "news@clinic.example",
        "list_id": "news.clinic.example",
        "public_url": url,
        "postal_address": "1 Sample Street",
    }
    return Settings.model_validate({"publication": publication, "root": root, **secrets})


def test_set_keys_are_used_and_no_file_is_made(tmp_path: Path) -> None:
    given = settings(
        tmp_path, secret_key=LONG, suppression_key=LONG[::-1], old_secret_keys=[LONG.upper()]
    )
    keys = load_keys(given, live=True)
    assert keys == Keys(LONG.encode(), LONG[::-1].encode(), (LONG.upper().encode(),))
    assert not list(tmp_path.iterdir())


def test_missing_keys_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    first = load_keys(settings(tmp_path), live=False)
    assert load_keys(settings(tmp_path), live=False) == first
    assert first.signing != first.suppression
    assert [path.name for path in (tmp_path / "var").iterdir()] == ["keys.json"]
    assert stat.S_IMODE((tmp_path / "var" / "keys.json").stat().st_mode) == 0o600


def test_racing_callers_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: load_keys(settings(tmp_path), live=False), range(32)))
    assert found == [found[0]] * 32


def test_a_set_key_wins_over_a_made_one(tmp_path: Path) -> None:
    made = load_keys(settings(tmp_path), live=False)
    mixed = load_keys(settings(tmp_path, secret_key=LONG), live=False)
    assert mixed == Keys(LONG.encode(), made.suppression)


def test_real_readers_need_set_keys(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="NEWSLETTER_SUPPRESSION_KEY must be set") as caught:
        load_keys(settings(tmp_path, secret_key=LONG), live=True)
    assert "secrets.token_urlsafe" in caught.value.fix
    assert not (tmp_path / "var").exists()


def test_loopback_may_use_made_keys(tmp_path: Path) -> None:
    assert load_keys(settings(tmp_path, "http://127.0.0.1:8000"), live=True)


@pytest.mark.parametrize("name", ["secret_key", "suppression_key", "old_secret_keys"])
def test_short_keys_are_refused(tmp_path: Path, name: str) -> None:
    secrets = {"secret_key": LONG, "suppression_key": LONG}
    secrets[name] = ["short"] if name == "old_secret_keys" else "short"  # type: ignore[assignment]
    with pytest.raises(RefusedError, match=f"NEWSLETTER_{name.upper()} is shorter"):
        load_keys(settings(tmp_path, **secrets), live=False)


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"secret_key": 1})])
def test_a_damaged_file_is_not_replaced(tmp_path: Path, text: str) -> None:
    path = tmp_path / "var" / "keys.json"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(InputError, match="cannot be read"):
        load_keys(settings(tmp_path), live=False)
    assert path.read_text() == text


def test_keys_do_not_show_in_messages(keys: Keys) -> None:
    assert repr(keys) == "Keys()"


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://localhost:8000", True),
        ("http://127.3.2.1", True),
        ("http://[::1]:8000", True),
        ("http://studio.localhost", True),
        ("https://localhost.clinic.example", False),
        ("http://10.0.0.1", False),
        ("", False),
    ],
)
def test_loopback(url: str, loopback: bool) -> None:
    assert is_loopback_url(url) is loopback
