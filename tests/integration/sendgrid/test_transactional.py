"""Confirmations over SendGrid: owed, sent, and sent again where nobody knows."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select, update

from newsletter.queues.outgoing import NewMessage, enqueue
from newsletter.queues.tables import outgoing_message
from newsletter.settings.model import Publication, Sendgrid, Settings
from newsletter.store.engine import Store
from newsletter.transactional.drain import Drain
from tests.support.clicks import KEYS, PROJECT
from tests.support.sendgrid_fake import KEY, FakeSendGrid, Fault

NEW = "new@reader.example"
BASE = "https://news.clinic.example"


@pytest.fixture
def drain(server: FakeSendGrid, store: Store, tmp_path: Path) -> Drain:
    """Over the stand-in, with one confirmation owed."""
    with store.write() as connection:
        at = store.now(connection)
        details = {"lists": ["readers"], "language": "en"}
        owed = NewMessage("join", NEW, NEW, "en", "sendgrid", at + 3600.0, details=details)
        enqueue(connection, owed, at)
    publication = Publication(
        name="The letter",
        from_name="The Clinic",
        from_address="letter@clinic.example",
        list_id="letter.clinic.example",
        public_url=BASE,
        postal_address="1 Sample Street",
    )
    settings = Settings(
        publication=publication,
        root=PROJECT,
        var_dir=tmp_path,
        transport="sendgrid",
        sendgrid=Sendgrid(host=server.url, timeout=10.0),
        sendgrid_api_key=SecretStr(KEY),
    )
    return Drain(store, KEYS, settings)


def left(store: Store) -> int:
    with store.read() as connection:
        query = select(func.count()).select_from(outgoing_message)
        return int(connection.execute(query).scalar_one())


def test_it_carries_the_link_and_names_no_campaign(
    drain: Drain, server: FakeSendGrid, store: Store
) -> None:
    asyncio.run(drain.once())
    (sent,) = server.sent
    assert sent.to == NEW
    assert f"{BASE}/confirm/" in sent.text
    assert f"{BASE}/confirm/" in sent.html
    assert sent.headers == {"Auto-Submitted": "auto-generated"}
    assert sent.custom_args["campaign"] == "0"
    assert left(store) == 0


def test_a_call_without_an_answer_is_made_again(
    drain: Drain, server: FakeSendGrid, store: Store
) -> None:
    server.faults.append(Fault("drop", taken=True))

    async def twice() -> None:
        await drain.once()
        assert left(store) == 1
        with store.write() as connection:
            connection.execute(update(outgoing_message).values(due_at=1.0))
        await drain.once()

    asyncio.run(twice())
    first, second = server.sent
    assert first.text == second.text
    assert left(store) == 0
