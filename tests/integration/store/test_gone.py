"""A database that is not the one that was opened any more is neither read nor written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import insert, make_url, select, update

from newsletter.database.backup import backup
from newsletter.database.open import open_url
from newsletter.delivery.ledger.tables import rate
from newsletter.errors import GoneError
from newsletter.store.engine import Store
from newsletter.store.snapshot import write_snapshot
from tests.support.postgres import PostgresServer

FILES = ("", "-wal", "-shm")


def place(store: Store) -> Path:
    return Path(str(store.engine.url.database))


def move(path: Path) -> None:
    folder = path.with_name("old")
    folder.mkdir()
    for suffix in FILES:
        path.with_name(path.name + suffix).rename(folder / (path.name + suffix))


def put_back(path: Path) -> None:
    for each in path.with_name("old").iterdir():
        each.rename(path.with_name(each.name))


def delete(path: Path) -> None:
    for suffix in FILES:
        path.with_name(path.name + suffix).unlink()


def replace(path: Path) -> None:
    shutil.copy(path, path.with_name("copy"))
    delete(path)
    path.with_name("copy").rename(path)


def replace_the_file_alone(path: Path) -> None:
    shutil.copy(path, path.with_name("copy"))
    path.with_name("copy").replace(path)


def delete_the_log(path: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


def delete_the_index(path: Path) -> None:
    path.with_name(f"{path.name}-shm").unlink()


WAYS = [move, delete, replace, replace_the_file_alone, delete_the_log, delete_the_index]


def write(store: Store) -> None:
    with store.write() as connection:
        connection.execute(insert(rate).values(name="smtp", tat=1.0))


def read(store: Store) -> list[float]:
    with store.read() as connection:
        return list(connection.execute(select(rate.c.tat)).scalars())


@pytest.mark.parametrize("lose", WAYS)
def test_a_file_that_is_gone_is_neither_read_nor_written_nor_copied(
    sqlite: Store, tmp_path: Path, lose: Callable[[Path], None]
) -> None:
    write(sqlite)
    there = place(sqlite)
    lose(there)
    left = {path for path in tmp_path.rglob("*") if path.is_file()}
    uses: list[Callable[[], object]] = [
        lambda: read(sqlite),
        lambda: write(sqlite),
        lambda: write_snapshot(sqlite, tmp_path / "snapshot.db"),
        lambda: backup(sqlite, tmp_path / "backup.db"),
    ]
    for use in uses:
        with pytest.raises(GoneError, match="moved, deleted or replaced"):
            use()
    (tmp_path / "snapshot.db").unlink(missing_ok=True)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == left


@pytest.mark.parametrize("lose", WAYS)
def test_what_is_committed_while_the_file_goes_is_not_reported_as_done(
    sqlite: Store, lose: Callable[[Path], None]
) -> None:
    def write_and_lose() -> None:
        with sqlite.write() as connection:
            connection.execute(update(rate).values(tat=2.0))
            lose(place(sqlite))

    write(sqlite)
    with pytest.raises(GoneError):
        write_and_lose()


def test_no_further_connection_is_opened_to_another_file(sqlite: Store) -> None:
    write(sqlite)
    with sqlite.read() as first:
        first.execute(select(rate))
        replace(place(sqlite))
        with pytest.raises(GoneError):
            read(sqlite)


def test_a_file_that_is_put_back_is_used_again(sqlite: Store) -> None:
    write(sqlite)
    move(place(sqlite))
    with pytest.raises(GoneError):
        read(sqlite)
    put_back(place(sqlite))
    assert read(sqlite) == [1.0]


def test_a_link_that_leads_elsewhere_is_noticed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        open_url(make_url(f"sqlite:///{tmp_path / name}.db")).close()
    link = tmp_path / "current.db"
    link.symlink_to(tmp_path / "one.db")
    store = open_url(make_url(f"sqlite:///{link}"))
    write(store)
    link.unlink()
    link.symlink_to(tmp_path / "two.db")
    with pytest.raises(GoneError):
        write(store)
    store.close()


def test_closing_the_old_file_leaves_the_new_ones_log_alone(sqlite: Store, tmp_path: Path) -> None:
    """SQLite deletes a log by its name, and by now that is the name of another file's."""
    write(sqlite)
    backup(sqlite, tmp_path / "backup.db")
    move(place(sqlite))
    shutil.copy(tmp_path / "backup.db", place(sqlite))
    new = open_url(sqlite.engine.url)
    sqlite.close()
    with new.write() as connection:
        connection.execute(update(rate).values(tat=3.0))
    assert read(new) == [3.0]
    new.close()
    again = open_url(sqlite.engine.url)
    assert read(again) == [3.0]
    again.close()


def test_a_database_of_the_same_name_is_another_one(
    server: Store, postgres_session: PostgresServer, migrated: str
) -> None:
    write(server)
    name = str(server.engine.url.database)
    postgres_session.drop(name)
    with psycopg.connect(postgres_session.url("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {migrated}".encode())
    for use in (read, write):
        with pytest.raises(GoneError, match="another one has taken its name"):
            use(server)
    new = open_url(server.engine.url)
    assert read(new) == []
    new.close()


def test_an_empty_database_takes_the_place_of_none_that_is_missing(tmp_path: Path) -> None:
    url = make_url(f"sqlite:///{tmp_path / 'newsletter.db'}")
    for _ in range(2):
        open_url(url).close()
    path = tmp_path / "newsletter.db"
    path.unlink()
    with pytest.raises(GoneError, match="was there and is not any more") as caught:
        open_url(url)
    assert not path.exists()
    shutil.rmtree(tmp_path / ".newsletter.db-open")
    assert ".newsletter.db-open" in str(caught.value)
    open_url(url).close()
    assert path.exists()


def test_a_log_that_was_left_is_not_swept_away_by_an_empty_database(
    sqlite: Store, tmp_path: Path
) -> None:
    write(sqlite)
    (tmp_path / "old").mkdir()
    place(sqlite).rename(tmp_path / "old" / "first.db")
    log = tmp_path / "first.db-wal"
    before = log.read_bytes()
    assert before
    with pytest.raises(GoneError, match=r"first\.db-wal"):
        open_url(sqlite.engine.url)
    assert log.read_bytes() == before
    assert not place(sqlite).exists()
