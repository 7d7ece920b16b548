"""Importing: everything counted, nobody brought back, nothing half done."""

import csv
import json
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from newsletter.audience.address import address_hash
from newsletter.audience.importing import importer as importer_module
from newsletter.audience.importing.importer import csv_columns
from newsletter.audience.importing.write_batch import write_batch
from newsletter.audience.keys import Keys
from newsletter.audience.lists import columns, count, list_counts
from newsletter.audience.model import SubscriptionState, SuppressionReason
from newsletter.audience.subscribers import Consent, add, subscribe
from newsletter.audience.suppression import suppress, suppress_address
from newsletter.audience.tables import import_member, subscriber, suppression
from newsletter.database.erasure import erase
from newsletter.errors import InputError, RefusedError, UnavailableError, UsageError
from tests.integration.audience.imports import Importer

CsvFile = Callable[..., Path]
MAILCHIMP = (
    "Email Address,First Name,Last Name,Clinic,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,"
    "CONFIRM_IP,LATITUDE,LONGITUDE,GMTOFF,DSTOFF,TIMEZONE,CC,REGION,{},LEID,EUID,NOTES,TAGS"
)
UNSUBSCRIBED = "UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_CAMPAIGN_ID,UNSUB_REASON,UNSUB_REASON_OTHER"
CLEANED = "CLEAN_TIME,CLEAN_CAMPAIGN_TITLE,CLEAN_CAMPAIGN_ID"


def test_people_are_added_as_the_file_says(app: Importer, csv_file: CsvFile) -> None:
    path = csv_file(
        "\ufeffE-Mail;First Name;Surname;Lang;Last visit;Empty",
        "Anna@Clinic.example;Anna;Meyer;de;=1+1;",
    )
    declared = ("last_visit", "empty")
    report = app.take(path, declared=declared)
    assert (report.added, report.rows) == (1, 1)
    known = app.show("anna@clinic.example")
    assert known["email"] == "Anna@Clinic.example"
    assert (known["first_name"], known["last_name"], known["language"]) == ("Anna", "Meyer", "de")
    assert known["attributes"] == {"last_visit": "=1+1"}
    assert known["lists"] == {"readers": "active"}
    (consent,) = known["consent"]  # type: ignore[misc]
    assert consent["source"] == "csv"
    assert consent["evidence"] == {"file": "readers.csv", "line": 2}
    assert columns(app.store, "readers") == {"first_name", "last_name", "last_visit"}
    assert csv_columns(path, declared) == {"first_name", "last_name", "last_visit", "empty"}


def test_twice_changes_nothing(app: Importer, csv_file: CsvFile) -> None:
    path = csv_file("email,tier", "a@b.example,gold", "b@b.example,", 'c@b.example,"say ""x"" \\"')
    app.take(path, declared=["tier"])
    before = app.contents()
    assert app.take(path, declared=["tier"]).unchanged == 3
    assert app.contents() == before


def test_news_is_taken_over_and_a_blank_cell_says_nothing(app: Importer, csv_file: CsvFile) -> None:
    first = csv_file("email,first_name,tier,city", "a@b.example,Anna,gold,Bonn")
    app.take(first, declared=["tier", "city"])
    second = csv_file("email,first_name,tier", "A@b.example,,silver")
    report = app.take(second, declared=["tier"])
    assert (report.updated, report.added) == (1, 0)
    known = app.show("a@b.example")
    assert known["first_name"] == "Anna"
    assert known["attributes"] == {"tier": "silver", "city": "Bonn"}
    assert len(known["consent"]) == 1  # type: ignore[arg-type]


