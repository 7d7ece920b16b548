"""Headers: ours, Mailchimp's, and those that will not do."""

from pathlib import Path

import pytest

from newsletter.audience.importing.column_uses import normalize
from newsletter.audience.importing.csv_columns import map_columns
from newsletter.audience.model import SuppressionReason
from newsletter.errors import InputError, UsageError

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


@pytest.mark.parametrize(
    ("header", "fields"),
    [
        ("Vorname;Nachname;E-Mail-Adresse;Sprache", (0, 1, 2, 3)),
        ("Prénom;Nom;Courriel;Langue", (0, 1, 2, 3)),
        ("PRE\u0301NOM;NOM;Adresse e-mail;Langue", (0, 1, 2, 3)),
        ("Nombre;Apellidos;Correo electrónico;Idioma", (0, 1, 2, 3)),
    ],
)
def test_columns_are_known_in_other_languages(header: str, fields: tuple[int, ...]) -> None:
    found = map_columns(header.split(";"), HERE, 1)
    assert (found.first_name, found.last_name, found.email, found.language) == fields
    assert not found.attributes
    assert not found.unknown


@pytest.mark.parametrize("name", ["joined_at", "Signup date", "created_at", "Date joined"])
def test_the_time_of_joining_goes_by_several_names(name: str) -> None:
    found = map_columns(["email", name, "city"], HERE, 1, declared=["city"])
    assert found.joined == 1
    assert found.attributes == (("city", 2),)
    assert not found.unknown


def test_what_became_of_each_column_is_said() -> None:
    header = ["E-Mail", "Stadt ", "Joined", "", "Surname"]
    assert str(map_columns(header, HERE, 1, declared=["stadt"]).as_read(header)) == (
        "email ← E-Mail; first_name ← (none); last_name ← Surname; language ← (none); "
        "time_zone ← (none); attributes: stadt; kept with the consent: joined"
    )
    uses = ["clinic=attribute", "notes = consent", "tags=opt-out"]
    header = MAILCHIMP.format("LAST_CHANGED").split(",")
    told = str(map_columns(header, HERE, 1, uses=uses).as_read(header))
    assert "attributes: clinic; consent: NOTES; opt-out: TAGS;" in told
    assert "ignored: MEMBER_RATING, OPTIN_IP" in told
    assert "TIMEZONE" not in told.partition("not taken over")[2]


def test_names_are_normalized() -> None:
    assert normalize(" Größe (cm) ") == "grösse_cm"


def test_what_is_declared_becomes_an_attribute_and_the_rest_is_unknown() -> None:
    header = ["First Name", "email", "Last visit", "Note", "joined", "created"]
    columns = map_columns(header, HERE, 1, declared=["last_visit", "first_name"])
    assert (columns.first_name, columns.email, columns.last_name) == (0, 1, -1)
    assert columns.attributes == (("last_visit", 2),)
    assert columns.unknown == (3,)


def test_mailchimp_subscribed() -> None:
    header = MAILCHIMP.format("LAST_CHANGED").split(",")
    columns = map_columns(header, HERE, 1)
    assert (columns.format.name, columns.format.everyone) == ("mailchimp", None)
    assert [header[index] for index in columns.unknown] == ["Clinic"]
    assert [header[i] for _, i in columns.evidence] == ["OPTIN_TIME", "CONFIRM_TIME"]
    assert header[columns.time_zone] == "TIMEZONE"


@pytest.mark.parametrize(
    ("special", "reason"),
    [(UNSUBSCRIBED, SuppressionReason.UNSUBSCRIBED), (CLEANED, SuppressionReason.BOUNCED)],
)
def test_mailchimp_files_of_people_who_left(special: str, reason: SuppressionReason) -> None:
    header = MAILCHIMP.format(special).split(",")
    columns = map_columns(header, HERE, 1)
    assert columns.format.everyone is reason
    assert header[columns.left_at] == special.partition(",")[0]
    assert not columns.attributes


def test_without_addresses_the_headers_found_are_listed() -> None:
    with pytest.raises(InputError, match=r"readers\.csv:1: .*columns are: Name, Telephone"):
        map_columns(["Name", "Telephone"], HERE, 1)


