"""Importing a CSV file against the least that any import must do.

    python benchmarks/import_csv.py [ROWS]

Both baselines read the same file with `csv` and write its cells with `sqlite3.executemany` into one
table, in one transaction, on a database with the same pragmas; `unique` keeps each address once,
`bare` not even that. They judge nothing and remember nothing. Each run is a process of its own, and
all take turns; the figures are the medians.
"""

from __future__ import annotations

import csv
import json
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

ROUNDS = 3
DOMAINS = 500


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "readers.csv"
        write_file(source, rows)
        results: dict[str, list[dict[str, float]]] = {"bare": [], "unique": [], "import": []}
        for _ in range(ROUNDS):
            for name, runs in results.items():
                runs.append(run_child(name, source))
    report(results, rows)


def write_file(path: Path, rows: int) -> None:
    """People in no order, with two attributes."""
    order = list(range(rows))
    rng = random.Random(7)
    rng.shuffle(order)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["email", "first_name", "last_name", "topic", "since"])
        for n in order:
            domain = f"d{rng.randrange(DOMAINS)}.example"
            writer.writerow([f"reader{n}@{domain}", f"First{n % 997}", "Müller", "sleep", "2024"])


def run_child(name: str, source: Path) -> dict[str, float]:
    """One run in a process of its own: seconds and peak memory (MiB)."""
    done = subprocess.run(
        [sys.executable, __file__, "--child", name, str(source)],
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def child(name: str, source: Path) -> None:
    """Run and print; starting Python and importing modules is not timed."""
    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        work = {"bare": bare, "unique": unique, "import": our_import}[name]
        seconds = work(source, Path(folder) / "newsletter.db")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak": peak}))


def bare(source: Path, database: Path) -> float:
    return baseline(source, database, "")


def unique(source: Path, database: Path) -> float:
    return baseline(source, database, "UNIQUE")


def baseline(source: Path, database: Path, constraint: str) -> float:
    start = time.perf_counter()
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(
        f"CREATE TABLE subscriber (id INTEGER PRIMARY KEY, email TEXT {constraint}, "
        "first_name TEXT, last_name TEXT, topic TEXT, since TEXT)"
    )
    with source.open(newline="", encoding="utf-8") as file, connection:
        connection.executemany(
            "INSERT INTO subscriber (email, first_name, last_name, topic, since) "
            "VALUES (?, ?, ?, ?, ?)",
            islice(csv.reader(file), 1, None),
        )
    connection.close()
    return time.perf_counter() - start


def our_import(source: Path, database: Path) -> float:
    from newsletter.audience.importing.importer import import_csv
    from newsletter.audience.keys import Keys
    from newsletter.database.migrate import upgrade
    from newsletter.store.engine import sqlite_store

    store = sqlite_store(database)
    upgrade(store.engine)
    start = time.perf_counter()
    import_csv(
        store,
        Keys(b"s" * 32, b"h" * 32),
        source,
        list_name="readers",
        source="csv",
        declared=("topic", "since"),
    )
    seconds = time.perf_counter() - start
    store.close()
    return seconds


def report(results: dict[str, list[dict[str, float]]], rows: int) -> None:
    seconds = {
        name: statistics.median(run["seconds"] for run in runs) for name, runs in results.items()
    }
    print(f"{rows:,} rows, median of {ROUNDS} runs each")
    for name, runs in results.items():
        peak = max(run["peak"] for run in runs)
        took = seconds[name]
        print(f"  {name:<9} {took:8.2f} s  {rows / took:10,.0f} rows/s  peak {peak:6.1f} MiB")
    for name in ("unique", "bare"):
        print(f"  import / {name} = {seconds['import'] / seconds[name]:.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], Path(sys.argv[3]))
    else:
        main()
