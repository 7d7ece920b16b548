"""A database to be filled is there whole, or not at all."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from sqlalchemy import make_url

from newsletter.database.restore_target import open_target
from newsletter.errors import RefusedError


def test_it_appears_at_the_end_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "new.db"
    with open_target(make_url(f"sqlite:///{path}")):
        assert not path.exists()
    assert [each.name for each in path.parent.iterdir()] == ["new.db"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_somebody_else_put_there_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    with (
        pytest.raises(RefusedError, match="in the meantime"),
        open_target(make_url(f"sqlite:///{path}")),
    ):
        path.write_bytes(b"theirs")
    assert path.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [path]


def test_a_copy_that_is_broken_off_leaves_nothing(tmp_path: Path) -> None:
    url = make_url(f"sqlite:///{tmp_path / 'folder' / 'new.db'}")
    with pytest.raises(KeyboardInterrupt), open_target(url):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