def test_the_first_of_a_file_wins_and_the_others_are_listed(
    app: Importer, csv_file: CsvFile, tmp_path: Path
) -> None:
    path = csv_file("email,first_name", "a@b.example,One", "A@B.example,Two", "a@b.example,Three")
    report = app.take(path, rejects=tmp_path / "rejects.csv")
    assert (report.added, report.duplicates) == (1, 2)
    assert app.show("a@b.example")["first_name"] == "One"
    assert _read(tmp_path / "rejects.csv") == [
        ["line", "reason", "email", "first_name"],
        ["3", "same address as in line 2", "A@B.example", "Two"],
        ["4", "same address as in line 2", "a@b.example", "Three"],
    ]


def test_a_file_with_bad_rows_is_refused_whole(
    app: Importer, csv_file: CsvFile, tmp_path: Path
) -> None:
    path = csv_file("email,lang", "a@b.example,1", "no address,2", ",3", "b@b.example,4,5")
    before = app.contents()
    with pytest.raises(InputError, match=r"readers\.csv:3: 3 of 4 rows") as caught:
        app.take(path, rejects=tmp_path / "rejects.csv")
    assert "--skip-invalid" in caught.value.fix
    assert app.contents() == before
    found = _read(tmp_path / "rejects.csv")
    assert [row[0] for row in found] == ["line", "3", "4", "5"]
    assert found[2][1:] == ["no email address", "", "3"]
    assert found[3][1:] == [
        "3 cells for 2 columns: check for a missing quotation mark",
        "b@b.example",
        "4",
        "5",
    ]
    assert stat.S_IMODE((tmp_path / "rejects.csv").stat().st_mode) == 0o600


def test_the_good_rows_of_a_bad_file_on_request(app: Importer, csv_file: CsvFile) -> None:
    report = app.take(csv_file("email,lang", "a@b.example", "josé@b.example,2"), skip_invalid=True)
    assert (report.added, report.rejected) == (1, 1)
    assert str(report.problems[0]).endswith(
        "readers.csv:3: The part before the @-sign has non-ASCII characters, "
        "which many mail servers reject."
    )
    assert json.loads(json.dumps(report.as_json()))["rejected"] == 1


def test_no_rejects_file_without_rejects(app: Importer, csv_file: CsvFile, tmp_path: Path) -> None:
    app.take(csv_file("email", "a@b.example"), rejects=tmp_path / "rejects.csv")
    assert not (tmp_path / "rejects.csv").exists()


def test_the_rejects_file_cannot_be_the_source(app: Importer, csv_file: CsvFile) -> None:
    path = csv_file("email", "a@b.example")
    with pytest.raises(UsageError):
        app.take(path, rejects=path.parent / "." / path.name)
    assert path.read_text() == "email\na@b.example\n"


def test_a_rejects_file_that_cannot_be_written(
    app: Importer, csv_file: CsvFile, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="Is a directory"):
        app.take(csv_file("email", "bad"), rejects=tmp_path)


def test_a_header_alone_is_refused(app: Importer, csv_file: CsvFile) -> None:
    with pytest.raises(InputError, match="a header and no rows"):
        app.take(csv_file("email,first_name", "", " , "))


@pytest.mark.parametrize("name", ["", " ", "x" * 81, "two\nlines"])
def test_a_list_needs_a_name(app: Importer, csv_file: CsvFile, name: str) -> None:
    with pytest.raises(InputError, match="a list name must"):
        app.take(csv_file("email", "a@b.example"), list_name=name)


def test_a_dry_run_counts_and_changes_nothing(app: Importer, csv_file: CsvFile) -> None:
    path = csv_file("email,lang", "a@b.example,1", "b@b.example,2")
    before = app.contents()
    assert app.take(path, dry_run=True).added == 2
    assert app.contents() == before
    app.take(path)
    before = app.contents()
    changed = csv_file("email,lang", "a@b.example,9", "b@b.example,2", "c@b.example,3")
    report = app.take(changed, dry_run=True)
    assert (report.added, report.updated, report.unchanged) == (1, 1, 1)
    assert app.contents() == before


