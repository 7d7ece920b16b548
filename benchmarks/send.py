"""A whole live send beside the limit and beside the usual senders, to one neutral receiver.

    python -m benchmarks.send [READERS] [ROUNDS]

Ours is `send.py send --live` as a person types it, from the start of the process to its end: the
ledger on, every journal line written. The limit writes one constant message over and over,
pipelined, and notes nothing down. All send the same issue to Postfix's smtp-sink on loopback, by
turns; a peer gets fewer readers, since its rate does not depend on how many there are. Rates
depend on the machine and on what else it does: compare within a row of ratios, which are the
medians of those within one round.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from benchmarks.delivery.install import node_modules, peers_python, versions
from benchmarks.delivery.measure import Run, run_child
from benchmarks.delivery.project import HERE, Project, make_project
from benchmarks.delivery.sink import late_sink, smtp_sink
from benchmarks.delivery.templates import write_templates
from tests.support.postgres import PostgresServer, postgres_server

LATE_S = 0.02
LATE_LIMIT, LATE_OURS, LATE_POOL, LATE_LOCKSTEP = 4000, 4000, 2000, 100
HEAD = f"{'':34}{'readers':>9}{'msg/s':>9}{'of limit':>10}{'ours/it':>9}{'CPU us':>9}{'MiB':>6}"
Sender = Callable[[int, int], Run]


@dataclass
class Row:
    """One sender: how it sends so many to a port, and how it did."""

    name: str
    send: Sender
    share: float = 1.0
    runs: list[Run] = field(default_factory=list)

    def rates(self, readers: int) -> list[float]:
        return [self.count(readers) / run.wall for run in self.runs]

    def count(self, readers: int) -> int:
        return max(1, int(readers * self.share))


class Stage:
    """Everything that is sent, and to whom."""

    def __init__(self, folder: Path, readers: int, server: PostgresServer) -> None:
        self._folder = folder
        self._server = server
        self._projects: dict[int, Project] = {}
        self._keys = {
            "rsa": rsa.generate_private_key(65537, 2048),
            "ed25519": ed25519.Ed25519PrivateKey.generate(),
        }
        self._template = server.fresh_database()
        self._on_postgres = make_project(folder / "pg", **self._url(self._template))
        self._on_postgres.prepare(readers)
        self.templates = folder / "templates"
        self.sizes = write_templates(self.project(readers), self.templates)

    def project(self, readers: int) -> Project:
        """A prepared project with so many readers, on SQLite; made once."""
        if readers not in self._projects:
            self._projects[readers] = make_project(self._folder / f"sqlite-{readers}")
            self._projects[readers].prepare(readers)
        return self._projects[readers]

    def limit(self, port: int, count: int) -> Run:
        message = self.templates / "message"
        return run_child(
            [sys.executable, HERE / "benchmarks/delivery/raw.py", port, count, message, 8]
        )

    def sqlite(self, port: int, count: int) -> Run:
        return self.project(count).copy(self._folder / "run").send(count, port)

    def postgres(self, port: int, count: int) -> Run:
        database = self._server.fresh_database(self._template)
        copy = self._on_postgres.copy(self._folder / "run", **self._url(database))
        done = copy.send(count, port)
        self._server.drop(database)
        return done

    def signed(self, kind: str) -> Sender:
        pem = self._keys[kind].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        wanted = {
            "NEWSLETTER_DKIM__DOMAIN": "clinic.example",
            "NEWSLETTER_DKIM__SELECTOR": "news1",
            "NEWSLETTER_DKIM__KEY": pem.decode(),
        }
        return lambda port, count: (
            self.project(count).copy(self._folder / "run", **wanted).send(count, port)
        )

    def python(self, kind: str) -> Sender:
        environment = {**os.environ, "PYTHONPATH": str(HERE)}
        script = HERE / "benchmarks/delivery/peers.py"
        return lambda port, count: run_child(
            [peers_python(), script, kind, port, count, self.templates], environment
        )

    def nodemailer(self, port: int, count: int) -> Run:
        script = HERE / "benchmarks/delivery/nodemailer.mjs"
        return run_child(["node", script, port, count, self.templates, node_modules()])

    def _url(self, database: str) -> dict[str, str]:
        return {"NEWSLETTER_DATABASE_URL": self._server.url(database)}


def take_turns(rows: list[Row], rounds: int, port: int, readers: int) -> None:
    for _ in range(rounds):
        for row in rows:
            row.runs.append(row.send(port, row.count(readers)))
            rate = row.rates(readers)[-1]
            print(f"  {row.name}: {rate:.0f}/s", file=sys.stderr, flush=True)


def show(title: str, rows: list[Row], readers: int, ours: Row) -> None:
    """One table; ratios are medians of those within a round."""
    limit = rows[0].rates(readers)
    print(f"\n{title}\n{HEAD}")
    for row in rows:
        rates = row.rates(readers)
        of_limit = statistics.median(a / b for a, b in zip(rates, limit, strict=True))
        times = statistics.median(b / a for a, b in zip(rates, ours.rates(readers), strict=True))
        cpu = statistics.median(run.cpu for run in row.runs) / row.count(readers) * 1e6
        peak = max(run.peak for run in row.runs)
        print(
            f"{row.name:34}{row.count(readers):9}{statistics.median(rates):9.0f}{of_limit:10.2f}"
            f"{times:8.1f}x{cpu:9.0f}{peak:6.0f}",
            flush=True,
        )


def main() -> None:
    readers = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(postgres_server(fsync=True))
        stage = Stage(folder, readers, server)
        html, wire = stage.sizes
        print(f"HTML {html / 1000:.1f} KB, {wire / 1000:.1f} KB on the wire; {versions()}")
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the first round")
        port = stack.enter_context(smtp_sink())
        throughput(stage, port, readers, rounds)
        memory(stage, port, readers)
        latency(stage, stack.enter_context(late_sink(LATE_S)), rounds)
        print(f"\nload {os.getloadavg()[0]:.1f} at the end")


def throughput(stage: Stage, port: int, readers: int, rounds: int) -> None:
    ours = Row("send --live, SQLite", stage.sqlite)
    rows = [
        Row("limit: constant message, pipelined", stage.limit),
        ours,
        Row("send --live, PostgreSQL", stage.postgres),
        Row("  with DKIM, RSA-2048", stage.signed("rsa"), 0.2),
        Row("  with DKIM, Ed25519", stage.signed("ed25519"), 0.2),
        Row("nodemailer, pool of 8", stage.nodemailer, 0.03),
        Row("Django send_messages, templates", stage.python("django"), 0.02),
        Row("aiosmtplib, 8, Jinja2", stage.python("aiosmtplib"), 0.015),
        Row("smtplib, Jinja2", stage.python("smtplib"), 0.015),
    ]
    stage.project(rows[3].count(readers))
    take_turns(rows, rounds, port, readers)
    show(f"Throughput: {rounds} rounds, medians", rows, readers, ours)


def memory(stage: Stage, port: int, readers: int) -> None:
    print(f"\nMemory of send --live, SQLite\n{'readers':>9}{'peak MiB':>10}")
    for count in (readers // 10, readers, 2 * readers):
        print(f"{count:9}{stage.sqlite(port, count).peak:10.0f}", flush=True)


def latency(stage: Stage, port: int, rounds: int) -> None:
    ours = Row("send --live, SQLite", stage.sqlite)
    rows = [
        Row("limit: constant message, pipelined", stage.limit),
        ours,
        Row("nodemailer, pool of 8", stage.nodemailer, LATE_POOL / LATE_OURS),
        Row("smtplib, Jinja2", stage.python("smtplib"), LATE_LOCKSTEP / LATE_OURS),
    ]
    stage.project(LATE_OURS)
    take_turns(rows, min(rounds, 2), port, LATE_LIMIT)
    show(f"Replies {LATE_S * 1000:.0f} ms late: medians", rows, LATE_LIMIT, ours)


if __name__ == "__main__":
    main()
