"""A column that nobody said anything about stops an import: it may say that people left."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from newsletter.audience.address import address_hash
from newsletter.audience.importing.answers import read_consent
from newsletter.audience.importing.importer import import_csv
from newsletter.audience.importing.unmapped import UnmappedColumnsError
from newsletter.audience.model import SuppressionReason
from newsletter.audience.tables import import_member, subscriber, suppression
from newsletter.errors import InputError
from tests.integration.audience.imports import Importer

CsvFile = Callable[..., Path]
GHOST = (
    "id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,created_at,"
    "deleted_at,labels,tiers",
    "1,stays@mail.example,Ann Tester,,true,false,,2024-05-01T10:00:00.000Z,,,",
    "2,left@mail.example,Ben Tester,,false,false,,2024-05-02T10:00:00.000Z,,,",
)
MAUTIC = ("email,doNotEmail", "stays@mail.example,0", "left@mail.example,1")
PHPLIST = (
    "email,confirmed,blacklisted,htmlemail,uniqid",
    "stays@mail.example,1,0,1,aa",
    "left@mail.example,1,1,1,bb",
    "never@mail.example,0,0,1,cc",
)
GUESSES = {
    GHOST: {
        "id": "ignore", "name": "ignore", "note": "ignore", "subscribed_to_emails": "consent",
        "complimentary_plan": "ignore", "stripe_customer_id": "ignore", "deleted_at": "opt-out",
        "labels": "ignore", "tiers": "ignore",
    },
    MAUTIC: {"doNotEmail": "opt-out"},
    PHPLIST: {
        "confirmed": "consent", "blacklisted": "opt-out", "htmlemail": "ignore", "uniqid": "ignore",
    },
}  # fmt: skip


def asked(app: Importer, path: Path, **options: object) -> UnmappedColumnsError:
    """What an import asks; that it changes nothing is made sure of."""
    before = app.contents()
    with pytest.raises(UnmappedColumnsError) as caught:
        app.take(path, **options)
    assert app.contents() == before
    return caught.value


@pytest.mark.parametrize("lines", GUESSES, ids=["ghost", "mautic", "phplist"])
def test_exports_that_nobody_taught_us_are_asked_about_and_the_guesses_hold(
    app: Importer, csv_file: CsvFile, lines: tuple[str, ...]
) -> None:
    path = csv_file(*lines)
    error = asked(app, path)
    assert {one.column: one.guess for one in error.columns} == GUESSES[lines]
    assert not path.with_suffix(".rejects.csv").exists()
    uses = [f"{one.column}={one.guess}" for one in error.columns]
    report = app.take(path, uses=uses)
    assert (report.added, report.newly_suppressed) == (1, len(lines) - 2)
    known = app.show("stays@mail.example")
    assert known["lists"] == {"readers": "active"}
    assert known["attributes"] == {}
    assert app.show("left@mail.example")["suppressed"] == ["unsubscribed"]
    assert app.take(path, uses=uses).unchanged == len(lines) - 1


def test_the_question_shows_values_and_guesses_and_what_to_type(
    app: Importer, csv_file: CsvFile
) -> None:
    path = csv_file(
        "email,Newsletter?,black list,note,",
        "a@b.example,yes,,asked to be removed,",
        "b@b.example,yes,1,,",
        f"c@b.example,,,{'long ' * 20},",
    )
    error = asked(app, path)
    assert error.exit_code == 1
    lines = str(error).splitlines()
    assert lines[0].endswith("readers.csv:1: 3 columns are unknown, so nothing was imported")
    assert [line.split() for line in lines[2:4]] == [
        ["Newsletter?", "'yes'", "2,", "(blank)", "1", "consent"],
        ["black", "list", "(blank)", "2,", "'1'", "1", "opt-out:", "yes", "means", "no", "mail"],
    ]
    assert "consent, because of 'asked to be removed'" in lines[4]
    assert lines[-1].strip() == (
        "--column 'Newsletter?=consent' --column 'black list=opt-out' --column note=consent"
    )
    assert all(len(line) < 130 for line in lines[1:])
    told = json.loads(json.dumps(error.as_json()))
    assert told["columns"][0] == {
        "column": "Newsletter?",
        "values": [{"value": "yes", "rows": 2}, {"value": "", "rows": 1}],
        "others": False,
        "guess": "consent",
        "because": "",
    }


def test_a_yes_or_no_under_a_name_that_we_cannot_read_may_be_the_consent(
    app: Importer, csv_file: CsvFile
) -> None:
    path = csv_file("email,zgoda,uwagi", "a@b.example,1,", "b@b.example,0,x")
    first, second = asked(app, path).columns
    assert (first.guess, first.because, second.guess) == ("consent", "1", "ignore")
    path = csv_file("email,zgoda,optin", "a@b.example,1,1", "b@b.example,0,1")
    assert [one.guess for one in asked(app, path).columns] == ["ignore", "consent"]


def test_a_dry_run_and_every_format_ask_too(app: Importer, csv_file: CsvFile) -> None:
    header = "uuid,email,name,attributes,status,created_at,updated_at,optout"
    path = csv_file(header, "u1,a@b.example,Anna,{},enabled,,,yes")
    (column,) = asked(app, path, dry_run=True).columns
    assert (column.column, column.guess) == ("optout", "opt-out")
    assert app.take(path, uses=["optout=opt-out"]).newly_suppressed == 1


def test_only_a_clear_yes_is_added_and_the_others_are_counted_by_value(
    app: Importer, csv_file: CsvFile, tmp_path: Path
) -> None:
    cells = ["Yes", "no", "", "maybe", "2024-01-01", "maybe"]
    path = csv_file("email,news", *(f"r{n}@b.example,{cell}" for n, cell in enumerate(cells)))
    rejects = tmp_path / "rejects.csv"
    report = app.take(path, uses=["news=consent"], rejects=rejects)
    assert (report.added, report.newly_suppressed, report.no_clear_yes) == (1, 1, 4)
    assert report.summary().endswith("1 added, 1 newly suppressed, 4 left out (no clear yes)")
    assert "news is not a clear yes: 4 ('maybe' 2, '2024-01-01' 1, (blank) 1)" in report.notes()[-1]
    assert "consent: news" in report.notes()[0]
    row = "5,\"news is 'maybe', which is not a clear yes\",r3@b.example,maybe"
    assert row in rejects.read_text(encoding="utf-8-sig")
    assert [app.show(f"r{n}@b.example")["known"] for n in range(6)] == [True, *[False] * 5]
    assert app.show("r1@b.example")["suppressed"] == ["unsubscribed"]
    assert app.show("r3@b.example")["suppressed"] == []


def test_who_is_a_reader_here_leaves_by_a_clear_no_and_stays_by_anything_else(
    app: Importer, csv_file: CsvFile
) -> None:
    app.take(csv_file("email,first_name", "a@b.example,Anna", "b@b.example,Ben"))
    path = csv_file("email,first_name,news", "A@b.example,X,no", "b@b.example,X,?", name="2.csv")
    report = app.take(path, uses=["news=consent"])
    assert (report.newly_suppressed, report.no_clear_yes) == (1, 1)
    assert app.show("a@b.example")["lists"] == {"readers": "unsubscribed"}
    ben = app.show("b@b.example")
    assert (ben["lists"], ben["first_name"]) == ({"readers": "active"}, "Ben")
    yes = csv_file("email,news", "a@b.example,yes", "b@b.example,yes", name="3.csv")
    report = app.take(yes, uses=["news=consent"])
    assert (report.added, report.already_unsubscribed, report.unchanged) == (0, 1, 1)
    assert app.show("a@b.example")["lists"] == {"readers": "unsubscribed"}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_who_stands_in_a_file_several_times_is_added_only_if_each_row_says_yes(
    app: Importer, csv_file: CsvFile, tmp_path: Path, order: tuple[int, ...]
) -> None:
    cells = ["yes", "?", "no"]
    lines = [f"a@b.example,{cells[i]}" for i in order]
    lines += [f"b@b.example,{cells[i]}" for i in order if i < 2]
    rejects = tmp_path / "rejects.csv"
    report = app.take(csv_file("email,news", *lines), uses=["news=consent"], rejects=rejects)
    assert (report.newly_suppressed, report.no_clear_yes, report.duplicates) == (1, 1, 3)
    assert app.show("a@b.example")["suppressed"] == ["unsubscribed"]
    assert app.show("b@b.example")["known"] is False
    listed = [line.split(",")[0] for line in rejects.read_text().splitlines()[1:]]
    assert len(listed) == len(set(listed))


def test_several_columns_decide_together_and_a_wish_outweighs_a_bounce(
    app: Importer, csv_file: CsvFile
) -> None:
    path = csv_file(
        "email,ok,bounced,unsubscribed at",
        "a@b.example,1,0,",
        "b@b.example,1,1,",
        "c@b.example,1,1,2024-03-01 12:30:00",
        "d@b.example,,0,",
        "e@b.example,1,soft,",
        "f@b.example,0,2,0000-00-00 00:00:00",
    )
    uses = ["ok=consent", "bounced=opt-out", "unsubscribed at=opt-out"]
    report = app.take(path, uses=uses)
    assert (report.added, report.newly_suppressed, report.no_clear_yes) == (1, 3, 2)
    reasons = {name: app.show(f"{name}@b.example")["suppressed"] for name in "abcdef"}
    assert reasons == {
        "a": [], "b": ["bounced"], "c": ["unsubscribed"], "d": [], "e": [], "f": ["unsubscribed"],
    }  # fmt: skip
    assert [one.column for one in report.left_out] == ["bounced", "ok"]
    with app.store.read() as connection:
        hashed = address_hash("c@b.example", app.keys)
        since = select(suppression.c.at).where(suppression.c.address_hash == hashed)
        assert connection.execute(since).scalar_one() == 1709296200.0


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_wish_outweighs_a_bounce_in_another_row_too(
    app: Importer, csv_file: CsvFile, order: tuple[int, ...]
) -> None:
    rows = ["a@b.example,bounced", "a@b.example,unsubscribed"]
    path = csv_file("email,status", *(rows[i] for i in order))
    assert app.take(path, uses=["status=consent"]).newly_suppressed == 1
    assert app.show("a@b.example")["suppressed"] == ["unsubscribed"]


def test_a_number_is_no_date(app: Importer, csv_file: CsvFile) -> None:
    path = csv_file("email,bounces", "a@b.example,3")
    app.take(path, uses=["bounces=opt-out"])
    with app.store.read() as connection:
        assert connection.execute(select(suppression.c.at)).scalar_one() > 1_000_000_000
    assert app.show("a@b.example")["suppressed"] == [SuppressionReason.BOUNCED]


def test_what_is_ignored_is_not_stored_and_what_is_an_attribute_is(
    app: Importer, csv_file: CsvFile
) -> None:
    path = csv_file("email,City,Note,=sum", "a@b.example,Wien,secret,7")
    report = app.take(path, uses=["city=attribute", "note=ignore", "=sum=attribute"])
    assert app.show("a@b.example")["attributes"] == {"city": "Wien", "sum": "7"}
    assert "secret" not in str(app.contents())
    assert "ignored: Note" in report.notes()[0]


def test_a_column_without_a_name_is_asked_about_if_anything_is_in_it(
    app: Importer, csv_file: CsvFile
) -> None:
    assert app.take(csv_file("email,,", "a@b.example,,", "b@b.example,,")).added == 2
    path = csv_file("email,,,✓", "a@b.example,,,x", "b@b.example,,unsubscribed,")
    assert [one.column for one in asked(app, path).columns] == ["#3", "#4"]
    report = app.take(path, uses=["#3=opt-out", "#4=ignore"])
    assert report.newly_suppressed == 1


def test_who_never_joined_is_no_reader_even_where_a_time_is_expected(
    app: Importer, csv_file: CsvFile
) -> None:
    cells = ["2020-01-02", "31.12.2019", "", "no", "0", "never", "unsubscribed"]
    rows = (f"r{n}@b.example,{cell}" for n, cell in enumerate(cells))
    report = app.take(csv_file("email,subscribed_at", *rows))
    assert (report.added, report.no_clear_yes) == (3, 4)
    assert [one.column for one in report.left_out] == ["subscribed_at"]
    assert [app.show(f"r{n}@b.example")["known"] for n in range(7)] == [True] * 3 + [False] * 4


def test_a_file_of_people_who_left_adds_nobody_and_asks_nothing(
    app: Importer, csv_file: CsvFile
) -> None:
    path = csv_file("email,whatever,reason", "a@b.example,yes,none")
    assert app.take(path, form="unsubscribes").newly_suppressed == 1


def test_the_same_file_read_in_another_way_is_another_batch(
    app: Importer, csv_file: CsvFile
) -> None:
    path = csv_file("email,news", "a@b.example,yes", "b@b.example,")
    wrong = app.take(path, uses=["news=ignore"])
    right = app.take(path, uses=["news=consent"])
    with app.store.read() as connection:
        query = (
            select(import_member.c.batch, subscriber.c.email)
            .join(subscriber, subscriber.c.id == import_member.c.subscriber_id)
            .order_by(subscriber.c.email)
        )
        members = [tuple(row) for row in connection.execute(query)]
    assert wrong.batch != right.batch
    assert members == [(right.batch, "a@b.example")]


LISTMONK = "uuid,email,name,attributes,status,created_at,updated_at"


def test_every_name_in_a_column_of_json_counts_as_a_column(
    app: Importer, csv_file: CsvFile
) -> None:
    cells = [{"City": "Wien", "wants mail": True}, {"wants mail": False, "more": [1]}, {}]
    rows = [
        f'u,r{n}@b.example,,"{json.dumps(cell).replace(chr(34), chr(34) * 2)}",enabled,,'
        for n, cell in enumerate(cells)
    ]
    path = csv_file(LISTMONK, *rows)
    error = asked(app, path, declared=["city"])
    assert [one.column for one in error.columns] == ["attributes.wants mail", "attributes.more"]
    assert [str(one) for one in error.columns[0].values] == ["'True' 1", "'False' 1", "(blank) 1"]
    uses = ["attributes.wants mail=consent", "attributes.more=ignore"]
    report = app.take(path, uses=uses, declared=["city"])
    assert (report.added, report.newly_suppressed, report.no_clear_yes) == (1, 1, 1)
    assert app.show("r0@b.example")["attributes"] == {"city": "Wien"}
    assert report.columns.ignored == ("uuid", "attributes.more")


def test_a_column_of_json_can_be_left_out_whole(app: Importer, csv_file: CsvFile) -> None:
    names = json.dumps({f"name {n}": n for n in range(500)}).replace('"', '""')
    path = csv_file(LISTMONK, f'u,a@b.example,,"{names}",enabled,,')
    with pytest.raises(InputError, match="more than 200 different names") as caught:
        app.take(path)
    assert "--column attributes=ignore" in caught.value.fix
    assert app.take(path, uses=["attributes=ignore"]).added == 1
    assert app.show("a@b.example")["attributes"] == {}


@pytest.mark.parametrize(
    ("header", "row"),
    [
        (LISTMONK, "u,a@b.example,,,paused,,"),
        (LISTMONK, "u,a@b.example,,,,,"),
        ("email,active_subscription,email_disabled", "a@b.example,true,unknown"),
        ("email,active_subscription,email_disabled", "a@b.example,true,"),
        ("email,email_status,email_permission_status", "a@b.example,,Express"),
        ("email,email_status,email_permission_status", "a@b.example,No Permissions Set,"),
        ("email,email_status,email_permission_status", "a@b.example,Active,Temporary hold"),
        ("email,first_name,last_name,language,time_zone,state,suppressed", "a@b.example,,,,,,"),
    ],
)
def test_a_known_service_must_say_yes_too(
    app: Importer, csv_file: CsvFile, header: str, row: str
) -> None:
    with pytest.raises(InputError, match="which is not consent to receive mail"):
        app.take(csv_file(header, row))


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["yes", "no", "", "maybe", "subscribed", "Unsubscribed", "1", "0"]),
    ),
    min_size=1,
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(ROWS)
def test_nobody_is_active_of_whom_a_row_says_no_and_nobody_new_without_a_clear_yes(
    app: Importer, tmp_path: Path, rows: list[tuple[str, str]]
) -> None:
    path = tmp_path / "rows.csv"
    mark = zlib.crc32(repr(rows).encode())  # people of its own: examples must not meet
    lines = [f"{name}{mark}@b.example,{cell}" for name, cell in rows]
    path.write_text("\n".join(["email,x", *lines, ""]), encoding="utf-8")
    import_csv(app.store, app.keys, path, list_name="readers", source="csv", uses=["x=consent"])
    for name in {name for name, _ in rows}:
        said = [read_consent(cell) for other, cell in rows if other == name]
        known = app.show(f"{name}{mark}@b.example")
        assert (known.get("lists") == {"readers": "active"}) == all(answer.yes for answer in said)
        assert bool(known["suppressed"]) == any(answer.left for answer in said)