def test_who_left_stays_away_from_every_list(app: Importer, csv_file: CsvFile) -> None:
    path = csv_file("email,first_name", "a@b.example,Anna", "b@b.example,Bea")
    app.take(path)
    app.leave("a@b.example")
    changed = csv_file("email,first_name", "A@b.example,New", "b@b.example,Bea", name="new.csv")
    for list_name in ("readers", "others"):
        report = app.take(changed, list_name=list_name)
        assert report.already_unsubscribed == 1
    known = app.show("a@b.example")
    assert known["lists"] == {"readers": "unsubscribed", "others": "unsubscribed"}
    assert known["first_name"] == "Anna"
    assert list_counts(app.store) == {"readers": 1, "others": 1}


def test_leaving_one_list_only_is_kept_too(app: Importer, csv_file: CsvFile) -> None:
    with app.store.write() as connection:
        person = add(connection, "a@b.example", app.keys, at=1.0)
        subscribe(
            connection, person, "readers", Consent("x", 1.0), state=SubscriptionState.UNSUBSCRIBED
        )
    assert app.take(csv_file("email", "a@b.example")).already_unsubscribed == 1
    assert count(app.store, "readers") == 0


def test_who_is_suppressed_is_counted_by_reason(app: Importer, csv_file: CsvFile) -> None:
    path = csv_file("email", "a@b.example", "b@b.example", "c@b.example")
    suppress_address(app.store, "A@b.example", app.keys, note="asked")
    app.take(csv_file("email", "b@b.example", name="first.csv"))
    erase(app.store, "b@b.example", app.keys, by="office")
    for _ in range(2):
        report = app.take(path)
        assert report.suppressed == {"manual": 1, "erased": 1}
    assert report.summary() == (
        "3 rows into the list readers: 1 unchanged, 1 suppressed (erased), 1 suppressed (manual)"
    )
    assert app.show("b@b.example")["known"] is False
    assert app.show("a@b.example")["suppressed"] == ["manual"]


def test_who_asked_to_leave_stays_off_also_when_another_reason_is_named(
    app: Importer, csv_file: CsvFile
) -> None:
    known, new = "a@b.example", "b@b.example"
    app.take(csv_file("email", known))
    with app.store.write() as connection:
        for email in (known, new):
            for reason in (SuppressionReason.UNSUBSCRIBED, SuppressionReason.BOUNCED):
                suppress(connection, address_hash(email, app.keys), reason, "tests", 1.0)
    report = app.take(csv_file("email", known, new), list_name="others")
    assert report.suppressed == {"bounced": 2}
    for email in (known, new):
        assert app.show(email)["lists"]["others"] == "unsubscribed"  # type: ignore[index]


def test_what_was_left_out_is_named_with_the_next_step(
    app: Importer, csv_file: CsvFile, tmp_path: Path
) -> None:
    path = csv_file("email,status", "a@b.example,active", "b@b.example,pending", "no,")
    rejects = tmp_path / "rejects.csv"
    report = app.take(path, skip_invalid=True, rejects=rejects, uses=["status=consent"])
    assert (report.added, report.rejected, report.no_clear_yes) == (1, 1, 1)
    notes = "\n".join(report.notes())
    assert str(rejects) in notes
    assert "the column status is not a clear yes: 1 ('pending' 1)" in notes
    assert [row[:3] for row in _read(rejects)] == [
        ["line", "reason", "email"],
        ["3", "status is 'pending', which is not a clear yes", "b@b.example"],
        ["4", "An email address must have an @-sign.", "no"],
    ]
    assert app.show("b@b.example")["known"] is False
    left = csv_file("email,status,unsubscribed_at", "b@b.example,unsubscribed,2024-03-01")
    assert app.take(left, form="unsubscribes").newly_suppressed == 1
    assert app.show("b@b.example")["suppressed"] == ["unsubscribed"]


