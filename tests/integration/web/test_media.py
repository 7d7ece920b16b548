"""Pictures: kept once, served for good, never anything but what their name says."""

import hashlib
from pathlib import Path

import pytest

from newsletter.campaign.media import save_media
from newsletter.errors import InputError
from newsletter.render.model import Image
from newsletter.web.public.app import public_app
from tests.integration.web.conftest import KEYS, Clinic, ask

PIXELS = b"\x89PNG\r\n\x1a\n and so on"
SHA256 = hashlib.sha256(PIXELS).hexdigest()


@pytest.fixture
def picture(tmp_path: Path) -> Image:
    file = tmp_path / "neck.png"
    file.write_bytes(PIXELS)
    return Image(SHA256, ".png", file, len(PIXELS), 600, 300)


def test_a_saved_picture_is_served_for_good(clinic: Clinic, picture: Image) -> None:
    saved = save_media(clinic.settings, picture)
    assert save_media(clinic.settings, picture) == saved
    assert [file.name for file in saved.parent.iterdir()] == [f"{SHA256}.png"]
    app = public_app(clinic.store, KEYS, clinic.settings)
    answer = ask(app, "GET", f"/media/{SHA256}.png")
    assert (answer.status_code, answer.content) == (200, PIXELS)
    assert answer.headers["content-type"] == "image/png"
    assert "immutable" in answer.headers["cache-control"]


def test_a_picture_changed_since_compiling_is_not_saved(clinic: Clinic, picture: Image) -> None:
    picture.path.write_bytes(b"another")
    with pytest.raises(InputError, match="changed"):
        save_media(clinic.settings, picture)


def test_a_broken_copy_is_not_served_and_saving_mends_it(clinic: Clinic, picture: Image) -> None:
    saved = save_media(clinic.settings, picture)
    saved.write_bytes(PIXELS[:-1])
    app = public_app(clinic.store, KEYS, clinic.settings)
    assert ask(app, "GET", f"/media/{SHA256}.png").status_code == 404
    save_media(clinic.settings, picture)
    assert ask(app, "GET", f"/media/{SHA256}.png").status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        "0" * 64 + ".png",
        SHA256 + ".svg",
        SHA256 + ".jpg",
        SHA256,
        "newsletter.db",
        "../newsletter.db",
        "%2e%2e%2fnewsletter.db",
        SHA256.upper() + ".png",
    ],
)
def test_nothing_else_is_served(clinic: Clinic, picture: Image, name: str) -> None:
    save_media(clinic.settings, picture)
    app = public_app(clinic.store, KEYS, clinic.settings)
    assert ask(app, "GET", f"/media/{name}").status_code == 404
