"""Readers by the thousand who leave: RFC 8058 POSTs over connections that are kept open."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import insert, select

from newsletter.audience.keys import Keys
from newsletter.audience.model import Token, TokenPurpose
from newsletter.audience.tables import mailing_list, subscriber, subscription, suppression
from newsletter.audience.tokens import TokenSigner
from newsletter.store.engine import Store

PROJECT = Path(__file__).parents[2]
SECRETS = {"secret_key": "s" * 40, "suppression_key": "u" * 40}
KEYS = Keys(*(value.encode() for value in SECRETS.values()))
BODY = b"List-Unsubscribe=One-Click"
Running = tuple[str, subprocess.Popen[str]]
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one path was answered, and after how many seconds."""

    path: str
    status: int
    seconds: float


@contextmanager
def process(*command: object, announced: bool = True, **environment: str) -> Iterator[Running]:
    """A server that prints its address; gives that, and the process.

    Args:
        announced: Whether it does; gives an empty address otherwise.
    """
    with subprocess.Popen(
        [sys.executable, *map(str, command)],
        cwd=PROJECT,
        env=os.environ | {"PYTHONPATH": str(PROJECT)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        try:
            assert server.stdout
            address = server.stdout.readline().split()[1].rstrip("/") if announced else ""
            yield address, server
        finally:
            server.kill()


def serving(database_url: str, var: Path) -> AbstractContextManager[Running]:
    """`send.py serve` on this database, with `KEYS`."""
    values = {**SECRETS, "database_url": database_url, "var_dir": str(var)}
    environment = {f"NEWSLETTER_{name.upper()}": value for name, value in values.items()}
    return process("send.py", "serve", "--port", 0, **environment)


def readers(store: Store, count: int, name: str = "readers") -> list[int]:
    """The uids of so many new readers, all on one list."""
    uids = [secrets.randbits(63) for _ in range(count)]
    people = [_person(uid) for uid in uids]
    with store.write() as connection:
        known = {"name": name, "title": name, "created_at": 1.0}
        which = connection.execute(insert(mailing_list).values(known)).inserted_primary_key
        connection.execute(insert(subscriber), people)
        ids = connection.execute(select(subscriber.c.id).where(subscriber.c.uid.in_(uids)))
        active = {"list_id": which[0], "state": "active", "created_at": 1.0, "updated_at": 1.0}
        rows = [{"subscriber_id": each, **active} for each in ids.scalars()]
        connection.execute(insert(subscription), rows)
    return uids


def _person(uid: int) -> dict[str, object]:
    email = f"reader{uid}@mail.example"
    return {
        "uid": uid,
        "email": email,
        "email_key": email,
        "address_hash": uid.to_bytes(16),
        "first_name": "",
        "last_name": "",
        "created_at": 1.0,
        "updated_at": 1.0,
    }


def links(signer: TokenSigner, uids: Sequence[int]) -> list[str]:
    """The paths of their unsubscribe links."""
    tokens = (signer.sign(Token(TokenPurpose.UNSUBSCRIBE, False, uid, 1)) for uid in uids)
    return [f"/u/{token}" for token in tokens]


def gone(store: Store) -> set[int]:
    """The uids of readers who must not be mailed."""
    query = select(subscriber.c.uid).join(
        suppression, suppression.c.address_hash == subscriber.c.address_hash
    )
    with store.read() as connection:
        return set(connection.execute(query).scalars())


async def click(address: str, paths: Iterable[str], connections: int) -> list[Answer]:
    """Post to every path once, until the server goes away.

    Args:
        address: ``http://host:port``.
        paths: Each is posted to by one connection.
        connections: How many are open at a time, each with one request under way.
    """
    left = iter(paths)
    answers: list[Answer] = []
    await asyncio.gather(*(_line(address, left, answers) for _ in range(connections)))
    return answers


async def _line(address: str, left: Iterator[str], answers: list[Answer]) -> None:
    place = urlsplit(address)
    with suppress(OSError, asyncio.IncompleteReadError):
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        try:
            await _post_all(reader, writer, place.netloc, left, answers)
        finally:
            writer.close()
            await writer.wait_closed()


async def _post_all(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    host: str,
    left: Iterator[str],
    answers: list[Answer],
) -> None:
    clock = asyncio.get_running_loop().time
    for path in left:
        started = clock()
        writer.write(_request(path, host))
        status = await _read(reader)
        answers.append(Answer(path, status, clock() - started))


def _request(path: str, host: str) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(BODY)}\r\n\r\n"
    )
    return head.encode() + BODY


async def _read(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    assert length, head
    await reader.readexactly(int(length[1]))
    return int(head[9:12])
