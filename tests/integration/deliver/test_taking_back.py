"""Two workers find the same dead owner at once."""

from pathlib import Path

import pytest
from sqlalchemy import select

from newsletter.deliver import ledger
from newsletter.deliver.journal import FileJournal
from newsletter.deliver.model import Outcome, Result
from newsletter.deliver.recover import recover
from newsletter.store import Store
from newsletter.store.schema import chunk
from tests.integration.deliver.campaigns import counts, freeze


@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
def test_the_journal_stays_until_what_it_proves_is_committed(store: Store, tmp_path: Path) -> None:
    campaign_id = freeze(store, 3)
    lease = ledger.claim(store, campaign_id, "dead")
    assert lease
    assert len(ledger.offer(store, lease, 3).deliveries) == 3
    journal = FileJournal(tmp_path / lease.journal)
    journal.begun(1)
    journal.replied(Outcome(1, Result.ACCEPTED, 250))
    journal.close(remove=False)

    with store.engine.connect() as killed_before_its_commit:
        killed_before_its_commit.execute(select(chunk.c.id).with_for_update())
        recover(store, campaign_id, tmp_path)

    recover(store, campaign_id, tmp_path)
    result = counts(store, campaign_id)
    assert (result.accepted, result.queued, result.uncertain) == (1, 2, 0)
