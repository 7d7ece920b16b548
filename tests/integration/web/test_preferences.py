"""What readers settle by themselves, and what takes a fresh link to their own address."""

import json
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import select, update

from newsletter.audience.address import address_hash
from newsletter.audience.model import LinkToken, SuppressionReason, Token, TokenPurpose
from newsletter.audience.subscribers import Consent, find, subscribe
from newsletter.audience.suppression import suppress
from newsletter.audience.tables import (
    consent_event,
    mailed_link,
    mailing_list,
    subscriber,
    suppression,
)
from newsletter.campaign.subscriber_history import show
from newsletter.errors import UnavailableError
from newsletter.transactional.limits import CONFIRMATION_BY_DAY, give_back
from tests.integration.web.conftest import KEYS, Clinic
from tests.integration.web.reader import Reader

MARIA = "maria@reader.example"
NEW = "maria@new.example"


@pytest.fixture
def reader(clinic: Clinic) -> Iterator[Reader]:
    with Reader(clinic) as opened:
        yield opened


def known(clinic: Clinic, email: str = MARIA) -> dict[str, object]:
    return show(clinic.store, email, KEYS)


def actions(clinic: Clinic) -> list[str]:
    return [action for action, _ in clinic.standing()[2]]


def test_the_page_shows_what_is_and_changes_nothing(clinic: Clinic, reader: Reader) -> None:
    before = clinic.standing()
    path = f"/p/{clinic.token()}"
    page = reader.get(path)
    assert page.text.count(" checked") == 2
    assert f'href="/u/{clinic.token()}"' in page.text
    assert MARIA not in page.text
    assert reader.ask("HEAD", path).status_code == 200
    assert clinic.standing() == before


