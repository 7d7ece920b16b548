"""A reader who paused is skipped by name: when the audience is frozen, and just before an offer."""

import time

from sqlalchemy import update

from newsletter.audience.consent.preferences import pause, reader
from newsletter.audience.subscribers import Consent, find
from newsletter.audience.tables import subscriber
from newsletter.delivery.ledger.leases import claim, reserve_batch
from newsletter.store.engine import Store
from tests.integration.campaign.test_freeze import frozen, issue, join, reasons
from tests.integration.delivery import campaigns

DAY = 86_400.0


def test_who_paused_is_frozen_as_paused_until_it_ends(store: Store) -> None:
    for name, until in (("on", time.time() + DAY), ("over", time.time() - DAY), ("off", 0.0)):
        join(store, f"{name}@reader.example", "readers")
        with store.write() as connection:
            found = find(connection, f"{name}@reader.example")
            person = reader(connection, found.uid)
            pause(connection, person, until, Consent("test", time.time()))
    found = reasons(frozen(store, issue()))
    assert found == {"on": "paused", "over": "", "off": ""}


def test_a_pause_that_begins_during_the_send_is_honoured(store: Store) -> None:
    campaign_id = campaigns.freeze(store, 3)
    with store.write() as connection:
        second = subscriber.c.uid == 1002
        connection.execute(update(subscriber).where(second).values(paused_until=time.time() + DAY))
    lease = claim(store, campaign_id, "tests")
    assert lease
    offered = reserve_batch(store, lease, 3)
    assert [one.position for one in offered.deliveries] == [1, 3]