@pytest.mark.parametrize("header", [["email", "E-mail"], ["email", "Visit", "visit "]])
def test_two_columns_of_one_name_are_refused(header: list[str]) -> None:
    with pytest.raises(InputError, match="two columns mean the same"):
        map_columns(header, HERE, 1)


def test_a_mended_rejects_file_is_read_like_its_source() -> None:
    columns = map_columns(["line", "reason", "email", "visit"], HERE, 1, declared=["visit"])
    assert columns.email == 2
    assert columns.attributes == (("visit", 3),)
    assert not columns.unknown


LISTMONK = "uuid,email,name,attributes,status,created_at,updated_at"
SUBSTACK = "email,active_subscription,expiry,email_disabled,prefer_digests,created_at"
SUBSTACK_NEWER = "email,active_subscription,expiry,plan,email_disabled,created_at,first_payment_at"
CONSTANT_CONTACT = (
    "Email address,First name,Last name,Company,Job title,Email status,Email permission status,"
    "Email update source,Confirmed Opt-Out Date,Confirmed Opt-Out Source,Confirmed Opt-Out Reason,"
    "Phone - mobile,Street address line 1 - Home,Tags,Email Lists,Source Name,Created At,Updated At"
)
SENDGRID = (
    "EMAIL,FIRST_NAME,LAST_NAME,ADDRESS_LINE_1,ADDRESS_LINE_2,CITY,STATE_PROVINCE_REGION,"
    "POSTAL_CODE,COUNTRY,ALTERNATE_EMAILS,PHONE_NUMBER,WHATSAPP,LINE,FACEBOOK,UNIQUE_NAME,"
    "CREATED_AT,UPDATED_AT,CONTACT_ID"
)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (LISTMONK, "listmonk"),
        (SUBSTACK, "substack"),
        (SUBSTACK_NEWER, "substack"),
        (CONSTANT_CONTACT, "constant-contact"),
        (SENDGRID, "sendgrid"),
        (SENDGRID.lower(), "sendgrid"),
        ("reason,email,created", "sendgrid-invalid-emails"),
        ("email,name,attributes", "plain"),
        ("email,unsubscribed_at", "plain"),
        ("email,first_name,city", "plain"),
    ],
)
def test_an_export_is_known_by_its_header(header: str, name: str) -> None:
    assert map_columns(header.split(","), HERE, 1).format.name == name


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("email,created", "sendgrid-unsubscribes"),
        ("email,created,ip", "sendgrid-spam-reports"),
        ("status,reason,email,created", "sendgrid-bounces"),
    ],
)
def test_what_may_be_a_list_of_people_who_left_is_asked_about(header: str, name: str) -> None:
    cells = header.split(",")
    with pytest.raises(UsageError, match=f"--format {name}, or --format plain for subscribers"):
        map_columns(cells, HERE, 1)
    assert map_columns(cells, HERE, 1, name).format.everyone is not None
    assert map_columns(cells, HERE, 1, "plain").format.everyone is None


def test_a_format_that_the_header_is_not_of_is_refused() -> None:
    with pytest.raises(InputError, match="not those of listmonk's subscribers"):
        map_columns(["email", "name"], HERE, 1, "listmonk")


@pytest.mark.parametrize(
    "header",
    [
        LISTMONK,
        SUBSTACK,
        SUBSTACK_NEWER,
        CONSTANT_CONTACT,
        SENDGRID,
        MAILCHIMP.format("LAST_CHANGED").replace("Clinic,", "Address,Phone Number,Birthday,"),
    ],
)
def test_nothing_need_be_said_of_what_a_service_always_exports(header: str) -> None:
    assert not map_columns(header.split(","), HERE, 1).unknown
    more = [*header.split(","), "Wants no mail", ""]
    assert map_columns(more, HERE, 1).unknown == (len(more) - 2, len(more) - 1)


def test_what_a_service_exports_can_be_kept_all_the_same() -> None:
    header = SENDGRID.split(",")
    columns = map_columns(header, HERE, 1, declared=["city"], uses=["Country=attribute"])
    assert dict(columns.attributes) == {
        "city": header.index("CITY"),
        "country": header.index("COUNTRY"),
    }


def test_a_column_of_reasons_to_leave_is_no_longer_known_by_itself() -> None:
    for name in ("status", "unsubscribed_at", "suppressed"):
        assert map_columns(["email", name], HERE, 1).unknown == (1,)