def test_a_file_without_fault_has_nothing_to_say_but_its_columns(
    app: Importer, csv_file: CsvFile
) -> None:
    report = app.take(csv_file("email", "a@b.example"))
    assert report.summary() == "1 row into the list readers: 1 added"
    (note,) = report.notes()
    assert note.startswith("columns: email ← email;")


def test_who_joined_elsewhere_joined_then(app: Importer, csv_file: CsvFile) -> None:
    def joined() -> dict[str, float]:
        with app.store.read() as connection:
            rows = connection.execute(select(subscriber.c.email, subscriber.c.created_at))
            return {row.email: row.created_at for row in rows}

    app.take(csv_file("email", "d@b.example"))
    known = joined()
    path = csv_file(
        "email,joined_at,city",
        "a@b.example,2020-01-02T03:04:05Z,Wien",
        "b@b.example,31.12.2019,",
        "c@b.example,2999-01-01,",
        "d@b.example,2020-01-02,",
        "e@b.example,,",
    )
    report = app.take(path, declared=["city"])
    assert (report.added, report.unchanged, report.undated) == (4, 1, 2)
    assert "could not be read: 2." in report.notes()[-1]
    found = joined()
    assert found["a@b.example"] == 1577934245.0
    assert found["d@b.example"] == known["d@b.example"]
    assert all(found[f"{name}@b.example"] >= known["d@b.example"] for name in "bce")
    anna = app.show("a@b.example")
    assert anna["attributes"] == {"city": "Wien"}
    assert anna["consent"][0]["evidence"]["joined_at"] == "2020-01-02T03:04:05Z"  # type: ignore[index]


def test_a_pending_sign_up_becomes_active(app: Importer, csv_file: CsvFile) -> None:
    with app.store.write() as connection:
        person = add(connection, "a@b.example", app.keys, at=1.0)
        subscribe(connection, person, "readers", Consent("x", 1.0), state=SubscriptionState.PENDING)
    assert app.take(csv_file("email", "a@b.example")).added == 1
    assert app.show("a@b.example")["lists"] == {"readers": "active"}


def test_mailchimp_unsubscribed_files_suppress(app: Importer, csv_file: CsvFile) -> None:
    app.take(csv_file("email", "a@b.example"))
    header = MAILCHIMP.format(UNSUBSCRIBED)
    row = "{},A,B,x,2,,,,,,,,,,,,2024-03-01 12:30:00,Spring,1,,,1,2,,"
    path = csv_file(header, row.format("A@b.example"), row.format("z@b.example"), name="unsub.csv")
    assert app.take(path).newly_suppressed == 2
    assert app.take(path).unchanged == 2
    assert app.show("a@b.example")["lists"] == {"readers": "unsubscribed"}
    assert app.show("z@b.example")["known"] is False
    hashed = address_hash("z@b.example", app.keys)
    with app.store.read() as connection:
        since = select(suppression.c.at).where(suppression.c.address_hash == hashed)
        assert connection.execute(since).scalar_one() == 1709296200.0
    report = app.take(csv_file("email", "a@b.example", "z@b.example"))
    assert (report.added, report.already_unsubscribed) == (0, 2)


def test_mailchimp_cleaned_files_suppress_as_bounced(app: Importer, csv_file: CsvFile) -> None:
    header = MAILCHIMP.format(CLEANED)
    path = csv_file(header, "a@b.example" + "," * header.count(","), name="cleaned.csv")
    assert app.take(path).newly_suppressed == 1
    assert app.show("a@b.example")["suppressed"] == [SuppressionReason.BOUNCED]


def test_mailchimp_keeps_when_people_joined(app: Importer, csv_file: CsvFile) -> None:
    header = MAILCHIMP.format("LAST_CHANGED")
    path = csv_file(header, "a@b.example,A,B,x,2,2020-01-02 03:04:05,192.0.2.1")
    app.take(path, declared=["clinic"])
    known = app.show("a@b.example")
    assert known["attributes"] == {"clinic": "x"}
    assert known["consent"][0]["evidence"] == {  # type: ignore[index]
        "file": "readers.csv",
        "line": 2,
        "optin_time": "2020-01-02 03:04:05",
    }


