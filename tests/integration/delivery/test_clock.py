"""The clock of a PostgreSQL server that is set back while a campaign is under way."""

from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from newsletter.database.open import open_url
from newsletter.delivery.ledger import leases
from newsletter.delivery.ledger.leases import LEASE_S
from newsletter.delivery.ledger.rate import Rates
from newsletter.delivery.ledger.recover import recover
from newsletter.delivery.ledger.tables import chunk
from newsletter.delivery.model import Outcome, Result
from newsletter.store.engine import Store
from newsletter.transports.memory import MemoryTransport
from tests.integration.delivery.campaigns import counts, freeze, run

HOUR, DAY = 3600, 86400
MOVABLE = """
CREATE TABLE clock (seconds double precision);
INSERT INTO clock VALUES (0);
CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
'SELECT pg_catalog.clock_timestamp() + make_interval(secs => seconds) FROM public.clock'
"""


@pytest.fixture
def movable(store_url: str) -> Store:
    """A database whose clock the test sets: its own function is found before the server's."""
    name = make_url(store_url).database
    plain = open_url(make_url(store_url))
    with plain.write() as connection:
        for statement in MOVABLE.split(";"):
            connection.execute(text(statement))
        connection.execute(text(f"ALTER DATABASE {name} SET search_path = public, pg_catalog"))
    plain.close()
    return open_url(make_url(store_url))


def set_clock(store: Store, seconds: float) -> None:
    with store.write() as connection:
        connection.execute(text("UPDATE clock SET seconds = :by"), {"by": seconds})


@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
@pytest.mark.parametrize("back", [HOUR, 10 * DAY])
def test_set_back_nothing_freezes_and_nobody_is_lost(
    movable: Store, tmp_path: Path, back: float
) -> None:
    campaign_id = freeze(movable, 40, chunk=10)
    rates = Rates("memory", 5.0, {})
    gone = leases.claim(movable, campaign_id, "gone")
    alive = leases.claim(movable, campaign_id, "alive")
    assert gone
    assert alive
    assert leases.reserve_batch(movable, gone, 5, (), rates).deliveries
    given = leases.reserve_batch(movable, alive, 5).deliveries
    set_clock(movable, -back)

    sent = [Outcome(each.position, Result.ACCEPTED, 250) for each in given]
    sent[0] = Outcome(sent[0].position, Result.DEFERRED, 451)
    assert not leases.reserve_batch(movable, alive, 5, sent, rates).halted
    with movable.read() as connection:
        before = movable.now(connection)
    recover(movable, tmp_path)
    with movable.read() as connection:
        ends = connection.execute(chunk.select().where(chunk.c.id == gone.chunk_id)).one()
    assert ends.lease_until <= before + 2 * LEASE_S
    leases.release(movable, alive, [])
    set_clock(movable, 2 * LEASE_S - back)

    transport = MemoryTransport()
    run(movable, campaign_id, transport, tmp_path)
    result = counts(movable, campaign_id)
    movable.close()
    got = [position for position, _ in transport.sent]
    assert len(got) == len(set(got))
    assert not {each.position for each in sent[1:]} & set(got)
    assert (result.queued, result.deferred) == (0, 1)
    assert result.accepted + result.uncertain == 39
    assert result.uncertain <= 5


@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
def test_a_retry_does_not_wait_for_the_days_by_which_the_clock_was_set_back(
    movable: Store, tmp_path: Path
) -> None:
    campaign_id = freeze(movable, 2)
    lease = leases.claim(movable, campaign_id, "tests")
    assert lease
    given = leases.reserve_batch(movable, lease, 5).deliveries
    put_off = [Outcome(each.position, Result.DEFERRED, 451) for each in given]
    leases.finish(movable, lease, put_off)
    run(movable, campaign_id, MemoryTransport(), tmp_path)
    assert counts(movable, campaign_id).deferred == 2

    set_clock(movable, -10 * DAY)
    run(movable, campaign_id, MemoryTransport(), tmp_path)
    assert counts(movable, campaign_id).accepted == 2
    movable.close()
