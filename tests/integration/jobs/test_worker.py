"""A worker whose database goes away for good."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import make_url

from newsletter.audience.keys import Keys
from newsletter.campaign.context import AppContext
from newsletter.campaign.worker import Worker
from newsletter.database.open import open_url
from newsletter.errors import UnavailableError
from newsletter.settings.load import load_settings
from tests.support.postgres import postgres_server

ROOT = Path(__file__).parents[3]
KEYS = Keys(b"s" * 32, b"t" * 32)


def test_it_gives_up_so_that_its_supervisor_notices(tmp_path: Path) -> None:
    settings = load_settings(ROOT / "newsletter.toml").model_copy(update={"root": tmp_path})
    told: list[str] = []
    with postgres_server() as server:
        store = open_url(make_url(server.url(server.fresh_database())))

        async def main() -> None:
            app = AppContext(settings, store, KEYS, "tests")
            worker = Worker(app, tell=told.append, stop=asyncio.Event(), patience=0.5)
            working = asyncio.create_task(worker.run(concurrency=1))
            await asyncio.sleep(0.5)
            await asyncio.to_thread(server.stop)
            async with asyncio.timeout(60):
                await working

        with pytest.raises(UnavailableError, match="cannot be used"):
            asyncio.run(main())
        store.close()
    assert len(told) == 1
