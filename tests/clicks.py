"""Readers by the thousand who leave: RFC 8058 POSTs over connections that are kept open."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy import insert, select

from newsletter.audience import Token, TokenPurpose, TokenSigner
from newsletter.store import Store
from newsletter.store.schema import mailing_list, subscriber, subscription

BODY = b"List-Unsubscribe=One-Click"
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one path was answered, and after how many seconds."""

    path: str
    status: int
    seconds: float


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
    loop = asyncio.get_running_loop()
    try:
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        for path in left:
            started = loop.time()
            writer.write(_request(path, place.netloc))
            status = await _read(reader)
            answers.append(Answer(path, status, loop.time() - started))
        writer.close()
    except (OSError, asyncio.IncompleteReadError):
        return


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
