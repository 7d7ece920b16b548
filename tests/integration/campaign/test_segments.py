"""Segments in the database: the same people on both kinds, and nobody mailed twice."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert, select

from newsletter.audience.importing.importer import import_csv
from newsletter.audience.keys import Keys
from newsletter.audience.lists import ensure_list
from newsletter.audience.model import SubscriptionState
from newsletter.audience.segments.model import Condition
from newsletter.audience.segments.parse import parse_segment
from newsletter.audience.segments.sql import where
from newsletter.audience.segments.validate import validate
from newsletter.audience.subscribers import add
from newsletter.audience.tables import subscriber, subscription
from newsletter.campaign.snapshot import AudienceSelection, joined_since_snapshot, skips
from newsletter.errors import InputError, RefusedError, UsageError
from newsletter.store.engine import Store
from tests.integration.campaign.conftest import Office
from tests.support.segments_drawn import LISTS, NOW, PEOPLE, SEGMENTS, Person, holds

KEYS = Keys(b"s" * 32, b"u" * 32)


class _Undo(Exception):
    pass


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(PEOPLE, min_size=1, max_size=4), st.lists(SEGMENTS, min_size=1, max_size=5))
def test_a_database_finds_whom_a_plain_reading_finds(
    store: Store, people: list[Person], segments: list[Condition]
) -> None:
    with suppress(_Undo), store.write() as connection:
        for number, person in enumerate(people):
            _write(connection, number, person)
        for segment in segments:
            expected = [n for n, person in enumerate(people) if holds(segment, person)]
            assert _found(connection, segment) == expected, str(segment)
        raise _Undo


def _write(connection: Connection, number: int, person: Person) -> None:
    row = add(connection, f"{number}@mail.example", KEYS, at=person.joined)
    connection.execute(
        subscriber.update()
        .where(subscriber.c.id == row.id)
        .values(
            first_name=person.first_name,
            last_name=person.last_name,
            language=person.language,
            attributes=person.attributes,
        )
    )
    for name in LISTS:
        which = ensure_list(connection, name, NOW)
        active = name in person.lists
        connection.execute(
            insert(subscription).values(
                list_id=which,
                subscriber_id=row.id,
                state=SubscriptionState.ACTIVE if active else SubscriptionState.UNSUBSCRIBED,
                created_at=person.subscribed,
                updated_at=NOW,
            )
        )


def _found(connection: Connection, segment: Condition) -> list[int]:
    query = (
        select(subscriber.c.email)
        .join(subscription, subscription.c.subscriber_id == subscriber.c.id)
        .where(subscription.c.list_id == ensure_list(connection, "readers", NOW))
        .where(where(segment, NOW))
        .order_by(subscriber.c.id)
    )
    return [int(email.partition("@")[0]) for email in connection.execute(query).scalars()]


ATTACKS = (
    "'; DROP TABLE subscriber; --",
    "x' OR '1'='1",
    '$."x"',
    "%",
    "_______",
    "*",
    "\\",
    ":name",
    "%(name)s",
    "?",
    "{}",
)


@pytest.mark.parametrize("attack", ATTACKS)
def test_sql_in_a_value_is_only_a_value(office: Office, attack: str) -> None:
    quoted = attack.replace("\\", "\\\\").replace('"', '\\"')
    with office.app.store.read() as connection:
        for text in (f'first_name = "{quoted}"', f'attribute.city contains "{quoted}"'):
            condition = parse_segment(text)
            assert skips(connection, AudienceSelection("readers", condition=condition)) == {}
        condition = parse_segment(f'list = "{quoted}"')
        with pytest.raises(UsageError, match="there is no list"):
            validate(connection, f'list = "{quoted}"', condition, "readers")
        assert sum(skips(connection, AudienceSelection("readers")).values()) == 5


def test_what_is_not_there_is_named_with_what_is_near(office: Office) -> None:
    file = office.folder / "cities.csv"
    file.write_text("email,city\na@mail.example,Wien\n", encoding="utf-8")
    office.on_list("sleep", ["a@mail.example"])
    import_csv(
        office.app.store,
        office.app.keys,
        file,
        list_name="readers",
        source="csv",
        declared=["city"],
    )
    for text, near in (("ctiy = Wien", "did you mean city"), ("list = slep", "did you mean sleep")):
        with office.app.store.read() as connection, pytest.raises(UsageError, match=near):
            validate(connection, text, parse_segment(text), "readers")


def segment(*numbers: int) -> AudienceSelection:
    addresses = ", ".join(f'"reader{number}@mail.example"' for number in numbers)
    return AudienceSelection("readers", condition=parse_segment(f"email in ({addresses})"))


def test_overlapping_segments_one_after_the_other_mail_nobody_twice(office: Office) -> None:
    first = office.run(office.open(segment(0, 1, 2)))
    assert (first.tally.audience, first.segment) == (3, segment(0, 1, 2).segment)
    second = office.run(office.open(segment(2, 3)))
    assert second.tally.skipped == {"already-sent": 1}
    whole = office.run(office.open())
    assert whole.tally.skipped == {"already-sent": 4}
    assert len(office.mailed) == len(set(office.mailed)) == 5


@pytest.mark.parametrize(
    "other", [segment(1, 2), AudienceSelection("readers")], ids=["segment", "all"]
)
def test_another_segment_of_an_unfinished_campaign_is_refused(
    office: Office, other: AudienceSelection
) -> None:
    office.interrupted(office.open(segment(0, 1)), after=1)
    with pytest.raises(RefusedError, match=r"reader0.* is sending; this is .*twice"):
        office.open(other)
    office.run(office.open(segment(0, 1)))
    assert sorted(office.mailed) == ["reader0@mail.example", "reader1@mail.example"]


def test_of_two_segments_that_were_asked_about_at_once_one_sends(office: Office) -> None:
    ann, bob = office.open(segment(0, 1)), office.open(segment(1, 2))
    office.run(bob)
    with pytest.raises(RefusedError, match=r"meanwhile|gone"):
        office.run(ann)
    office.run(office.open(segment(0, 1)))
    assert len(office.mailed) == len(set(office.mailed)) == 3


def test_who_comes_into_the_segment_later_is_counted_not_mailed(office: Office) -> None:
    audience = segment(0, 7)
    opened = office.open(audience)
    office.on_list("readers", ["reader7@mail.example", "reader8@mail.example"])
    assert office.run(opened).tally.accepted == 1
    with office.app.store.read() as connection:
        assert joined_since_snapshot(connection, opened.status.campaign_id, audience) == 1


def test_a_segment_of_nobody_is_refused(office: Office) -> None:
    with pytest.raises(InputError, match="nobody is on the list 'readers' and in the segment"):
        office.open(segment(9))