def test_the_batch_holds_the_rows_of_the_file(app: Importer, csv_file: CsvFile) -> None:
    def members(batch: str) -> set[str]:
        query = (
            select(subscriber.c.email)
            .join(import_member, import_member.c.subscriber_id == subscriber.c.id)
            .where(import_member.c.batch == batch)
        )
        with app.store.read() as connection:
            return set(connection.execute(query).scalars())

    first = app.take(csv_file("email", "a@b.example", "b@b.example", name="one.csv"))
    other = app.take(csv_file("email", "b@b.example", name="x.csv"), list_name="others")
    app.leave("b@b.example")
    second = app.take(csv_file("email", "b@b.example", "c@b.example", name="two.csv"))
    assert members(second.batch) == {"b@b.example", "c@b.example"}
    assert members(first.batch) == set()
    assert members(other.batch) == {"b@b.example"}


def test_a_killed_import_is_completed_by_running_it_again(
    app: Importer, csv_file: CsvFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = csv_file("email", *(f"r{n}@b.example" for n in range(25)))
    monkeypatch.setattr(importer_module, "BATCH", 10)
    seen: list[object] = []

    def dies(*args: object, **values: object) -> object:
        seen.append(values)
        if len(seen) > 2:
            raise KeyboardInterrupt
        return write_batch(*args, **values)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(importer_module, "write_batch", dies)
        with pytest.raises(KeyboardInterrupt):
            app.take(path)
    assert count(app.store, "readers") == 20
    report = app.take(path)
    assert (report.added, report.unchanged) == (5, 20)
    assert count(app.store, "readers") == 25


def test_another_suppression_key_is_refused(app: Importer, csv_file: CsvFile) -> None:
    path = csv_file("email", "a@b.example")
    app.take(path)
    foreign = Importer(app.store, Keys(app.keys.signing, b"another key of thirty-two bytes!"))
    with pytest.raises(RefusedError, match="another suppression key"):
        foreign.take(path)


def test_progress_is_told(app: Importer, csv_file: CsvFile) -> None:
    seen: list[int] = []
    path = csv_file("email", *(f"r{n}@b.example" for n in range(10_001)))
    assert app.take(path, progress=seen.append).added == 10_001
    assert seen == [5000, 10_000]


cells = st.sampled_from(
    ["a@b.example", "A@B.example", "b@b.example", "gone@b.example", "off@b.example", "bad", "", "é"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.lists(st.tuples(cells, st.text("xy\n\t\"'=", max_size=4)), min_size=1, max_size=12))
def test_every_row_is_counted_once(
    app: Importer, tmp_path: Path, rows: list[tuple[str, str]]
) -> None:
    path = tmp_path / "rows.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("email", "first_name"), *rows])
    suppress_address(app.store, "off@b.example", app.keys, note="asked")
    erase(app.store, "gone@b.example", app.keys, by="office")
    if not any(email or note.split() for email, note in rows):
        return
    app.take(path, skip_invalid=True)
    before = app.contents()
    again = app.take(path, skip_invalid=True)
    assert (again.added, again.updated) == (0, 0)
    assert app.contents() == before
    with app.store.read() as connection:
        people = connection.execute(select(func.count()).select_from(subscriber)).scalar_one()
    assert people <= 3


def _read(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def test_a_full_disk_is_said_and_changes_nothing(
    app: Importer, csv_file: CsvFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = sqlite3.connect("", isolation_level=None)
    private.execute("PRAGMA max_page_count = 20")
    path = csv_file("email", *(f"reader{n}@b.example" for n in range(5000)))
    before = app.contents()
    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", lambda *_, **__: private)
        with pytest.raises(UnavailableError, match="disk is full"):
            app.take(path)
    assert app.contents() == before
