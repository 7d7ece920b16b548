"""Headers: ours, Mailchimp's, and those that will not do."""

from pathlib import Path

import pytest

from newsletter.audience.header import FileKind, map_columns, normalise
from newsletter.errors import InputError

HERE = Path("readers.csv")
MAILCHIMP = (
    "Email Address,First Name,Last Name,Clinic,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,"
    "CONFIRM_IP,LATITUDE,LONGITUDE,GMTOFF,DSTOFF,TIMEZONE,CC,REGION,{},LEID,EUID,NOTES,TAGS"
)
UNSUBSCRIBED = "UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_CAMPAIGN_ID,UNSUB_REASON,UNSUB_REASON_OTHER"
CLEANED = "CLEAN_TIME,CLEAN_CAMPAIGN_TITLE,CLEAN_CAMPAIGN_ID"


@pytest.mark.parametrize(
    "name", ["E-Mail", " email ", "EMAIL_ADDRESS", "Email Address", "ｅｍａｉｌ"]
)
def test_the_address_goes_by_many_names(name: str) -> None:
    assert map_columns(["x", name], HERE, 1).email == 1


def test_names_are_normalised() -> None:
    assert normalise(" Größe (cm) ") == "grösse_cm"


def test_other_columns_become_attributes() -> None:
    columns = map_columns(["First Name", "email", "Last visit", ""], HERE, 1)
    assert (columns.first_name, columns.email, columns.last_name) == (0, 1, -1)
    assert columns.attributes == (("last_visit", 2),)


def test_mailchimp_subscribed() -> None:
    header = MAILCHIMP.format("LAST_CHANGED").split(",")
    columns = map_columns(header, HERE, 1)
    assert columns.kind is FileKind.SUBSCRIBERS
    assert [name for name, _ in columns.attributes] == ["clinic", "tags"]
    assert [header[i] for _, i in columns.evidence] == ["OPTIN_TIME", "CONFIRM_TIME"]
    assert header[columns.time_zone] == "TIMEZONE"


@pytest.mark.parametrize(
    ("special", "kind"), [(UNSUBSCRIBED, FileKind.UNSUBSCRIBED), (CLEANED, FileKind.CLEANED)]
)
def test_mailchimp_files_of_people_who_left(special: str, kind: FileKind) -> None:
    header = MAILCHIMP.format(special).split(",")
    columns = map_columns(header, HERE, 1)
    assert columns.kind is kind
    assert header[columns.left_at] == special.partition(",")[0]
    assert not columns.attributes


def test_without_addresses_the_headers_found_are_listed() -> None:
    with pytest.raises(InputError, match=r"readers\.csv:1: .*found: Name, Telephone"):
        map_columns(["Name", "Telephone"], HERE, 1)


@pytest.mark.parametrize("header", [["email", "E-mail"], ["email", "Visit", "visit "]])
def test_two_columns_of_one_name_are_refused(header: list[str]) -> None:
    with pytest.raises(InputError, match="two columns are the same"):
        map_columns(header, HERE, 1)


def test_a_mended_rejects_file_is_read_like_its_source() -> None:
    columns = map_columns(["line", "reason", "email", "visit"], HERE, 1)
    assert columns.email == 2
    assert columns.attributes == (("visit", 3),)
