"""Two workers find the same dead owner at once."""

from pathlib import Path

import pytest
from sqlalchemy import select

from newsletter.delivery.ledger import leases
from newsletter.delivery.ledger.journal import FileJournal
from newsletter.delivery.ledger.recover import recover
from newsletter.delivery.ledger.tables import chunk
from newsletter.delivery.model import Outcome, Result
from newsletter.store.engine import Store
from tests.integration.delivery.campaigns import NOW, counts, freeze, owner_died


@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
def test_the_journal_stays_until_what_it_proves_is_committed(store: Store, tmp_path: Path) -> None:
    campaign_id = freeze(store, 3)
    lease = leases.claim(store, campaign_id, "dead")
    assert lease
    assert len(leases.reserve_batch(store, lease, 3).deliveries) == 3
    journal = FileJournal(tmp_path / lease.journal, lease.origin)
    journal.begun(1)
    journal.replied(Outcome(1, Result.ACCEPTED, 250))
    journal.close(remove=False)

    with store.engine.connect() as killed_before_its_commit:
        killed_before_its_commit.execute(select(chunk.c.id).with_for_update())
        recover(store, tmp_path)

    recover(store, tmp_path)
    result = counts(store, campaign_id)
    assert (result.accepted, result.queued, result.uncertain) == (1, 2, 0)


def cut_off(store: Store, campaign_id: int, folder: Path, offered: int) -> leases.Lease:
    """An owner that is gone: of what it was offered it had begun all but the last, answered one."""
    lease = leases.claim(store, campaign_id, "gone")
    assert lease
    deliveries = leases.reserve_batch(store, lease, offered).deliveries
    journal = FileJournal(folder / lease.journal, lease.origin)
    for each in deliveries[:-1]:
        journal.begun(each.position)
    journal.replied(Outcome(deliveries[0].position, Result.ACCEPTED, 250))
    journal.close(remove=False)
    return lease


@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
def test_a_journal_speaks_only_of_what_its_own_lease_was_offered(
    store: Store, tmp_path: Path
) -> None:
    first, second, nowhere = (tmp_path / name for name in ("first", "second", "nowhere"))
    campaign_id = freeze(store, 8)
    for folder in (first, second):
        cut_off(store, campaign_id, folder, 3)
        owner_died(store)
        recover(store, nowhere)
    assert counts(store, campaign_id).uncertain == 6

    recover(store, first)
    result = counts(store, campaign_id)
    assert (result.accepted, result.uncertain, result.queued) == (1, 4, 3)
    recover(store, second)
    result = counts(store, campaign_id)
    assert (result.accepted, result.uncertain, result.queued) == (2, 2, 4)
    assert list(first.iterdir()) == list(second.iterdir()) == []


def test_a_journal_of_another_database_is_left(store: Store, tmp_path: Path) -> None:
    campaign_id = freeze(store, 4)
    lease = cut_off(store, campaign_id, tmp_path, 3)
    theirs = FileJournal(tmp_path / "theirs", lease.origin._replace(created_at=NOW + 1))
    theirs.close(remove=False)
    old = tmp_path / "of an earlier version"
    old.write_text("boot 1\nbegun 1\n")
    recover(store, tmp_path)
    recover(store, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == sorted(
        {"theirs", old.name} | {path.name for path in tmp_path.glob("newsletter.db*")}
    )
    assert counts(store, campaign_id).uncertain == 1


def test_a_journal_without_anything_new_is_swept(store: Store, tmp_path: Path) -> None:
    """Whoever took the chunk back was killed between its commit and the removal."""
    campaign_id = freeze(store, 4)
    lease = cut_off(store, campaign_id, tmp_path, 3)
    written = (tmp_path / lease.journal).read_bytes()
    recover(store, tmp_path)
    before = counts(store, campaign_id)
    (tmp_path / lease.journal).write_bytes(written)
    recover(store, tmp_path)
    assert not (tmp_path / lease.journal).exists()
    assert counts(store, campaign_id) == before
