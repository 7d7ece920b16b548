"""How fast readers can leave with one click, beside a bare route that commits one row.

Both are servers of their own, run by uvicorn with the same settings: ours by `send.py serve`, the
other one route of Starlette that inserts one row into a SQLite file and commits it (WAL,
`synchronous=FULL`, as ours) before it answers. The same client posts to each in turn, RFC 8058
bodies to distinct genuine links over connections that it keeps open; figures are medians, the ratio
is the median of those within one round. At the end ours is killed (SIGKILL) under load, and every
unsubscribe that it answered is looked for in the database.

    python benchmarks/one_click.py [CLICKS] [ROUNDS]
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles
from subprocess import Popen

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from newsletter.audience.tokens import TokenSigner
from newsletter.database.open import migrate
from newsletter.store.engine import Store, sqlite_store
from newsletter.web.http.server import serve
from tests.support.clicks import KEYS, Answer, click, gone, links, process, readers, serving

CONNECTIONS = (1, 8, 64)
LAST = 20_000
"""Clicks of the last load, which a kill ends."""


def bare(database: Path) -> Starlette:
    """One row, one commit, one answer, and no detour by a thread."""
    connection = sqlite3.connect(database, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE gone (token TEXT PRIMARY KEY, at REAL)")

    async def leave(request: Request) -> Response:
        await request.body()
        row = (request.path_params["token"], time.time())
        connection.execute("INSERT INTO gone VALUES (?, ?)", row)
        return PlainTextResponse("done")

    return Starlette(routes=[Route("/u/{token}", leave, methods=["POST"])])


def post(address: str, paths: list[str], connections: int) -> tuple[float, list[Answer]]:
    """Clicks a second, and each answer."""
    started = time.perf_counter()
    answers = asyncio.run(click(address, paths, connections))
    took = time.perf_counter() - started
    if [answer for answer in answers if answer.status != 200] or len(answers) != len(paths):
        raise SystemExit(f"{len(answers)} answers to {len(paths)} clicks, or not all of them 200")
    return len(paths) / took, answers


def compare(ours: str, other: str, paths: Iterator[list[str]], rounds: int, lines: int) -> None:
    mine, its, waits = [], [], []
    for _ in range(rounds):
        some = next(paths)
        rate, _ = post(other, some, lines)
        its.append(rate)
        rate, answers = post(ours, some, lines)
        mine.append(rate)
        waits += [answer.seconds * 1000 for answer in answers]
    ratio = median(a / b for a, b in zip(mine, its, strict=True))
    late = quantiles(waits, n=100)[98]
    print(
        f"{lines:11}{median(its):12,.0f}{median(mine):12,.0f}{ratio:10.2f}"
        f"{median(waits):12.1f}{late:12.1f}",
        flush=True,
    )


def kill(store: Store, address: str, server: Popen[str], links: dict[str, int]) -> None:
    """SIGKILL amid the load; no answered click may be missing from the database."""

    async def load() -> list[Answer]:
        asyncio.get_running_loop().call_later(0.7, server.kill)
        return await click(address, list(links), CONNECTIONS[-1])

    answered = {links[answer.path] for answer in asyncio.run(load()) if answer.status == 200}
    lost = answered - gone(store)
    print(f"killed after {len(answered):,} answers: {len(lost)} of them lost")
    if lost or len(answered) == len(links):
        raise SystemExit("answered clicks were lost, or the load was over before the kill")


def measure(folder: Path, clicks: int, rounds: int) -> None:
    database = folder / "newsletter.db"
    store = sqlite_store(database)
    migrate(store)
    uids = readers(store, len(CONNECTIONS) * rounds * clicks + LAST)
    paths = links(TokenSigner(KEYS), uids)
    chosen = (paths[start : start + clicks] for start in range(LAST, len(paths), clicks))
    print(f"{len(uids):,} readers, {rounds} rounds of {clicks:,}, load {os.getloadavg()[0]:.1f}")
    print("connections   bare a s    ours a s   ours/it   median ms     99 % ms")
    with (
        process(__file__, "--bare", folder / "bare.db") as (other, _),
        serving(f"sqlite:///{database}", folder) as (ours, server),
    ):
        for lines in CONNECTIONS:
            compare(ours, other, chosen, rounds, lines)
        kill(store, ours, server, dict(zip(paths[:LAST], uids[:LAST], strict=True)))
    store.close()


def main() -> None:
    if sys.argv[1:2] == ["--bare"]:
        serve(bare(Path(sys.argv[2])))
        return
    clicks, rounds = (int(given) for given in [*sys.argv[1:], 1500, 5][:2])
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), clicks, rounds)


if __name__ == "__main__":
    main()
