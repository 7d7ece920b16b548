"""A frozen campaign in a real database file."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, update

from newsletter.audience.tables import mailing_list, subscriber, subscription, suppression
from newsletter.campaign.tables import compiled_issue
from newsletter.delivery.ledger.chunks import plan
from newsletter.delivery.ledger.outcomes import OutcomeCounts, count_outcomes, delivery_outcomes
from newsletter.delivery.ledger.retry import RetryPolicy
from newsletter.delivery.ledger.tables import campaign, chunk, delivery
from newsletter.delivery.model import Delivery, Message, Transport
from newsletter.delivery.runner.runner import SendLimits, run_campaign
from newsletter.store.engine import Store

NOW = 1_790_000_000.0
AT_ONCE = SendLimits(patience=0.0)
EAGER = SendLimits(patience=5.0, retry=RetryPolicy(first_delay=0.0, factor=1.0, longest_delay=0.0))


def hash_of(position: int) -> bytes:
    return position.to_bytes(32, "big")


def freeze(store: Store, people: int, *, skipped: int = 0, chunk: int = 5000) -> int:
    """A campaign in state sending to so many people, the last of whom are skipped."""
    with store.write() as connection:
        connection.execute(
            insert(compiled_issue).values(digest="d", slug="s", payload=b"", created_at=NOW)
        )
        connection.execute(insert(mailing_list).values(id=1, name="readers", created_at=NOW))
        made = connection.execute(
            insert(campaign).values(
                slug="s",
                audience="readers",
                digest="d",
                state="sending",
                transport="memory",
                created_by="tests",
                created_at=NOW,
            )
        )
        campaign_id = int(made.inserted_primary_key[0])  # type: ignore[index]
        everyone = [_person(position) for position in range(1, people + 1)]
        connection.execute(insert(subscriber), everyone)
        connection.execute(
            insert(subscription),
            [
                {
                    "list_id": 1,
                    "subscriber_id": each["id"],
                    "state": "active",
                    "created_at": NOW,
                    "updated_at": NOW,
                }
                for each in everyone
            ],
        )
        connection.execute(
            insert(delivery), [_frozen(campaign_id, each, people - skipped) for each in everyone]
        )
        plan(connection, campaign_id, chunk)
    return campaign_id


def _person(position: int) -> dict[str, Any]:
    address = f"reader{position}@mail.example"
    return {
        "id": position,
        "uid": 1000 + position,
        "email": address,
        "email_key": address,
        "address_hash": hash_of(position),
        "first_name": f"Reader {position}",
        "last_name": "",
        "attributes": {"city": "Ulm"},
        "created_at": NOW,
        "updated_at": NOW,
    }


def _frozen(campaign_id: int, person: dict[str, Any], last_mailable: int) -> dict[str, Any]:
    names = ("email", "email_key", "address_hash", "first_name", "last_name", "attributes")
    return {
        **{name: person[name] for name in names},
        "campaign_id": campaign_id,
        "position": person["id"],
        "subscriber_uid": person["uid"],
        "variant": 0,
        "skipped": "" if person["id"] <= last_mailable else "bounced",
    }


def compose(each: Delivery) -> Message:
    return Message("news@clinic.example", each.email, f"Message {each.position}\r\n".encode())


def run(
    store: Store,
    campaign_id: int,
    transport: Transport,
    journal_dir: Path,
    *,
    limits: SendLimits = AT_ONCE,
    **options: Any,
) -> None:
    async def main() -> None:
        await run_campaign(
            store,
            campaign_id,
            transport,
            compose,
            owner="tests",
            journal_dir=journal_dir,
            limits=limits,
            **options,
        )

    asyncio.run(main())


def run_beside(
    workers: Sequence[tuple[Store, Transport]], campaign_id: int, folder: Path, limits: SendLimits
) -> None:
    """Several workers at one campaign, each over its own connection and transport; all closed."""

    async def main() -> None:
        await asyncio.gather(
            *(
                run_campaign(
                    own,
                    campaign_id,
                    transport,
                    compose,
                    owner=f"worker {number}",
                    journal_dir=folder / str(number),
                    limits=limits,
                )
                for number, (own, transport) in enumerate(workers)
            )
        )

    asyncio.run(main())
    for own, _ in workers:
        own.close()


def counts(store: Store, campaign_id: int) -> OutcomeCounts:
    """The tally, held against what the report says of each person and against the audience."""
    with store.read() as connection:
        result = count_outcomes(connection, campaign_id)
        fates = list(delivery_outcomes(connection, campaign_id))
    by_state = Counter(fate.state for fate in fates)
    reasons = Counter(fate.reply for fate in fates if fate.state == "skipped")
    assert len(fates) == result.audience
    for state in ("accepted", "deferred", "failed", "uncertain", "queued"):
        assert getattr(result, state) == by_state[state], state
        assert getattr(result, state) >= 0
    assert dict(result.skipped) == dict(reasons)
    return result


def suppress(store: Store, position: int, reason: str = "unsubscribed") -> None:
    with store.write() as connection:
        connection.execute(
            insert(suppression).values(
                address_hash=hash_of(position), reason=reason, source="test", at=NOW
            )
        )


def unsubscribe(store: Store, position: int) -> None:
    with store.write() as connection:
        connection.execute(
            update(subscription)
            .where(subscription.c.subscriber_id == position)
            .values(state="unsubscribed")
        )


def set_state(store: Store, campaign_id: int, state: str) -> None:
    with store.write() as connection:
        connection.execute(update(campaign).where(campaign.c.id == campaign_id).values(state=state))


def due_now(store: Store) -> None:
    """Let every waiting chunk be due."""
    with store.write() as connection:
        connection.execute(update(chunk).values(due_at=0))


def owner_died(store: Store) -> None:
    """Let leases run out; SQLite asks the sending lock instead, which nobody holds."""
    with store.write() as connection:
        connection.execute(update(chunk).values(lease_until=0))


def chunk_states(store: Store) -> list[tuple[str, str]]:
    with store.read() as connection:
        rows = connection.execute(select(chunk.c.kind, chunk.c.state).order_by(chunk.c.id))
        return [(row.kind, row.state) for row in rows]
