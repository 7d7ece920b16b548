"""Joining by double opt-in, over a real SMTP server."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, func, select, update

from newsletter.audience.address import address_hash
from newsletter.audience.consent.double_opt_in import confirm_join
from newsletter.audience.model import SuppressionReason
from newsletter.audience.subscribers import find
from newsletter.audience.suppression import reasons, suppress
from newsletter.audience.tables import consent_event, mailed_link, subscriber
from newsletter.delivery.ledger.tables import rate
from tests.integration.web.conftest import KEYS, PROJECT, Clinic
from tests.integration.web.reader import Reader, part

NEW = "new@reader.example"
KNOWN = "maria@reader.example"


@pytest.fixture
def reader(clinic: Clinic) -> Iterator[Reader]:
    with Reader(clinic) as opened:
        yield opened


def person(clinic: Clinic, email: str):
    with clinic.store.read() as connection:
        return find(connection, email)


def lists(clinic: Clinic, email: str) -> dict[str, str]:
    from newsletter.campaign.subscriber_history import show

    return show(clinic.store, email, KEYS).get("lists", {})


def test_from_the_form_to_the_list(clinic: Clinic, reader: Reader) -> None:
    answer = reader.join(NEW, "sleep", "pain")
    assert (answer.status_code, answer.headers["location"]) == (303, "/join/sent")
    assert "Check your email" in reader.get("/join/sent").text
    assert person(clinic, NEW) is None
    assert "Put me on the list" in reader.get(reader.link).text
    assert person(clinic, NEW) is None
    done = reader.press(reader.link)
    assert done.status_code == 200
    assert "You are on the list" in done.text
    assert lists(clinic, NEW) == {"pain": "active", "sleep": "active"}


def test_the_consent_is_kept_with_its_wording_and_without_an_ip(
    clinic: Clinic, reader: Reader
) -> None:
    reader.join(NEW, "pain", ip="203.0.113.77")
    shown = reader.get("/join").text
    reader.press(reader.link)
    with clinic.store.read() as connection:
        event = connection.execute(
            select(consent_event).order_by(consent_event.c.id.desc())
        ).first()
        dump = repr([connection.execute(select(t)).all() for t in (consent_event, rate)])
    assert (event.action, event.source) == ("subscribed-active", "page")
    assert event.evidence["wording"].partition("’")[0] in shown
    assert len(event.wording_version) == 12
    assert event.at >= event.evidence["asked_at"]
    assert "203.0.113.77" not in dump
    assert NEW not in dump


def test_the_mail_is_a_letter_and_no_advertisement(reader: Reader) -> None:
    reader.join(NEW)
    message = reader.mail[0]
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["To"] == NEW
    assert message["Subject"] == "Please confirm: The Clinic’s letter"
    assert message["Reply-To"] == "office@clinic.example"
    assert message["List-Unsubscribe"] is None
    html, text = part(message, "html"), part(message, "plain")
    assert reader.link in html
    assert reader.link in text
    assert '<html lang="en"' in html
    assert "1 Sample Street" in text
    assert "<img" not in html
    assert reader.server.violations == []


@pytest.mark.parametrize("reason", list(SuppressionReason))
def test_only_an_unsubscribe_is_lifted_by_coming_back(
    clinic: Clinic, reader: Reader, reason: SuppressionReason
) -> None:
    hashed = person(clinic, KNOWN).address_hash
    with clinic.store.write() as connection:
        suppress(connection, hashed, reason, "test", 1.0)
    reader.join(KNOWN)
    if reason is not SuppressionReason.UNSUBSCRIBED:
        assert reader.mail == []
        return
    reader.press(reader.link)
    with clinic.store.read() as connection:
        assert reasons(connection, hashed) == frozenset()


@pytest.mark.parametrize("email", [KNOWN, NEW])
def test_who_complained_after_the_letter_is_told_that_no_mail_comes(
    clinic: Clinic, reader: Reader, email: str
) -> None:
    reader.join(email)
    with clinic.store.write() as connection:
        hashed = address_hash(email, KEYS)
        suppress(connection, hashed, SuppressionReason.COMPLAINED, "test", 1.0)
    before = clinic.standing()
    for answer in (reader.get(reader.link), reader.press(reader.link), reader.press(reader.link)):
        assert answer.status_code == 409
        assert "We don’t send email to your address" in answer.text
        assert "office@clinic.example" in answer.text
        assert "You are on the list" not in answer.text
        assert "/p/" not in answer.text
        assert email not in answer.text
    assert clinic.standing() == before


def test_who_complains_while_the_button_is_pressed_is_not_told_that_mail_comes(
    clinic: Clinic, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    from newsletter.web.public import confirm

    reader.join(NEW)

    def complained(connection: Connection, *args: Any) -> object:
        hashed = address_hash(NEW, KEYS)
        suppress(connection, hashed, SuppressionReason.COMPLAINED, "test", 1.0)
        return confirm_join(connection, *args)

    monkeypatch.setattr(confirm, "confirm_join", complained)
    assert "We don’t send email to your address" in reader.press(reader.link).text
    assert len(reader.mail) == 1


def test_a_complaint_after_joining_is_what_a_second_press_tells(
    clinic: Clinic, reader: Reader
) -> None:
    reader.join(NEW)
    reader.press(reader.link)
    with clinic.store.write() as connection:
        hashed = address_hash(NEW, KEYS)
        suppress(connection, hashed, SuppressionReason.COMPLAINED, "test", 1.0)
    assert "We don’t send email to your address" in reader.press(reader.link).text


def test_a_reason_that_came_later_stays(clinic: Clinic, reader: Reader) -> None:
    reader.join(KNOWN)
    hashed = person(clinic, KNOWN).address_hash
    with clinic.store.write() as connection:
        suppress(connection, hashed, SuppressionReason.COMPLAINED, "test", 1.0)
    reader.press(reader.link)
    with clinic.store.read() as connection:
        assert reasons(connection, hashed) == {SuppressionReason.COMPLAINED}


def test_the_answer_is_the_same_whoever_is_asked_for(clinic: Clinic, reader: Reader) -> None:
    with clinic.store.write() as connection:
        suppress(
            connection,
            person(clinic, KNOWN).address_hash,
            SuppressionReason.COMPLAINED,
            "test",
            1.0,
        )
    answers = {
        (answer.status_code, answer.text, tuple(sorted(answer.headers.items())))
        for email in (KNOWN, NEW, NEW, "third@reader.example")
        for answer in (reader.join(email),)
    }
    assert len(answers) == 1


def test_what_is_asked_of_the_database_before_the_answer_is_the_same(
    clinic: Clinic, reader: Reader
) -> None:
    """Time cannot tell an address from another when the same work is done for each."""
    from sqlalchemy import event

    def work(email: str) -> list[str]:
        statements: list[str] = []
        answered: list[int] = []

        async def app(scope, receive, send):
            async def note(message):
                if message["type"] == "http.response.body":
                    answered.append(len(statements))
                await send(message)

            await inner(scope, receive, note)

        inner, reader.app = reader.app, app
        listener = lambda *a: statements.append(a[2])  # noqa: E731
        event.listen(clinic.store.engine, "before_cursor_execute", listener)
        reader.join(email)
        event.remove(clinic.store.engine, "before_cursor_execute", listener)
        reader.app = inner
        return statements[: answered[0]]

    reader.join("warm@reader.example")
    assert work(KNOWN) == work(NEW) == work(NEW)


def test_an_address_gets_one_confirmation_a_day_however_it_is_written(reader: Reader) -> None:
    written = (
        NEW,
        NEW.upper(),
        " new@reader.example ",
        "n.e.w@reader.example",
        "new+1@reader.example",
    )
    for spelling in written:
        assert reader.join(spelling).status_code == 303
    assert len(reader.mail) == 1


def test_a_flood_in_somebodys_name_ends_after_three_days(clinic: Clinic, reader: Reader) -> None:
    for _ in range(8):
        reader.join(NEW)
        with clinic.store.write() as connection:
            connection.execute(update(rate).values(tat=rate.c.tat - 86_400))
    assert len(reader.mail) == 3


def test_a_network_is_slowed_down_by_all_processes_together(clinic: Clinic, reader: Reader) -> None:
    for index in range(10):
        assert reader.join(f"r{index}@reader.example").status_code == 303
    reader.app = reader.application(clinic)
    slowed = reader.join("last@reader.example")
    assert slowed.status_code == 429
    assert 0 < int(slowed.headers["retry-after"]) <= 120
    assert "Please wait a moment" in slowed.text
    assert reader.join("last@reader.example", ip="198.51.100.1").status_code == 303
    assert reader.join("v6@reader.example", ip="2001:db8::1").status_code == 303
    assert len(reader.mail) == 12


def test_an_ipv6_network_counts_as_one_visitor(reader: Reader) -> None:
    codes = [
        reader.join(f"r{n}@reader.example", ip=f"2001:db8:0:1::{n:x}").status_code
        for n in range(1, 13)
    ]
    assert codes.count(429) == 2


def test_a_robot_that_fills_every_field_gets_nothing(reader: Reader) -> None:
    form = {"email": NEW, "topic": "pain", "website": "https://spam.example"}
    assert reader.press("/join", form).headers["location"] == "/join/sent"
    assert reader.mail == []


@pytest.mark.parametrize(
    ("email", "topics", "says"),
    [
        ("", ["pain"], "Please enter your email address."),
        ("maria", ["pain"], "We can’t send email to this address"),
        ("a@b.example\r\nBcc: x@y.example", ["pain"], "We can’t send email to this address"),
        ("a@b.example%0aBcc:x@y.example", ["pain"], "We can’t send email to this address"),
        ('"<script>alert(1)</script>"@b.example', ["pain"], "We can’t send email to this address"),
        ("a" * 5000 + "@b.example", ["pain"], "We can’t send email to this address"),
        ("maria@reader.example", ["nothing", "../x"], "Please choose at least one."),
    ],
)
def test_what_is_wrong_is_said_in_words_and_what_was_typed_stays(
    reader: Reader, email: str, topics: list[str], says: str
) -> None:
    answer = reader.join(email, *topics)
    assert answer.status_code == 422
    assert says in answer.text
    assert "<title>Error: " in answer.text
    assert "<script" not in answer.text
    assert 'aria-invalid="true"' in answer.text or "topics-error" in answer.text
    assert reader.mail == []


def test_what_was_typed_stays_in_the_form_escaped(reader: Reader) -> None:
    page = reader.join('x"><b>y', "sleep").text
    assert 'value="x&#34;&gt;&lt;b&gt;y"' in page
    assert 'value="sleep" checked' in page
    assert "Sleep &amp; &lt;i&gt;rest&lt;/i&gt;" in page


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_at_a_link_changes_nothing(clinic: Clinic, reader: Reader, method: str) -> None:
    reader.join(NEW)
    for _ in range(3):
        headers = {"Purpose": "prefetch", "Sec-Purpose": "prefetch"}
        assert reader.ask(method, reader.link, headers=headers).status_code == 200
    assert person(clinic, NEW) is None


def test_who_presses_twice_is_told_that_they_are_on_the_list(
    clinic: Clinic, reader: Reader
) -> None:
    reader.join(NEW)
    reader.press(reader.link)
    before = clinic.standing()
    for answer in (reader.press(reader.link), reader.get(reader.link)):
        assert answer.status_code == 200
        assert "You are on the list" in answer.text
        assert "/p/" not in answer.text
    assert clinic.standing() == before


def test_of_two_presses_at_once_neither_is_told_that_it_did_not_work(
    clinic: Clinic, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    from newsletter.web.public import confirm

    reader.join(NEW)

    def late(*args: Any) -> object:
        confirm_join(*args)
        return confirm_join(*args)

    monkeypatch.setattr(confirm, "confirm_join", late)
    assert "You are on the list" in reader.press(reader.link).text


def test_a_link_works_once(clinic: Clinic, reader: Reader) -> None:
    reader.join(NEW)
    assert reader.press(reader.link).status_code == 200
    token = clinic.token(uid=person(clinic, NEW).uid)
    reader.ask("POST", f"/u/{token}")
    again = reader.press(reader.link)
    assert (again.status_code, lists(clinic, NEW)["pain"]) == (410, "unsubscribed")
    assert "you have left the list" in again.text
    assert 'class="button" href="/join"' in again.text


def test_a_link_runs_out(clinic: Clinic, reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    from newsletter.web.public import confirm

    reader.join(NEW)
    two_days_on = time.time() + 48 * 3600 + 1
    monkeypatch.setattr(confirm.time, "time", lambda: two_days_on)
    for answer in (reader.get(reader.link), reader.press(reader.link)):
        assert answer.status_code == 410
        assert "ask for a new one" in answer.text
        assert 'class="button" href="/join"' in answer.text
    assert person(clinic, NEW) is None


def test_who_joined_in_time_reads_so_after_the_link_has_run_out(
    clinic: Clinic, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    from newsletter.web.public import confirm

    reader.join(NEW)
    reader.press(reader.link)
    monkeypatch.setattr(confirm.time, "time", lambda: 4e9)
    assert "You are on the list" in reader.get(reader.link).text


def test_a_link_that_is_forgotten_shows_the_way_on_for_whatever_it_was(
    clinic: Clinic, reader: Reader
) -> None:
    reader.join(NEW)
    with clinic.store.write() as connection:
        connection.execute(delete(mailed_link))
    page = reader.get(reader.link).text
    assert 'Did you want to join? <a href="/join">Ask for a new link</a>' in page
    assert "open any of our emails" in page
    assert "If you already pressed its button" in page
    assert 'class="button"' not in page


def test_requests_that_nobody_confirmed_are_forgotten(clinic: Clinic, reader: Reader) -> None:
    reader.join(NEW)
    with clinic.store.write() as connection:
        connection.execute(update(mailed_link).values(expires_at=1.0))
    reader.join("other@reader.example")
    with clinic.store.read() as connection:
        assert connection.execute(select(mailed_link.c.email)).scalars().all() == [
            "other@reader.example"
        ]
        assert connection.execute(select(func.count()).select_from(subscriber)).scalar() == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://www.clinic.example.evil.example"},
    ],
)
def test_forms_of_other_web_sites_are_refused(
    clinic: Clinic, reader: Reader, headers: dict[str, str]
) -> None:
    assert reader.join(NEW, headers=headers).status_code == 403
    reader.join(NEW)
    assert reader.press(reader.link, headers=headers).status_code == 403
    assert person(clinic, NEW) is None


def test_a_friendly_web_site_may_hold_the_form(reader: Reader) -> None:
    friend = {"Sec-Fetch-Site": "cross-site", "Origin": "https://www.clinic.example"}
    assert reader.join(NEW, headers=friend).status_code == 303
    assert len(reader.mail) == 1


def test_a_body_past_the_limit_is_refused(reader: Reader) -> None:
    assert reader.press("/join", {"email": "a" * 70_000}).status_code == 413
    fields = {f"f{n}": "x" for n in range(500)}
    assert reader.press("/join", fields).status_code == 413
    files = {"email": ("x.txt", b"a@b.example")}
    assert reader.ask("POST", "/join", files=files).status_code == 400


def test_a_letter_that_cannot_be_written_is_not_promised(
    clinic: Clinic, reader: Reader, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(PROJECT / "templates", tmp_path / "templates")
    letter = tmp_path / "templates" / "email" / "link.mjml"
    letter.write_text(letter.read_text(encoding="utf-8").replace("{{ text }}", "{{ txt }}"))
    clinic.settings = clinic.settings.model_copy(update={"root": tmp_path})
    reader.app = reader.application(clinic)
    assert reader.join(NEW).status_code == 503
    wish = {"email": NEW, "topics": ["pain"]}
    assert reader.ask("POST", "/api/join", json=wish).status_code == 503
    assert reader.press(f"/p/{clinic.token()}", {"do": "data"}).status_code == 503
    assert "'txt' is undefined" in vars(caplog.records[-1])["reason"]
    with clinic.store.read() as connection:
        assert connection.execute(select(func.count()).select_from(mailed_link)).scalar() == 0
    assert reader.ask("POST", f"/u/{clinic.token()}").status_code == 200


def test_pages_are_not_kept_and_give_no_address_away(reader: Reader) -> None:
    reader.join(NEW)
    for page in (reader.get("/join"), reader.get(reader.link), reader.press(reader.link)):
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "same-origin"
        assert "set-cookie" not in page.headers
        assert NEW not in page.text


def test_without_topics_there_is_no_such_page(clinic: Clinic, reader: Reader) -> None:
    from newsletter.web.public.app import public_app

    reader.app = public_app(clinic.store, KEYS, clinic.settings)
    assert reader.get("/join").status_code == 404
    assert reader.ask("POST", "/api/join").status_code == 404


@pytest.mark.parametrize("kind", ["forged", "truncated", "unsubscribe", "proof", "bounce"])
def test_other_tokens_open_nothing(clinic: Clinic, reader: Reader, kind: str) -> None:
    from newsletter.audience.model import Token, TokenPurpose

    reader.join(NEW)
    token = reader.link.rpartition("/")[2]
    uid = clinic.uid
    text = {
        "forged": token[:-1] + ("A" if token[-1] != "A" else "B"),
        "truncated": token[:-4],
        "unsubscribe": clinic.token(),
        "proof": clinic.signer.sign(Token(TokenPurpose.CONFIRM, True, uid, 2**31)),
        "bounce": clinic.signer.sign(Token(TokenPurpose.BOUNCE, False, uid, 2**31)),
    }[kind]
    before = clinic.standing()
    assert reader.get(f"/confirm/{text}").status_code == 404
    assert reader.press(f"/confirm/{text}").status_code == 404
    assert reader.ask("POST", f"/u/{token}").status_code == 404
    assert clinic.standing() == before


def test_the_form_that_the_documentation_shows_works(reader: Reader) -> None:
    import re

    page = (PROJECT / "docs" / "readers-pages.md").read_text(encoding="utf-8")
    snippet = page.partition("```html\n")[2].partition("```")[0]
    assert 'action="https://news.clinic.example/join"' in snippet
    names = re.findall(r' name="(\w+)"', snippet)
    form = dict(zip(names, (NEW, "pain", ""), strict=True))
    friend = {"Sec-Fetch-Site": "cross-site", "Origin": "https://www.clinic.example"}
    assert reader.ask("POST", "/join", data=form, headers=friend).status_code == 303
    assert len(reader.mail) == 1


def test_a_reader_who_reads_spanish_gets_everything_in_spanish(
    clinic: Clinic, reader: Reader
) -> None:
    spanish = {"Accept-Language": "es-MX,en;q=0.5"}
    form = reader.get("/join", headers=spanish).text
    assert '<html lang="es" ' in form
    assert "Sueño" in form
    reader.join(NEW, headers=spanish)
    assert str(reader.mail[0]["Subject"]).startswith("Confirme su suscripción")
    assert '<html lang="es"' in part(reader.mail[0], "html")
    assert "Quiero suscribirme" in reader.get(reader.link).text
    assert "Ya está en la lista" in reader.press(reader.link).text
    assert person(clinic, NEW).language == "es"
    token = clinic.token(uid=person(clinic, NEW).uid)
    assert "Elija lo que recibe" in reader.get(f"/p/{token}").text
    assert "Darse de baja" in reader.get(f"/u/{token}", headers=spanish).text
