"""Opening a database: migrated once, by whoever comes first; trouble is said in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import make_url, select, text

from newsletter.audience.tables import subscriber
from newsletter.database.migrate import HEAD, current
from newsletter.database.open import migrate, open_url
from newsletter.errors import InputError, RefusedError, UnavailableError
from newsletter.settings.model import Publication, Settings
from newsletter.store.engine import Store, advisory_lock, connect, resolve_url, shown
from newsletter.store.metadata import metadata
from newsletter.store.snapshot import private_copy
from tests.integration.store.rows import contents, fill
from tests.support.postgres import PostgresServer, postgres_server

PROJECT = Path(__file__).parents[3]
OPEN = (
    "import sys; from sqlalchemy import make_url; from newsletter.database.open import open_url; "
)
SECRET = "correct-horse"


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'new' / 'newsletter.db'}"
    return str(request.getfixturevalue("postgres"))


def test_an_empty_database_becomes_exactly_the_schema(empty_url: str) -> None:
    store = connect(make_url(empty_url))
    assert migrate(store) is None
    assert migrate(store) == HEAD
    with store.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    store.close()


def test_any_number_of_processes_may_open_it_first(empty_url: str) -> None:
    command = [sys.executable, "-c", f"{OPEN}open_url(make_url(sys.argv[1])).close()", empty_url]
    started = [
        subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE, text=True) for _ in range(4)
    ]
    ended = [(process.communicate()[1], process.returncode) for process in started]
    assert ended == [("", 0)] * 4
    store = connect(make_url(empty_url))
    assert current(store.engine) == HEAD
    store.close()


def test_a_newer_database_is_refused(store: Store) -> None:
    with store.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(RefusedError, match="newer than this program"):
        open_url(store.engine.url)


def test_a_server_that_cannot_hold_every_name_is_refused(postgres_session: PostgresServer) -> None:
    with psycopg.connect(postgres_session.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE narrow ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(RefusedError, match="LATIN1"):
        open_url(make_url(postgres_session.url("narrow")))
    postgres_session.drop("narrow")


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://someone:{SECRET}@127.0.0.1:1/newsletter",
        f"postgresql://127.0.0.1:1/newsletter?user=someone&password={SECRET}",
    ],
)
def test_a_server_out_of_reach_is_named_without_its_password(url: str) -> None:
    with pytest.raises(UnavailableError) as caught:
        open_url(make_url(url))
    assert "127.0.0.1:1/newsletter" in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("url", [f"mysql://u:{SECRET}@h/d", f"postgresql//u:{SECRET}@h/d", SECRET])
def test_what_is_no_url_of_ours_is_refused_unread(url: str) -> None:
    with pytest.raises(InputError) as caught:
        connect(resolve_url(_settings(url)))
    assert SECRET not in str(caught.value)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "newsletter.db"
    path.write_text("no database at all, " * 100)
    with pytest.raises(UnavailableError, match=r"newsletter\.db: file is not a database"):
        open_url(make_url(f"sqlite:///{path}"))


def test_a_server_that_goes_away_is_an_error_in_one_line(
    server: Store, postgres_session: PostgresServer
) -> None:
    def work() -> None:
        with server.read() as connection:
            connection.execute(select(subscriber))
            with psycopg.connect(postgres_session.url("postgres"), autocommit=True) as other:
                other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                    [server.engine.url.database],
                )
            connection.execute(select(subscriber))

    with pytest.raises(UnavailableError, match="cannot be used"):
        work()
    with server.read() as connection:
        assert connection.execute(select(subscriber)).all() == []


def test_what_was_committed_outlives_a_crash_of_the_server() -> None:
    with postgres_server(fsync=True) as server:
        store = open_url(make_url(server.url(server.fresh_database())))
        fill(store)
        before = contents(store)
        server.kill()
        with pytest.raises(UnavailableError), store.read():
            pytest.fail("the server is down")
        server.start()
        assert contents(store) == before
        store.close()


def test_a_read_sees_one_moment_and_changes_nothing(store: Store) -> None:
    with store.read() as reading:
        before = reading.execute(select(subscriber)).all()
        fill(store)
        assert reading.execute(select(subscriber)).all() == before
    with store.read() as reading:
        assert len(reading.execute(select(subscriber)).all()) > 0
        reading.execute(text("SELECT 1"))


def test_the_clock_moves_within_a_transaction(store: Store) -> None:
    with store.write() as connection:
        first = store.now(connection)
        assert store.now(connection) > first > 1_700_000_000


def test_transactions_with_one_lock_wait_for_each_other(store: Store, store_url: str) -> None:
    with store.write() as connection:
        advisory_lock(connection, "one thing")
        advisory_lock(connection, "another thing")
        wait = (
            f"{OPEN}from newsletter.store.engine import advisory_lock\n"
            "store = open_url(make_url(sys.argv[1]))\nprint('waits', flush=True)\n"
            "with store.write() as connection:\n    advisory_lock(connection, 'one thing')\n"
            "print('done')"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", wait, store_url], cwd=PROJECT, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"waits\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
    assert process.communicate()[0] == b"done\n"
    assert process.returncode == 0


def test_a_private_copy_of_either_is_whole_private_and_gone_afterwards(
    store: Store, tmp_path: Path
) -> None:
    fill(store)
    settings = _settings(str(store.engine.url)).model_copy(update={"var_dir": tmp_path / "var"})
    before = contents(store)
    with private_copy(store, settings.var) as scratch:
        assert scratch.is_sqlite
        assert contents(scratch) == before
        with scratch.write() as connection:
            connection.execute(text("DELETE FROM subscriber"))
    assert contents(store) == before
    assert list((tmp_path / "var").iterdir()) == []


def test_shown_urls_keep_what_helps() -> None:
    url = make_url("postgresql://someone:secret@db.clinic.example/news?sslmode=require&password=x")
    assert shown(url) == "postgresql://someone:***@db.clinic.example/news?sslmode=require"


def _settings(database_url: str) -> Settings:
    return Settings(
        publication=Publication(
            name="The letter",
            from_name="The Clinic",
            from_address="letter@clinic.example",
            list_id="letter.clinic.example",
            public_url="https://news.clinic.example",
            postal_address="1 Sample Street",
        ),
        database_url=database_url,
    )
