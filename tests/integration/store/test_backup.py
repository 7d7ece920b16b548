"""A backup is of one moment, whole or not there; a restore never sends by itself."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url, select, update

from newsletter.database.backup import backup, restore
from newsletter.database.open import open_url
from newsletter.delivery.ledger.tables import campaign, campaign_event, chunk
from newsletter.errors import InputError, RefusedError
from newsletter.queues.tables import outgoing_message
from newsletter.store.engine import Store
from tests.integration.store.rows import contents, counts, fill

PROJECT = Path(__file__).parents[3]
TARGETS = ["sqlite", "server"]


@contextmanager
def writing(url: str) -> Iterator[None]:
    """Another process writes as fast as it can."""
    command = [sys.executable, "-m", "tests.integration.store.writer", url]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        try:
            yield
            assert process.poll() is None
        finally:
            process.kill()


@pytest.mark.parametrize("target", TARGETS)
def test_a_backup_of_either_is_restored_into_either(
    store: Store, target: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    into: Store = request.getfixturevalue(target)
    fill(store)
    path = tmp_path / "backup.db"
    rows = backup(store, path)
    assert rows == counts(store)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    restored = restore(path, into, tmp_path / "var")
    assert (restored.rows, restored.paused) == (rows, ())
    assert contents(into) == contents(store)
    assert list((tmp_path / "var").iterdir()) == []


def test_a_backup_is_one_file_and_overwrites_none(store: Store, tmp_path: Path) -> None:
    fill(store)
    folder = tmp_path / "backups"
    with pytest.raises(InputError, match="the folder does not exist"):
        backup(store, folder / "backup.db")
    folder.mkdir()
    backup(store, folder / "backup.db")
    assert [path.name for path in folder.iterdir()] == ["backup.db"]
    before = (folder / "backup.db").read_bytes()
    with pytest.raises(InputError, match="the file already exists"):
        backup(store, folder / "backup.db")
    assert (folder / "backup.db").read_bytes() == before


def test_a_backup_that_is_stopped_leaves_nothing(server: Store, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    fill(server)

    def ctrl_c(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backup(server, folder / "backup.db", ctrl_c)
    assert list(folder.iterdir()) == []


def test_a_backup_beside_a_writer_is_of_one_moment(
    store: Store, store_url: str, sqlite: Store, tmp_path: Path
) -> None:
    path = tmp_path / "backup.db"
    with writing(store_url):
        rows = backup(store, path)
    assert rows["subscriber"] == rows["consent_event"] >= 50
    restore(path, sqlite, tmp_path)
    assert counts(sqlite) == rows
    assert counts(store)["subscriber"] >= rows["subscriber"]


def test_a_campaign_that_was_sending_comes_back_paused_and_says_so(
    store: Store, sqlite: Store, tmp_path: Path
) -> None:
    fill(store)
    with store.write() as connection:
        soon = store.now(connection) + 60
        connection.execute(update(campaign).where(campaign.c.id == 1).values(state="sending"))
        connection.execute(update(chunk).values(state="leased", lease_until=soon))
    backup(store, tmp_path / "backup.db")
    assert restore(tmp_path / "backup.db", sqlite, tmp_path).paused == (1,)
    with sqlite.read() as connection:
        assert set(connection.execute(select(campaign.c.state)).scalars()) == {"paused"}
        said = connection.execute(
            select(campaign_event).order_by(campaign_event.c.id.desc())
        ).first()
        leases = set(connection.execute(select(chunk.c.state, chunk.c.lease_until)))
    assert said is not None
    assert (said.campaign_id, said.from_state, said.to_state) == (1, "sending", "paused")
    assert leases == {("leased", 0.0)}
    with store.read() as connection:
        states = connection.execute(select(campaign.c.state)).scalars().all()
    assert "sending" in states


def test_mail_that_was_waiting_comes_back_and_is_nobody_s_yet(
    store: Store, sqlite: Store, tmp_path: Path
) -> None:
    fill(store)
    with store.write() as connection:
        connection.execute(update(outgoing_message).values(state="waiting"))
        first = outgoing_message.c.id == 1
        leased = {"state": "sending", "lease_until": store.now(connection) + 60}
        connection.execute(update(outgoing_message).where(first).values(**leased))
    backup(store, tmp_path / "backup.db")
    restore(tmp_path / "backup.db", sqlite, tmp_path)
    c = outgoing_message.c
    with sqlite.read() as connection:
        assert set(connection.execute(select(c.state)).scalars()) == {"waiting"}
        assert connection.execute(select(c.lease_until).where(first)).scalar_one() == 0.0


def test_what_is_not_empty_is_not_restored_into(sqlite: Store, tmp_path: Path) -> None:
    fill(sqlite)
    backup(sqlite, tmp_path / "backup.db")
    before = contents(sqlite)
    with pytest.raises(RefusedError, match="not empty"):
        restore(tmp_path / "backup.db", sqlite, tmp_path)
    assert contents(sqlite) == before


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-8192])


def _scribble(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for start in range(4096, len(data), 4096):
        data[start : start + 200] = b"\xa5" * 200
    path.write_bytes(data)


def _not_a_database(path: Path) -> None:
    path.write_text("email,first_name\na@b.example,Anna\n")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (id INTEGER PRIMARY KEY)")


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_cut, "not a complete backup"),
        (_scribble, "not a complete backup"),
        (_not_a_database, "not a complete backup: file is not a database"),
        (_empty, "another program"),
        (_foreign, "another program"),
        (_newer, "newer version"),
        (Path.unlink, "the file does not exist"),
    ],
)
def test_what_is_no_sound_backup_is_refused_and_named(
    sqlite: Store, server: Store, tmp_path: Path, spoil: object, reason: str
) -> None:
    fill(sqlite)
    path = tmp_path / "backup.db"
    backup(sqlite, path)
    spoil(path)  # type: ignore[operator]
    with pytest.raises((InputError, RefusedError), match=reason) as caught:
        restore(path, server, tmp_path / "var")
    assert "backup.db" in str(caught.value)
    assert set(counts(server).values()) == {0}


def test_a_live_database_with_its_log_can_be_restored_from(
    sqlite: Store, server: Store, tmp_path: Path
) -> None:
    """What was committed stands in the -wal file until a checkpoint; none of it is missed."""
    fill(sqlite)
    database = Path(str(sqlite.engine.url.database))
    assert database.with_name(f"{database.name}-wal").stat().st_size > 0
    restore(database, server, tmp_path / "var")
    assert contents(server) == contents(sqlite)


def test_the_backup_itself_is_not_changed(sqlite: Store, server: Store, tmp_path: Path) -> None:
    fill(sqlite)
    path = tmp_path / "backup.db"
    backup(sqlite, path)
    path.chmod(0o400)
    before = path.read_bytes()
    restore(path, server, tmp_path / "var")
    assert path.read_bytes() == before
    again = open_url(make_url(f"sqlite:///{tmp_path / 'again.db'}"))
    restore(path, again, tmp_path / "var")
    assert contents(again) == contents(sqlite)
    again.close()
