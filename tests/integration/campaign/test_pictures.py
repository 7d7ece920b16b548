"""A picture that is missing among those kept, when mail that shows it is about to go out."""

import shutil

import pytest

from newsletter.campaign.media import media_folder
from newsletter.errors import InputError
from tests.integration.campaign.conftest import Office


def test_a_live_send_puts_back_a_picture_or_sends_nothing(office: Office) -> None:
    opened = office.open()
    kept = media_folder(office.app.settings)
    (image, *_) = opened.compiled.images
    shutil.rmtree(kept)
    source = office.folder / image.path
    data = source.read_bytes()
    source.unlink()
    with pytest.raises(InputError, match="image is missing"):
        office.run(opened)
    assert office.mailed == []

    source.write_bytes(data)
    office.run(opened)
    assert (kept / f"{image.sha256}{image.suffix}").read_bytes() == data
    assert len(office.mailed) == 5
