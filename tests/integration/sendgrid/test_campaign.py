"""A campaign while SendGrid fails in every way: counts add up, nobody is mailed twice."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from newsletter.delivery.runner.runner import run_campaign
from newsletter.errors import UnavailableError
from newsletter.store.engine import Store
from tests.integration.delivery.campaigns import EAGER, counts, freeze
from tests.integration.sendgrid.conftest import MakeBench
from tests.integration.sendgrid.sending import COMPOSER, Bench
from tests.support.sendgrid_fake import FakeSendGrid, Fault, refusal

BAD_DAY = [
    Fault("drop", taken=True),
    refusal(500, "internal server error"),
    refusal(400, "Does not contain a valid address.", "personalizations.4.to.0.email"),
    Fault(),
    refusal(429, "too many requests"),
    Fault(status=413),
    Fault("cut"),
]


def send(on: Bench, store: Store, campaign_id: int, folder: Path) -> None:
    async def main() -> None:
        transport = on.transport()
        try:
            await run_campaign(
                store,
                campaign_id,
                transport,
                COMPOSER,
                owner="tests",
                journal_dir=folder / "journal",
                limits=EAGER,
            )
        finally:
            await transport.close()

    asyncio.run(main())


def test_a_bad_day(bench: MakeBench, server: FakeSendGrid, store: Store, tmp_path: Path) -> None:
    campaign_id = freeze(store, 600, skipped=20, chunk=250)
    server.faults += BAD_DAY
    send(bench(batch=40), store, campaign_id, tmp_path)
    tally = counts(store, campaign_id)
    copies = Counter(one.to for one in server.sent)
    assert set(copies.values()) == {1}
    assert tally.accepted + tally.failed + tally.uncertain == 580
    assert tally.failed == 1
    assert tally.uncertain > 0
    assert tally.accepted <= len(copies) <= tally.accepted + tally.uncertain
    assert not server.faults


def test_a_campaign_continues_after_an_expired_key_is_replaced(
    bench: MakeBench, server: FakeSendGrid, store: Store, tmp_path: Path
) -> None:
    campaign_id = freeze(store, 200)
    on = bench(batch=20, concurrency=1)
    server.faults += [Fault(status=413), *[refusal(401, "expired")] * 50]
    with pytest.raises(UnavailableError, match="SENDGRID_API_KEY"):
        send(on, store, campaign_id, tmp_path)
    before = counts(store, campaign_id)
    assert before.queued == 200
    server.faults.clear()
    send(on, store, campaign_id, tmp_path)
    assert counts(store, campaign_id).accepted == 200
    assert set(Counter(one.to for one in server.sent).values()) == {1}


@pytest.mark.parametrize(
    ("concurrency", "recipients", "calls"), [(1, 2300, [300, 1000, 1000]), (4, 9000, [1000] * 9)]
)
def test_every_call_is_as_full_as_possible(
    bench: MakeBench,
    server: FakeSendGrid,
    store: Store,
    tmp_path: Path,
    concurrency: int,
    recipients: int,
    calls: list[int],
) -> None:
    campaign_id = freeze(store, recipients, chunk=5000)
    send(bench(concurrency=concurrency), store, campaign_id, tmp_path)
    assert sorted(server.calls) == calls
    assert counts(store, campaign_id).accepted == recipients
