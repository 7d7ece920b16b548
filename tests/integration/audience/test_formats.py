"""Exports of other services: who left there is never mailed from here, whatever comes after."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, select

from newsletter.audience.address import address_hash
from newsletter.audience.consent.preferences import choose
from newsletter.audience.export import export_csv
from newsletter.audience.model import SuppressionReason
from newsletter.audience.subscribers import Consent, find
from newsletter.audience.suppression import suppress
from newsletter.audience.tables import suppression
from newsletter.database.open import open_url
from newsletter.errors import InputError, UsageError
from tests.integration.audience.imports import Importer
from tests.unit.audience.test_header import CONSTANT_CONTACT, LISTMONK, SENDGRID, SUBSTACK

CsvFile = Callable[..., Path]
CITY: dict[str, Any] = {"declared": ["city"]}


def row(header: str, **cells: str) -> str:
    """A row with these cells, named as in the header once blanks and hyphens are ``_``."""
    names = [name.lower().replace(" - ", "_").replace(" ", "_").replace("-", "_")
             for name in header.split(",")]  # fmt: skip
    assert cells.keys() <= set(names)
    return ",".join(cells.get(name, "") for name in names)


def states(app: Importer, *names: str) -> dict[str, object]:
    """Active, why not, or unknown."""
    found = {}
    for name in names:
        known = app.show(f"{name}@mail.example")
        active = known["known"] and known["lists"] == {"readers": "active"}
        found[name] = known["suppressed"] or ("active" if active else "unknown")
    return found


def test_our_own_export_is_read_as_what_it_says(
    app: Importer, csv_file: CsvFile, tmp_path: Path
) -> None:
    names = ("anna", "ben", "eva", "kim", "left")
    app.take(csv_file("email,city", *(f"{name}@mail.example,Wien" for name in names)), **CITY)
    with app.store.write() as connection:
        for name, *reasons in (("ben", "bounced", "complained"), ("eva", "manual")):
            hashed = address_hash(f"{name}@mail.example", app.keys)
            for reason in reasons:
                suppress(connection, hashed, SuppressionReason(reason), "test", 1.0)
        person = find(connection, "left@mail.example")
        assert person
        choose(connection, person, [], ["readers"], Consent("preferences", 1.0))
    app.leave("kim@mail.example")
    file = tmp_path / "export.csv"
    with file.open("w", newline="") as out:
        export_csv(app.store, "readers", out)
    assert app.take(file, skip_invalid=True, **CITY).unchanged == 4
    with closing(open_url(make_url(f"sqlite:///{tmp_path / 'there.db'}"))) as new:
        there = Importer(new, app.keys)
        with pytest.raises(InputError, match="its state is 'unsubscribed', which is not consent"):
            there.take(file, **CITY)
        report = there.take(file, skip_invalid=True, **CITY)
        assert (report.format, report.added, report.newly_suppressed) == ("export", 1, 3)
        assert there.show("anna@mail.example")["attributes"] == {"city": "Wien"}
        assert states(there, *names) == {
            "anna": "active",
            "ben": ["complained"],
            "eva": ["manual"],
            "kim": ["unsubscribed"],
            "left": "unknown",
        }


def test_listmonk(app: Importer, csv_file: CsvFile) -> None:
    attributes = '"{""City"": ""Wien"", ""visits"": 3, ""more"": {""x"": 1}}"'
    report = app.take(
        csv_file(
            LISTMONK,
            f"u1,anna@mail.example,Anna Maria Tester,{attributes},enabled,2020-01-02,2024-01-01",
            "u2,ben@mail.example,Ben,{},blocklisted,2020-01-02,2024-03-01 12:30:00",
            "u3,eva@mail.example,,,disabled,2020-01-02,2024-01-01",
        ),
        uses=["attributes.visits=attribute", "attributes.more=ignore"],
        **CITY,
    )
    assert (report.format, report.added, report.newly_suppressed) == ("listmonk", 1, 2)
    assert "format listmonk" in report.summary()
    anna = app.show("anna@mail.example")
    assert (anna["first_name"], anna["last_name"]) == ("Anna", "Maria Tester")
    assert anna["attributes"] == {"city": "Wien", "visits": "3"}
    assert anna["consent"][0]["evidence"]["created_at"] == "2020-01-02"  # type: ignore[index]
    assert states(app, "ben", "eva") == {"ben": ["manual"], "eva": ["manual"]}


def test_listmonk_attributes_that_are_no_json_are_a_bad_row(
    app: Importer, csv_file: CsvFile
) -> None:
    path = csv_file(LISTMONK, "u1,anna@mail.example,Anna,[1],enabled,,")
    with pytest.raises(InputError, match="not a JSON object"):
        app.take(path)


def test_substack(app: Importer, csv_file: CsvFile) -> None:
    app.take(
        csv_file(
            SUBSTACK,
            "anna@mail.example,false,,false,false,2023-05-01T10:00:00.000Z",
            "ben@mail.example,true,,true,false,2023-05-01T10:00:00.000Z",
        )
    )
    assert states(app, "anna", "ben") == {"anna": "active", "ben": ["unsubscribed"]}
    assert app.show("anna@mail.example")["attributes"] == {}


@pytest.mark.parametrize(
    ("cells", "state"),
    [
        ({"email_status": "Active", "email_permission_status": "Express"}, "active"),
        ({"email_status": "Unsubscribed"}, ["unsubscribed"]),
        ({"email_permission_status": "Opted out"}, ["unsubscribed"]),
        ({"confirmed_opt_out_date": "2024-02-03"}, ["unsubscribed"]),
        ({"email_status": "Bounced"}, ["bounced"]),
        ({"email_permission_status": "Awaiting confirmation"}, "unknown"),
    ],
)
def test_constant_contact(
    app: Importer, csv_file: CsvFile, cells: dict[str, str], state: object
) -> None:
    line = row(CONSTANT_CONTACT, email_address="anna@mail.example", company="Clinic", **cells)
    report = app.take(csv_file(CONSTANT_CONTACT, line), skip_invalid=True)
    assert states(app, "anna") == {"anna": state}
    assert report.rejected == (state == "unknown")


def test_sendgrid_contacts(app: Importer, csv_file: CsvFile) -> None:
    line = row(SENDGRID, email="anna@mail.example", first_name="Anna", city="Wien", contact_id="c1")
    assert app.take(csv_file(SENDGRID, line), **CITY).format == "sendgrid"
    assert app.show("anna@mail.example")["attributes"] == {"city": "Wien"}


@pytest.mark.parametrize(
    ("header", "line", "form", "reason"),
    [
        (
            "status,reason,email,created",
            '5.1.1,"550 5.1.1 no such user,\nsays mx",anna@mail.example,1709296200',
            "sendgrid-bounces",
            "bounced",
        ),
        ("reason,email,created", "Known bad domain,anna@mail.example,1709296200", "", "bounced"),
        ("email,created,ip", "anna@mail.example,1709296200,192.0.2.1", "sendgrid-spam-reports",
         "complained"),
        ("email,created", "anna@mail.example,1709296200", "sendgrid-unsubscribes", "unsubscribed"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("suppressed_first", [True, False])
def test_sendgrid_suppressions_hold_before_and_after_the_contacts(
    app: Importer, csv_file: CsvFile, header: str, line: str, form: str, reason: str,
    suppressed_first: bool,
) -> None:  # fmt: skip
    contacts = csv_file(SENDGRID, row(SENDGRID, email="Anna@mail.example"), name="contacts.csv")
    left = csv_file(header, line, name="left.csv")
    for suppressions in (suppressed_first, not suppressed_first):
        if suppressions:
            assert app.take(left, form=form).newly_suppressed == 1
        else:
            app.take(contacts)
    assert app.take(left, form=form).unchanged == 1
    assert states(app, "anna") == {"anna": [reason]}
    hashed = address_hash("anna@mail.example", app.keys)
    with app.store.read() as connection:
        since = select(suppression.c.at).where(suppression.c.address_hash == hashed)
        assert connection.execute(since).scalar_one() == 1709296200.0


def test_a_list_of_people_who_left_is_never_taken_for_readers(
    app: Importer, csv_file: CsvFile
) -> None:
    path = csv_file("email,created", "anna@mail.example,1709296200")
    with pytest.raises(UsageError, match="--format"):
        app.take(path)
    assert states(app, "anna") == {"anna": "unknown"}
    assert app.take(path, form="plain").added == 1


@pytest.mark.parametrize("order", list(itertools.permutations([0, 1])))
def test_who_stands_twice_in_a_file_has_left_if_one_row_says_so(
    app: Importer, csv_file: CsvFile, order: tuple[int, ...]
) -> None:
    rows = [f"u,anna@mail.example,,,{status},," for status in ("enabled", "blocklisted")]
    report = app.take(csv_file(LISTMONK, *(rows[i] for i in order)))
    assert (report.newly_suppressed, report.duplicates) == (1, 1)
    assert states(app, "anna") == {"anna": ["manual"]}