def test_topics_are_left_and_joined_again(clinic: Clinic, reader: Reader) -> None:
    path = f"/p/{clinic.token()}"
    answer = reader.press(path, {"do": "topics", "topic": "sleep"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{path}?notice=saved")
    assert known(clinic)["lists"] == {"pain": "unsubscribed", "sleep": "active"}
    reader.press(path, {"do": "topics", "topic": ["sleep", "pain", "secret-list"]})
    assert known(clinic)["lists"] == {"pain": "active", "sleep": "active"}
    assert actions(clinic)[-2:] == ["left-list", "subscribed-active"]
    assert known(clinic)["suppressed"] == []


def test_leaving_all_topics_is_not_undone_by_undo_of_an_older_unsubscribe(
    clinic: Clinic, reader: Reader
) -> None:
    reader.press(f"/p/{clinic.token()}", {"do": "topics"})
    reader.press(f"/u/{clinic.token()}/undo")
    assert known(clinic)["lists"] == {"pain": "unsubscribed", "sleep": "unsubscribed"}


def test_who_ticks_nothing_is_told_that_nothing_comes(clinic: Clinic, reader: Reader) -> None:
    path = f"/p/{clinic.token()}"
    some = reader.press(path, {"do": "topics", "topic": "sleep"})
    assert "Saved.</p>" in reader.get(some.headers["location"]).text
    none = reader.press(path, {"do": "topics"})
    assert "Saved. You are no longer on any list." in reader.get(none.headers["location"]).text


@pytest.fixture
def imported(clinic: Clinic) -> Clinic:
    """The reader is on two more lists, which nobody can join by themselves; one has a title."""
    with clinic.store.write() as connection:
        person = find(connection, MARIA)
        assert person is not None
        for name in ("patients", "staff"):
            subscribe(connection, person, name, Consent("csv", 1.0))
        title = update(mailing_list).where(mailing_list.c.name == "patients")
        connection.execute(title.values(title="For <patients>"))
    return clinic


def test_every_list_that_sends_mail_is_shown_and_can_be_left(
    imported: Clinic, reader: Reader
) -> None:
    path = f"/p/{imported.token()}"
    page = reader.get(path).text
    assert page.count(" checked") == 4
    assert "For &lt;patients&gt;" in page
    assert "staff" in page
    shown = {"other": ["patients", "staff"], "topic": ["pain", "sleep", "staff"]}
    reader.press(path, {"do": "topics", **shown})
    lists = {"pain": "active", "patients": "unsubscribed", "sleep": "active", "staff": "active"}
    assert known(imported)["lists"] == lists


def test_a_list_that_nobody_joins_by_themselves_is_not_joined_again(
    imported: Clinic, reader: Reader
) -> None:
    path = f"/p/{imported.token()}"
    reader.press(path, {"do": "topics", "other": "staff", "topic": ["pain", "sleep"]})
    assert "staff" not in reader.get(path).text
    everything = ["pain", "sleep", "patients", "staff"]
    reader.press(path, {"do": "topics", "other": ["patients", "staff"], "topic": everything})
    assert known(imported)["lists"]["staff"] == "unsubscribed"  # type: ignore[index]


def test_a_list_that_the_page_did_not_show_is_not_left_by_saving_it(
    imported: Clinic, reader: Reader
) -> None:
    reader.press(f"/p/{imported.token()}", {"do": "topics", "topic": ["pain"]})
    lists = {"pain": "active", "patients": "active", "sleep": "unsubscribed", "staff": "active"}
    assert known(imported)["lists"] == lists


def test_a_pause_holds_mail_back_and_ends(clinic: Clinic, reader: Reader) -> None:
    path = f"/p/{clinic.token()}"
    reader.press(path, {"do": "pause"})
    assert "You won’t get any email from us until" in reader.get(path).text
    with clinic.store.read() as connection:
        until = connection.execute(select(subscriber.c.paused_until)).scalar_one()
    assert until - time.time() == pytest.approx(30 * 86_400, abs=600)
    reader.press(path, {"do": "resume"})
    assert "Pause for 30 days" in reader.get(path).text
    assert actions(clinic)[-2:] == ["paused", "pause-ended"]


def test_who_unsubscribed_is_not_brought_back_by_the_link(clinic: Clinic, reader: Reader) -> None:
    path = f"/p/{clinic.token()}"
    reader.ask("POST", f"/u/{clinic.token()}")
    page = reader.get(path).text
    assert "You are unsubscribed" in page
    assert "checkbox" not in page
    before = clinic.standing()
    answer = reader.press(path, {"do": "topics", "topic": ["pain"]})
    assert answer.headers["location"] == path
    assert clinic.standing() == before
    with clinic.store.read() as connection:
        assert connection.execute(select(suppression.c.reason)).scalars().all() == ["unsubscribed"]


@pytest.mark.parametrize(
    ("reason", "words"),
    [("complained", "marked as spam"), ("unsubscribed", "You are unsubscribed")],
)
def test_an_undo_that_brings_nobody_back_does_not_say_that_it_did(
    clinic: Clinic, reader: Reader, reason: str, words: str
) -> None:
    with clinic.store.write() as connection:
        hashed = address_hash(MARIA, KEYS)
        suppress(connection, hashed, SuppressionReason(reason), "mail", 1.0)
    answer = reader.press(f"/u/{clinic.token()}/undo")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/p/{clinic.token()}")
    page = reader.get(answer.headers["location"]).text
    assert words in page
    assert "checkbox" not in page
    assert known(clinic)["suppressed"] == [reason]


@pytest.mark.parametrize("action", ["move", "data", "erase"])
def test_what_shows_or_moves_data_goes_to_the_address_itself(
    clinic: Clinic, reader: Reader, action: str
) -> None:
    before = known(clinic)
    answer = reader.press(f"/p/{clinic.token()}", {"do": action})
    assert MARIA not in answer.text
    assert [one["To"] for one in reader.mail] == [MARIA]
    assert reader.get(reader.link).status_code == 200
    assert known(clinic) == before


def test_a_reader_downloads_what_is_known(clinic: Clinic, reader: Reader) -> None:
    reader.press(f"/p/{clinic.token()}", {"do": "data"})
    answer = reader.press(reader.link)
    assert answer.headers["content-disposition"] == 'attachment; filename="my-data.json"'
    assert answer.headers["cache-control"] == "no-store"
    assert json.loads(answer.text) == known(clinic)
    assert '\n  "paused_until": null' in answer.text
    assert '"created_at": "1970-01-01T00:00:01Z"' in answer.text
    assert reader.press(reader.link).status_code == 410


@pytest.mark.parametrize("action", ["move", "data", "erase"])
@pytest.mark.parametrize("how", ["run out", "used"])
def test_a_link_that_is_over_leads_back_to_the_preferences_and_not_to_joining(
    clinic: Clinic, reader: Reader, action: str, how: str
) -> None:
    reader.press(f"/p/{clinic.token()}", {"do": action})
    ticket = clinic.signer.verify_ticket(reader.link.rpartition("/")[2])
    assert ticket
    if how == "used":
        with clinic.store.write() as connection:
            connection.execute(update(mailed_link).values(used_at=1.0))
    else:
        ticket = LinkToken(ticket.link_id, 1)
    page = reader.get(f"/confirm/{clinic.signer.sign_ticket(ticket)}")
    assert page.status_code == 410
    assert "open any of our emails" in page.text
    assert ("If you already pressed its button" in page.text) is (how == "used")
    assert 'href="/join"' not in page.text.partition("<main")[2].partition("</main")[0]


def test_a_reader_is_erased_and_stays_away(clinic: Clinic, reader: Reader) -> None:
    reader.press(f"/p/{clinic.token()}", {"do": "erase"})
    assert "Your data has been deleted" in reader.press(reader.link).text
    assert known(clinic)["known"] is False
    assert known(clinic)["suppressed"] == ["erased"]
    assert reader.get(f"/p/{clinic.token()}").status_code == 404
    reader.join(MARIA)
    assert len(reader.mail) == 1


def test_an_address_is_changed_by_both_of_its_readers(clinic: Clinic, reader: Reader) -> None:
    reader.press(f"/p/{clinic.token()}", {"do": "move"})
    first = reader.link
    wrong = reader.press(first, {"email": "nobody"})
    assert (wrong.status_code, 'value="nobody"' in wrong.text) == (422, True)
    assert "Check your email" in reader.press(first, {"email": NEW}).text
    assert [one["To"] for one in reader.mail] == [MARIA, NEW]
    assert known(clinic)["known"]
    assert "Your address has been changed" in reader.press(reader.link).text
    assert known(clinic)["known"] is False
    assert known(clinic, NEW)["lists"] == {"pain": "active", "sleep": "active"}
    assert reader.press(first, {"email": "third@new.example"}).status_code == 410
    with clinic.store.read() as connection:
        assert find(connection, NEW).uid == clinic.uid
        evidence = connection.execute(select(consent_event.c.evidence)).scalars().all()
    assert NEW not in repr(evidence)


def move(clinic: Clinic, reader: Reader) -> str:
    """Ask for another address; gives the link that is mailed there."""
    reader.press(f"/p/{clinic.token()}", {"do": "move"})
    reader.press(reader.link, {"email": NEW})
    assert reader.mail[-1]["To"] == NEW
    return reader.link


def test_who_moves_to_an_address_that_once_left_gets_mail_there(
    clinic: Clinic, reader: Reader
) -> None:
    with clinic.store.write() as connection:
        hashed = address_hash(NEW, KEYS)
        suppress(connection, hashed, SuppressionReason.UNSUBSCRIBED, "import", 1.0)
    link = move(clinic, reader)
    assert known(clinic, NEW)["suppressed"] == ["unsubscribed"]
    assert "From now on" in reader.press(link).text
    assert known(clinic, NEW)["suppressed"] == []


def test_a_graver_reason_stays_with_the_new_address(clinic: Clinic, reader: Reader) -> None:
    link = move(clinic, reader)
    with clinic.store.write() as connection:
        hashed = address_hash(NEW, KEYS)
        suppress(connection, hashed, SuppressionReason.COMPLAINED, "mail", 1.0)
    reader.press(link)
    assert known(clinic, NEW)["suppressed"] == ["complained"]


def test_who_leaves_before_confirming_does_not_move_away_from_that_wish(
    clinic: Clinic, reader: Reader
) -> None:
    link = move(clinic, reader)
    reader.ask("POST", f"/u/{clinic.token()}")
    assert reader.press(link).status_code == 410
    assert known(clinic)["suppressed"] == ["unsubscribed"]
    assert known(clinic, NEW)["known"] is False


def test_an_address_that_is_taken_stays_with_its_reader(clinic: Clinic, reader: Reader) -> None:
    reader.join(NEW)
    reader.press(reader.link)
    reader.press(f"/p/{clinic.token()}", {"do": "move"})
    with clinic.store.write() as connection:
        give_back(connection, CONFIRMATION_BY_DAY, NEW, KEYS)
    reader.press(reader.link, {"email": NEW})
    assert reader.press(reader.link).status_code == 409
    assert known(clinic)["lists"] == {"pain": "active", "sleep": "active"}


@pytest.mark.parametrize("action", ["move", "data", "erase"])
def test_links_to_a_former_address_have_run_out(
    clinic: Clinic, reader: Reader, action: str
) -> None:
    reader.press(f"/p/{clinic.token()}", {"do": action})
    stale = reader.link
    reader.press(f"/p/{clinic.token()}", {"do": "move"})
    reader.press(reader.link, {"email": NEW})
    reader.press(reader.link)
    mailed = len(reader.mail)
    assert reader.press(stale, {"email": "other@new.example"}).status_code == 410
    assert len(reader.mail) == mailed
    assert known(clinic, NEW)["lists"] == {"pain": "active", "sleep": "active"}


def test_who_is_erased_leaves_no_other_address_behind(clinic: Clinic, reader: Reader) -> None:
    reader.press(f"/p/{clinic.token()}", {"do": "erase"})
    link = reader.link
    reader.press(f"/p/{clinic.token()}", {"do": "move"})
    reader.press(reader.link, {"email": NEW})
    reader.press(link)
    with clinic.store.read() as connection:
        assert connection.execute(select(mailed_link.c.email)).scalars().all() == []


def test_an_erasure_that_failed_can_be_asked_for_again(
    clinic: Clinic, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader.press(f"/p/{clinic.token()}", {"do": "erase"})

    def fail(*_args: object, **_values: object) -> None:
        raise UnavailableError("away")

    with monkeypatch.context() as patch:
        patch.setattr("newsletter.web.public.confirm.erase", fail)
        assert reader.press(reader.link).status_code == 503
    assert "Your data has been deleted" in reader.press(reader.link).text
    assert known(clinic)["known"] is False


def test_links_are_limited(clinic: Clinic, reader: Reader) -> None:
    answers = [reader.press(f"/p/{clinic.token()}", {"do": "data"}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [303, 303, 303, 429]
    assert int(answers[-1].headers["retry-after"]) > 7 * 3600
    assert len(reader.mail) == 3


def test_a_proof_link_says_so_and_changes_nothing(clinic: Clinic, reader: Reader) -> None:
    before = clinic.standing()
    path = f"/p/{clinic.token(proof=True)}"
    for answer in (reader.get(path), reader.press(path, {"do": "erase"})):
        assert "This link is a sample" in answer.text
    assert (clinic.standing(), reader.mail) == (before, [])


def test_other_tokens_open_nothing(clinic: Clinic, reader: Reader) -> None:
    bounce = clinic.signer.sign(Token(TokenPurpose.BOUNCE, False, clinic.uid, 7))
    confirm = clinic.signer.sign(Token(TokenPurpose.CONFIRM, False, clinic.uid, 2**31))
    for text in (bounce, confirm, clinic.token()[:-2], "x", clinic.token(uid=clinic.uid ^ 1)):
        assert reader.get(f"/p/{text}").status_code == 404
        assert reader.press(f"/p/{text}", {"do": "pause"}).status_code in {303, 404}
    assert actions(clinic) == ["subscribed-active"] * 2


@pytest.mark.parametrize("what", ["topics", "pause", "move", "erase"])
def test_other_web_sites_cannot_press_the_buttons(
    clinic: Clinic, reader: Reader, what: str
) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "https://www.clinic.example"}
    answer = reader.press(f"/p/{clinic.token()}", {"do": what}, headers=headers)
    assert answer.status_code == 403
    assert (actions(clinic), reader.mail) == (["subscribed-active"] * 2, [])


def test_an_unknown_button_is_refused(clinic: Clinic, reader: Reader) -> None:
    assert reader.press(f"/p/{clinic.token()}", {"do": "anything"}).status_code == 400
    page = reader.get(f"/p/{clinic.token()}?notice=<script>").text
    assert "<script" not in page
