"""Freezing an audience, on both databases: everyone has a row, with the reason not to be mailed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import insert, select

from newsletter.audience.keys import Keys
from newsletter.audience.model import SubscriptionState, SuppressionReason
from newsletter.audience.subscribers import Consent, add, subscribe
from newsletter.audience.suppression import suppress
from newsletter.audience.tables import import_member, subscriber
from newsletter.campaign.approval import keep
from newsletter.campaign.preflight import has_only_reserved_domains, require_merge_values
from newsletter.campaign.snapshot import (
    AudienceSelection,
    SnapshotCounts,
    take_snapshot,
)
from newsletter.delivery.ledger.outcomes import count_outcomes
from newsletter.delivery.ledger.states import CampaignState, transition
from newsletter.delivery.ledger.tables import attempt, campaign, chunk, delivery
from newsletter.errors import InputError, RefusedError
from newsletter.render.model import CompiledIssue, Part, Sender, Slot, SlotKind, Variant
from newsletter.store.engine import Store

KEYS = Keys(b"s" * 32, b"u" * 32)
NOTHING = Part(("",))
SENDER = Sender("The Clinic", "a@clinic.example", "", "l.clinic.example", "L", "https://c.example")
AT = 1_790_000_000.0


def issue(*topics: frozenset[str], field: str = "", slug: str = "spring") -> CompiledIssue:
    """A compiled issue with a variant for each set of topics, and one merge field at most."""
    text = Part(("", ""), (Slot(field, SlotKind.TEXT),)) if field else NOTHING
    variants = tuple(
        Variant(each, NOTHING, NOTHING, NOTHING, text) for each in topics or (frozenset(),)
    )
    return CompiledIssue(slug, "en", "2026-05-01", "T", SENDER, variants, (), "", f"of {slug}")


def join(
    store: Store, name: str, *lists: str, state: SubscriptionState = SubscriptionState.ACTIVE
) -> None:
    with store.write() as connection:
        person = add(connection, name, KEYS, at=AT, first_name=name.partition("@")[0])
        for each in lists:
            subscribe(connection, person, each, Consent("form", AT), state=state)


def start(store: Store, compiled: CompiledIssue) -> int:
    with store.write() as connection:
        keep(connection, compiled, AT)
        made = connection.execute(
            insert(campaign).values(
                slug=compiled.slug,
                audience="readers",
                digest=compiled.digest,
                state="approved",
                transport="memory",
                created_by="tests",
                created_at=AT,
            )
        )
        return int(made.inserted_primary_key[0])  # type: ignore[index]


def freeze(
    store: Store, compiled: CompiledIssue, *, batch: str = "", again: bool = False
) -> tuple[int, SnapshotCounts]:
    campaign_id = start(store, compiled)
    audience = AudienceSelection("readers", batch)
    with store.write() as connection:
        return campaign_id, take_snapshot(connection, campaign_id, audience, compiled, again=again)


def frozen(
    store: Store, compiled: CompiledIssue, *, batch: str = "", again: bool = False
) -> dict[str, tuple[int, int, str]]:
    """Freeze a new campaign: position, variant and reason by address."""
    campaign_id, counts = freeze(store, compiled, batch=batch, again=again)
    with store.read() as connection:
        found = connection.execute(
            select(delivery)
            .where(delivery.c.campaign_id == campaign_id)
            .order_by(delivery.c.position)
        ).all()
        # Nothing was tried yet: what the snapshot counted is what counting everything finds.
        assert counts.outcomes == count_outcomes(connection, campaign_id)
    assert [row.position for row in found] == list(range(1, counts.outcomes.audience + 1))
    return {row.email: (row.position, row.variant, row.skipped) for row in found}


def reasons(found: dict[str, tuple[int, int, str]]) -> dict[str, str]:
    return {email.partition("@")[0]: reason for email, (_, _, reason) in found.items()}


def test_everyone_on_the_list_is_there_and_the_weightiest_reason_counts(store: Store) -> None:
    join(store, "stays@mail.example", "readers")
    join(store, "pending@mail.example", "readers", state=SubscriptionState.PENDING)
    join(store, "left@mail.example", "readers", state=SubscriptionState.UNSUBSCRIBED)
    join(store, "elsewhere@mail.example", "others")
    join(store, "unlucky@mail.example", "readers")
    with store.write() as connection:
        hashed = connection.execute(
            select(subscriber.c.address_hash).where(subscriber.c.first_name == "unlucky")
        ).scalar_one()
        for reason in (SuppressionReason.MANUAL, SuppressionReason.COMPLAINED):
            suppress(connection, hashed, reason, "tests", AT)
    assert reasons(frozen(store, issue())) == {
        "stays": "",
        "pending": "unconfirmed",
        "left": "unsubscribed",
        "unlucky": "complained",
    }


def test_only_the_rows_of_one_file(store: Store) -> None:
    for name in ("a@mail.example", "b@mail.example", "c@mail.example"):
        join(store, name, "readers")
    with store.write() as connection:
        ids = connection.execute(
            select(subscriber.c.id).where(subscriber.c.first_name.in_(["a", "c"]))
        ).scalars()
        rows = [{"batch": "file", "subscriber_id": each} for each in ids]
        connection.execute(insert(import_member), rows)
    assert list(reasons(frozen(store, issue(), batch="file"))) == ["a", "c"]


def test_each_reader_gets_the_variant_of_the_topics_they_follow(store: Store) -> None:
    join(store, "none@mail.example", "readers")
    join(store, "pain@mail.example", "readers", "pain")
    join(store, "both@mail.example", "readers", "pain", "sleep-well")
    join(store, "late@mail.example", "readers")
    with store.write() as connection:
        person = add(connection, "late@mail.example", KEYS, at=AT)
        subscribe(connection, person, "pain", Consent("x", AT), state=SubscriptionState.PENDING)
    sets: Sequence[frozenset[str]] = (
        frozenset(),
        frozenset({"pain"}),
        frozenset({"sleep-well"}),
        frozenset({"pain", "sleep-well"}),
    )
    found = frozen(store, issue(*sets))
    variants = {email.partition("@")[0]: variant for email, (_, variant, _) in found.items()}
    assert variants == {"none": 0, "pain": 1, "both": 3, "late": 0}
    _, counts = freeze(store, issue(*sets))
    assert counts.variants == {0: 2, 1: 1, 3: 1}


def test_who_has_the_issue_is_skipped_unless_it_is_sent_again(store: Store) -> None:
    for name in ("has@mail.example", "not@mail.example", "maybe@mail.example"):
        join(store, name, "readers")
    first = start(store, issue())
    with store.write() as connection:
        take_snapshot(connection, first, AudienceSelection("readers"), issue(), again=False)
        made = connection.execute(
            insert(chunk).values(
                campaign_id=first, kind="first", first=1, last=3, offered=3, state="done"
            )
        )
        chunk_id = made.inserted_primary_key[0]  # type: ignore[index]
        results = enumerate(("accepted", "failed", "uncertain"), start=1)
        connection.execute(
            insert(attempt),
            [
                {"campaign_id": first, "position": at, "chunk_id": chunk_id, "result": r, "at": AT}
                for at, r in results
            ],
        )
    expected = {"has": "already-sent", "not": "", "maybe": "already-sent"}
    assert reasons(frozen(store, issue())) == expected
    assert set(reasons(frozen(store, issue(), again=True)).values()) == {""}
    assert set(reasons(frozen(store, issue(slug="summer"))).values()) == {""}


def test_a_list_that_is_not_there_or_has_nobody_is_refused(store: Store) -> None:
    with pytest.raises(InputError, match="no list 'readers'"):
        frozen(store, issue())
    join(store, "elsewhere@mail.example", "readers")
    with pytest.raises(InputError, match="nobody is on the list"):
        frozen(store, issue(slug="summer"), batch="of no file")


@pytest.mark.parametrize(
    ("field", "lacking"), [("first_name", 0), ("last_name", 2), ("city", 1), ("colour", 2)]
)
def test_a_value_that_a_reader_lacks_is_counted(store: Store, field: str, lacking: int) -> None:
    join(store, "a@mail.example", "readers")
    join(store, "b@mail.example", "readers")
    with store.write() as connection:
        for name, attributes in (("a", {"city": "Köln"}), ("b", {"city": " ", "colour": None})):
            connection.execute(
                subscriber.update()
                .where(subscriber.c.first_name == name)
                .values(attributes=attributes)
            )
    compiled = issue(field=field)
    campaign_id = start(store, compiled)
    with store.write() as connection:
        take_snapshot(connection, campaign_id, AudienceSelection("readers"), compiled, again=False)
        if not lacking:
            require_merge_values(connection, compiled, campaign_id)
            return
        with pytest.raises(RefusedError, match=rf"{lacking} recipients? ha(s|ve) no {field}"):
            require_merge_values(connection, compiled, campaign_id)


@pytest.mark.parametrize(
    ("address", "reserved"),
    [("a@b.example", True), ("a@b.test", True), ("a@clinic-of-ours.org", False)],
)
def test_one_real_address_is_enough_to_reach_people(
    store: Store, address: str, reserved: bool
) -> None:
    join(store, "first@mail.example", "readers")
    join(store, address, "readers")
    campaign_id = start(store, issue())
    with store.write() as connection:
        take_snapshot(connection, campaign_id, AudienceSelection("readers"), issue(), again=False)
        assert has_only_reserved_domains(connection, campaign_id) is reserved


def test_a_state_changes_once_and_says_who_did_it(store: Store) -> None:
    campaign_id = start(store, issue())
    with store.write() as connection:
        transition(connection, campaign_id, CampaignState.SENDING, by="anna", now=AT)
    with store.write() as connection, pytest.raises(RefusedError, match="already sending"):
        transition(connection, campaign_id, CampaignState.SENDING, by="anna", now=AT)
    with store.read() as connection:
        state = connection.execute(select(campaign.c.state)).scalar_one()
    assert state == "sending"
