"""While a file is imported, other processes go on; and one that is killed loses nothing."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from newsletter.audience.importing.importer import import_csv
from newsletter.audience.keys import Keys
from newsletter.audience.lists import count, list_counts
from newsletter.audience.subscribers import find
from newsletter.store.engine import sqlite_store
from newsletter.store.metadata import metadata
from tests.integration.audience.imports import Importer

ROWS = 60_000
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def here(tmp_path: Path, keys: Keys) -> Iterator[Importer]:
    """A SQLite file that two processes share; ten readers are on it."""
    store = sqlite_store(tmp_path / "newsletter.db")
    with store.write() as connection:
        metadata.create_all(connection)
    app = Importer(store, keys)
    first = tmp_path / "first.csv"
    first.write_text("email\n" + "".join(f"early{n}@b.example\n" for n in range(10)))
    app.take(first)
    lines = (f"{'early' if n < 10 else 'late'}{n}@b.example\n" for n in range(ROWS))
    (tmp_path / "readers.csv").write_text("email\n" + "".join(lines))
    yield app
    store.close()


def _import(folder: Path, keys: Keys, begun: Event) -> None:
    store = sqlite_store(folder / "newsletter.db")
    begun.set()
    import_csv(store, keys, folder / "readers.csv", list_name="readers", source="csv")
    store.close()


def _other_process(folder: Path, keys: Keys) -> multiprocessing.context.SpawnProcess:
    begun = SPAWN.Event()
    process = SPAWN.Process(target=_import, args=(folder, keys, begun))
    process.start()
    assert begun.wait(60)
    return process


def _wait_for_first_batch(app: Importer, process: multiprocessing.context.SpawnProcess) -> None:
    while count(app.store, "readers") <= 10:
        assert process.is_alive()


def test_unsubscribes_go_through_while_a_file_is_imported(here: Importer, tmp_path: Path) -> None:
    process = _other_process(tmp_path, here.keys)
    _wait_for_first_batch(here, process)
    left = [here.leave("early0@b.example")]
    under_way = process.is_alive() and count(here.store, "readers") < ROWS - 1
    left += [here.leave(f"early{n}@b.example") for n in range(1, 10)]
    process.join()
    assert under_way
    assert process.exitcode == 0
    assert all(result.changed for result in left)
    assert list_counts(here.store) == {"readers": ROWS - 10}


def test_a_killed_import_is_completed_by_running_it_again(here: Importer, tmp_path: Path) -> None:
    process = _other_process(tmp_path, here.keys)
    _wait_for_first_batch(here, process)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    done = count(here.store, "readers")
    assert 10 < done < ROWS
    report = here.take(tmp_path / "readers.csv")
    assert (report.added, report.unchanged) == (ROWS - done, done)
    assert count(here.store, "readers") == ROWS
    with here.store.read() as connection:
        assert find(connection, f"late{ROWS - 1}@b.example") is not None
    assert {path.name for path in tmp_path.iterdir()} <= {
        "first.csv", "readers.csv", "newsletter.db", "newsletter.db-wal", "newsletter.db-shm",
    }  # fmt: skip
