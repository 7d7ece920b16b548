"""What was answered was committed, even if the server dies in the middle of it."""

import asyncio
from pathlib import Path

from newsletter.audience.tokens import TokenSigner
from newsletter.store.engine import Store
from tests.support.clicks import KEYS, click, gone, links, readers, serving


def test_no_answered_click_is_lost_when_the_server_is_killed(
    store: Store, store_url: str, tmp_path: Path
) -> None:
    uids = readers(store, 20_000)
    by_path = dict(zip(links(TokenSigner(KEYS), uids), uids, strict=True))
    with serving(store_url, tmp_path) as (address, server):

        async def load() -> set[int]:
            asyncio.get_running_loop().call_later(0.7, server.kill)
            answers = await click(address, by_path, 32)
            assert {answer.status for answer in answers} == {200}
            return {by_path[answer.path] for answer in answers}

        answered = asyncio.run(load())
    assert 0 < len(answered) < len(uids)
    left = gone(store)
    assert answered <= left
    assert left < set(uids)
