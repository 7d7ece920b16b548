"""Copying keeps every value, numbers on, and never mixes two databases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event, insert, make_url, select, update

from newsletter.audience.tables import mailing_list, subscriber
from newsletter.database.copy import copy
from newsletter.database.open import open_url
from newsletter.delivery.ledger.states import AT_REST, TRANSITIONS
from newsletter.delivery.ledger.tables import campaign, chunk
from newsletter.errors import InputError, RefusedError
from newsletter.queues.tables import outgoing_message
from newsletter.store.engine import Store
from tests.integration.store.rows import contents, counts, fill

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
NUMBER = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUE = st.none() | st.booleans() | NUMBER | TEXT
JSON = VALUE | st.lists(VALUE, max_size=3) | st.dictionaries(TEXT, VALUE, max_size=3)
PEOPLE = st.lists(
    st.fixed_dictionaries(
        {
            "uid": st.integers(0, 2**63 - 1),
            "email": TEXT,
            "email_key": TEXT,
            "address_hash": st.binary(max_size=40),
            "first_name": TEXT,
            "attributes": st.dictionaries(TEXT, JSON, max_size=3),
            "created_at": st.floats(0, 1e12),
            "updated_at": st.floats(0, 1e12),
        }
    ),
    min_size=1,
    max_size=10,
    unique_by=(lambda row: row["uid"], lambda row: row["email_key"]),
)


@pytest.fixture
def back(tmp_path: Path) -> Store:
    """Another SQLite file, to come back to."""
    return open_url(make_url(f"sqlite:///{tmp_path / 'back.db'}"))


def test_there_and_back_again_every_row_is_the_same(
    sqlite: Store, server: Store, back: Store
) -> None:
    fill(sqlite)
    told: list[tuple[int, int]] = []
    rows = copy(sqlite, server, lambda done, total: told.append((done, total)))
    assert rows == counts(sqlite)
    assert min(rows.values()) > 0
    assert told[-1] == (2 * sum(rows.values()),) * 2
    assert contents(server) == contents(sqlite)
    assert copy(server, back) == rows
    assert contents(back) == contents(sqlite)
    back.close()


@given(PEOPLE)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_reader_is_called(
    sqlite: Store, server: Store, people: list[dict[str, object]]
) -> None:
    for store in (sqlite, server):
        with store.write() as connection:
            connection.execute(delete(subscriber))
    with sqlite.write() as connection:
        connection.execute(insert(subscriber), people)
    copy(sqlite, server)
    assert contents(server) == contents(sqlite)


def test_new_rows_are_numbered_after_the_copied_ones(sqlite: Store, server: Store) -> None:
    fill(sqlite)
    copy(sqlite, server)
    with server.write() as connection:
        connection.execute(insert(mailing_list).values(name="new", created_at=1.0))
        ids = connection.execute(select(mailing_list.c.id)).scalars().all()
        made = connection.execute(
            select(mailing_list.c.id).where(mailing_list.c.name == "new")
        ).scalar_one()
    assert made == max(ids)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("table", ["subscriber", "chunk"])
def test_a_target_with_rows_is_refused_and_stays_as_it_is(
    sqlite: Store, server: Store, table: str
) -> None:
    fill(sqlite)
    fill(server)
    before = contents(server)
    with pytest.raises(RefusedError, match="not empty"):
        copy(sqlite, server)
    assert contents(server) == before


def test_an_empty_source_is_a_mistake(sqlite: Store, server: Store) -> None:
    with pytest.raises(InputError, match="nothing to copy"):
        copy(sqlite, server)


def test_a_sending_campaign_is_refused(sqlite: Store, server: Store) -> None:
    fill(sqlite)
    with sqlite.write() as connection:
        connection.execute(update(campaign).where(campaign.c.id == 1001).values(state="sending"))
    with pytest.raises(RefusedError, match=r"campaign 1001 is sending.*pause 1001"):
        copy(sqlite, server)
    assert set(counts(server).values()) == {0}
    assert contents(server) != contents(sqlite)


def test_a_confirmation_that_is_being_sent_is_waited_for(sqlite: Store, server: Store) -> None:
    fill(sqlite)
    first = outgoing_message.c.id == 1
    with sqlite.write() as connection:
        soon = sqlite.now(connection) + 60
        leased = {"state": "sending", "lease_until": soon}
        connection.execute(update(outgoing_message).where(first).values(**leased))
    with pytest.raises(RefusedError, match=r"welcome message is being sent.*`serve`"):
        copy(sqlite, server)
    with sqlite.write() as connection:
        connection.execute(update(outgoing_message).where(first).values(lease_until=soon - 120))
    copy(sqlite, server)
    assert contents(server) == contents(sqlite)


def test_the_last_messages_of_a_paused_campaign_are_waited_for(
    sqlite: Store, server: Store
) -> None:
    fill(sqlite)
    with sqlite.write() as connection:
        soon = sqlite.now(connection) + 60
        connection.execute(update(chunk).values(state="leased", lease_until=soon))
    with pytest.raises(RefusedError, match="last messages"):
        copy(sqlite, server)


def test_a_campaign_that_starts_meanwhile_undoes_the_copy(sqlite: Store, server: Store) -> None:
    fill(sqlite)

    def start(_done: int, _total: int) -> None:
        with sqlite.write() as connection:
            connection.execute(update(campaign).values(state="sending"))

    with pytest.raises(RefusedError, match="is sending"):
        copy(sqlite, server, start)
    assert set(counts(server).values()) == {0}


def test_every_state_of_a_campaign_is_judged() -> None:
    assert set(TRANSITIONS) - set(AT_REST) == {"sending", "scheduled"}


@pytest.mark.parametrize("store_url", ["postgres", "sqlite"], indirect=True)
def test_the_copy_is_of_one_moment(store: Store, tmp_path: Path) -> None:
    target = open_url(make_url(f"sqlite:///{tmp_path / 'copy.db'}"))
    fill(store)
    before = contents(store)

    def write_meanwhile(_done: int, _total: int) -> None:
        with store.write() as connection:
            connection.execute(delete(subscriber))
            connection.execute(delete(chunk))

    copy(store, target, write_meanwhile)
    assert contents(target) == before
    assert contents(store) != before
    target.close()


def test_what_the_target_cannot_hold_is_named_and_nothing_is_kept(
    sqlite: Store, server: Store
) -> None:
    fill(sqlite)
    with sqlite.write() as connection:
        connection.execute(update(subscriber).values(last_name="a\0b"))
    with pytest.raises(InputError, match=r"subscriber does not fit.*NUL"):
        copy(sqlite, server)
    assert set(counts(server).values()) == {0}


def test_a_copy_that_differs_is_found(sqlite: Store, back: Store) -> None:
    fill(sqlite)
    with back.engine.connect() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER spoil AFTER INSERT ON subscriber WHEN new.id = 2001 "
            "BEGIN UPDATE subscriber SET first_name = 'x' WHERE id = new.id; END"
        )
        connection.commit()
    with pytest.raises(InputError, match="copy of the table subscriber differs"):
        copy(sqlite, back)
    assert set(counts(back).values()) == {0}
    back.close()


def test_memory_stays_flat(server: Store, sqlite: Store) -> None:
    """The server's rows come through a cursor of its own, a batch at a time."""
    people = [
        {
            "uid": number,
            "email": f"r{number}@mail.example",
            "email_key": f"r{number}@mail.example",
            "address_hash": b"",
            "created_at": 1.0,
            "updated_at": 1.0,
        }
        for number in range(5001)
    ]
    with server.write() as connection:
        connection.execute(insert(subscriber), people)
    cursors: list[str] = []
    sizes: list[int] = []
    note: Callable[..., None] = lambda *args: cursors.append(type(args[1]).__name__)  # noqa: E731
    event.listen(server.engine, "before_cursor_execute", note)
    copy(server, sqlite, lambda done, _total: sizes.append(done))
    assert "ServerCursor" in cursors
    assert sizes[:3] == [2000, 4000, 5001]
