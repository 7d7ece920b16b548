"""Database files are for their owner alone, and copies of those who were killed do not stay."""

import os
import stat
import subprocess
import sys
from pathlib import Path

from newsletter.database.open import open_url
from newsletter.store.engine import sqlite_store
from newsletter.store.private_files import private_file

HOLD = """
import sys
from pathlib import Path
from newsletter.store.private_files import private_file
with private_file(Path(sys.argv[1])) as path:
    path.write_text("readers")
    print(path, flush=True)
    sys.stdin.read()
"""
ROOT = Path(__file__).parents[3]


def test_a_copy_stays_while_its_owner_lives_and_no_longer(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    owner = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with owner:
        assert owner.stdout
        copy = Path(owner.stdout.readline().strip())
        with private_file(tmp_path):
            assert copy.read_text() == "readers"
        owner.kill()
        owner.wait()
    assert copy.read_text() == "readers"
    with private_file(tmp_path):
        assert not copy.parent.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_new_database_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        store = open_url(sqlite_store(tmp_path / "elsewhere.db").engine.url)
        with store.write():
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert "elsewhere.db-wal" in modes
    assert set(modes.values()) == {0o600}
