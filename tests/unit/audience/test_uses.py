"""--column NAME=USE: found in any spelling, and every mistake named at once."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.audience.importing.column_uses import column_names, read_uses
from newsletter.audience.importing.csv_columns import map_columns
from newsletter.audience.model import ColumnUse, SuppressionReason
from newsletter.errors import InputError, UsageError

HERE = Path("readers.csv")
LISTMONK = "uuid,email,name,attributes,status,created_at,updated_at"


@pytest.mark.parametrize(
    "name",
    [
        "Prénom usuel",
        "PRÉNOM USUEL",
        " prénom-usuel ",
        "pre\u0301nom_usuel",
        "ｐｒénom usuel",
        "#2",
    ],
)
def test_a_column_is_found_however_it_is_written(name: str) -> None:
    found, problems = read_uses([f"{name}= Ignore "], ["email", "Prénom usuel"])
    assert (found, problems) == ({1: ColumnUse.IGNORE}, [])


def test_a_name_may_hold_the_sign() -> None:
    found, _ = read_uses(["a=b=consent"], ["email", "a=b"])
    assert found == {1: ColumnUse.CONSENT}


@given(st.lists(st.text(max_size=5) | st.sampled_from(["#1", "x", "X", " x", "a=b", "-x", "'"])))
def test_what_a_column_is_called_leads_back_to_it(header: list[str]) -> None:
    for index, name in enumerate(column_names(header)):
        (typed,) = shlex.split(shlex.quote(f"{name}=ignore"))
        assert read_uses([typed], header) == ({index: ColumnUse.IGNORE}, [])


def test_what_is_no_name_to_type_is_called_by_its_number() -> None:
    header = ["email", "", "note", "Note", "✓", "#5", "x" * 61, "a\u200bb", "city"]
    assert column_names(header) == ["email", *(f"#{n}" for n in range(2, 9)), "city"]


def test_the_same_said_twice_is_no_mistake() -> None:
    assert read_uses(["note=ignore", "Note=ignore"], ["email", "note"])[1] == []


def test_everything_that_is_wrong_is_said_at_once() -> None:
    header = ["email", "subscribed", "blacklisted", "note", "Visit", "visit "]
    uses = [
        *("subscribd=consent", "note=ignore", "NOTE=consent", "email=ignore", "VISIT=ignore"),
        *("blacklisted=consent", "note", "subscribed=konsent", "=ignore", "#9=ignore"),
    ]
    with pytest.raises(UsageError) as caught:
        map_columns(header, HERE, 1, uses=uses)
    said = str(caught.value)
    for told in (
        "'subscribd=consent': there is no such column; did you mean subscribed?",
        "'NOTE' is given as both ignore and consent",
        "'email' cannot be ignore: it contains the addresses",
        "'VISIT=ignore': 2 columns have this name: write #5 or #6 instead",
        "a yes in a column of this name means that somebody opted out: write blacklisted=opt-out",
        "'note' is not a column use",
        "'subscribed=konsent' is not a column use: write subscribed=consent",
        "'=ignore' is not a column use",
        "'#9=ignore': there is no such column; the columns are: email, subscribed, blacklisted",
        "two columns mean the same: 'Visit' (#5) and 'visit ' (#6)",
        "these columns are unknown, too, and need a --column: subscribed, Visit, visit",
    ):
        assert told in said
    assert caught.value.exit_code == 2


def test_columns_of_one_name_are_all_listed_and_can_be_left_out_by_their_number() -> None:
    header = ["email", "E-Mail", "visit", "Visit", "VISIT"]
    with pytest.raises(InputError) as caught:
        map_columns(header, HERE, 1)
    assert "'email' (#1) and 'E-Mail' (#2)" in str(caught.value)
    assert "'visit' (#3) and 'VISIT' (#5)" in str(caught.value)
    uses = ["#1=ignore", "#3=ignore", "#5=ignore", "#4=attribute"]
    columns = map_columns(header, HERE, 1, uses=uses)
    assert columns.email == 1
    assert columns.attributes == (("visit", 3),)
    assert not columns.unknown


@pytest.mark.parametrize(
    ("header", "use", "says"),
    [
        (LISTMONK, "status=ignore", "in listmonk's subscribers it says who unsubscribed"),
        (LISTMONK, "attributes=consent", "write 'attributes.NAME=consent'"),
        ("email,leid,euid,unsub_time,vip", "vip=consent", "everyone in Mailchimp's unsubscribed"),
        ("email,Confirmed", "confirmed=opt-out", "that somebody agreed: write confirmed=consent"),
        ("email,✓", "#2=attribute", "no name to store it under"),
    ],
)
def test_what_a_column_cannot_be(header: str, use: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        map_columns(header.split(","), HERE, 1, uses=[use])
    assert says in str(caught.value)


def test_of_two_columns_that_look_alike_each_can_be_said_apart() -> None:
    columns = map_columns(["Mail", "E-Mail"], HERE, 1, uses=["Mail=consent"])
    assert (columns.email, columns.consent) == (1, (("Mail", 0),))
    header = ["email", "City", "city"]
    columns = map_columns(header, HERE, 1, uses=["#2=attribute", "#3=ignore"])
    assert columns.attributes == (("city", 1),)
    with pytest.raises(UsageError, match="another column would be stored as city, too"):
        map_columns(header, HERE, 1, uses=["#2=attribute", "#3=attribute"])


def test_what_a_person_says_comes_before_what_we_know() -> None:
    header = ["email", "nombre", "created_at", "city", "bounced", "unsub"]
    uses = ["nombre=ignore", "created_at=attribute", "city=ignore", "#5=opt-out", "unsub=opt-out"]
    columns = map_columns(header, HERE, 1, uses=uses, declared=["city"])
    assert (columns.first_name, columns.joined) == (-1, -1)
    assert columns.attributes == (("created_at", 2),)
    assert columns.opt_out == (
        ("bounced", 4, SuppressionReason.BOUNCED),
        ("unsub", 5, SuppressionReason.UNSUBSCRIBED),
    )
    assert columns.as_read(header).ignored == ("nombre", "city")


def test_a_file_that_may_be_of_people_who_left_is_asked_about_whatever_is_ignored() -> None:
    with pytest.raises(UsageError, match="--format"):
        map_columns(["email", "created"], HERE, 1, uses=["created=ignore"])
