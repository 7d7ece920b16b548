"""Leaving, coming back, being forgotten."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select, update

from newsletter.audience.consent.unsubscribe import (
    UNDO_S,
    Click,
    resubscribe,
    unsubscribe,
    unsubscribe_all,
)
from newsletter.audience.export import export_csv
from newsletter.audience.key_check import check_suppression_key
from newsletter.audience.keys import Keys
from newsletter.audience.lists import columns, list_id
from newsletter.audience.model import (
    SubscriptionState,
    SuppressionReason,
    Token,
    TokenPurpose,
    UnsubscribeResult,
)
from newsletter.audience.similar_addresses import similar_addresses
from newsletter.audience.subscribers import Consent, add, find, subscribe
from newsletter.audience.suppression import lift, reasons, suppress, suppress_address
from newsletter.audience.tables import consent_event, subscriber, suppression
from newsletter.audience.unsuppress import LIFTABLE, Unsuppressed, unsuppress_address
from newsletter.campaign.tables import compiled_issue
from newsletter.database.erasure import erase
from newsletter.delivery.ledger.tables import campaign, delivery
from newsletter.errors import InputError, RefusedError
from tests.integration.audience.imports import Importer

ANNA = "Anna@clinic.example"


@pytest.fixture
def anna(app: Importer) -> Token:
    """On two lists, waiting for the third, long gone from the fourth."""
    with app.store.write() as connection:
        person = add(connection, ANNA, app.keys, at=1.0, first_name="Anna")
        for name, state in (
            ("news", SubscriptionState.ACTIVE),
            ("sleep", SubscriptionState.ACTIVE),
            ("research", SubscriptionState.PENDING),
            ("events", SubscriptionState.UNSUBSCRIBED),
        ):
            subscribe(connection, person, name, Consent("form", 1.0, "v1"), state=state)
    return app.token(ANNA)


BEFORE = {"events": "unsubscribed", "news": "active", "research": "pending", "sleep": "active"}


def test_one_click_ends_every_subscription(app: Importer, anna: Token) -> None:
    result = unsubscribe(app.store, anna, "one-click")
    assert result == UnsubscribeResult(True, False, True, ("news", "research", "sleep"))
    known = app.show(ANNA)
    assert set(known["lists"].values()) == {"unsubscribed"}  # type: ignore[attr-defined]
    assert known["suppressed"] == ["unsubscribed"]
    last = known["consent"][-1]  # type: ignore[index]
    assert (last["action"], last["source"]) == ("unsubscribed", "one-click")
    assert last["evidence"] == {"campaign_id": 1, "was": "active"}


def test_again_changes_nothing(app: Importer, anna: Token) -> None:
    unsubscribe(app.store, anna, "one-click")
    before = app.contents()
    assert not unsubscribe(app.store, anna, "page").changed
    assert app.contents() == before


def test_many_leave_at_once_and_each_is_told_what_came_of_it(app: Importer, anna: Token) -> None:
    with app.store.write() as connection:
        ben = add(connection, "ben@reader.example", app.keys, at=1.0)
        cleo = add(connection, "cleo@reader.example", app.keys, at=1.0)
        subscribe(connection, ben, "news", Consent("form", 1.0))
    tokens = [
        anna,
        Token(TokenPurpose.UNSUBSCRIBE, False, ben.uid, 2),
        Token(TokenPurpose.UNSUBSCRIBE, False, cleo.uid, 2),
        Token(TokenPurpose.UNSUBSCRIBE, False, cleo.uid ^ 1, 2),
        app.token(ANNA, proof=True),
        anna,
    ]
    results = unsubscribe_all(app.store, [Click(token, "one-click") for token in tokens])
    assert results == [
        UnsubscribeResult(True, False, True, ("news", "research", "sleep")),
        UnsubscribeResult(True, False, True, ("news",)),
        UnsubscribeResult(True, False, True),
        UnsubscribeResult(False, False, False),
        UnsubscribeResult(False, True, False),
        UnsubscribeResult(True, False, False),
    ]
    for person in ("ben", "cleo"):
        known = app.show(f"{person}@reader.example")
        assert known["suppressed"] == ["unsubscribed"]
        assert known["consent"][-1]["evidence"]["campaign_id"] == 2  # type: ignore[index]
    assert resubscribe(app.store, tokens[1], "page").lists == ("news",)
    assert app.show(ANNA)["suppressed"] == ["unsubscribed"]


def test_a_proof_token_changes_nothing(app: Importer, anna: Token) -> None:
    before = app.contents()
    proof = app.token(ANNA, proof=True)
    for change in (unsubscribe, resubscribe):
        assert change(app.store, proof, "page") == UnsubscribeResult(False, True, False)
    assert app.contents() == before


def test_nobody_has_that_token(app: Importer, anna: Token) -> None:
    before = app.contents()
    stranger = Token(TokenPurpose.UNSUBSCRIBE, False, 5, 1)
    for change in (unsubscribe, resubscribe):
        assert change(app.store, stranger, "page") == UnsubscribeResult(False, False, False)
    assert app.contents() == before


def test_a_token_for_bounces_cannot_unsubscribe(app: Importer) -> None:
    with pytest.raises(ValueError, match="cannot unsubscribe"):
        unsubscribe(app.store, Token(TokenPurpose.BOUNCE, False, 5, 1), "page")


def test_undo_gives_back_what_it_ended_and_no_more(app: Importer, anna: Token) -> None:
    unsubscribe(app.store, anna, "one-click")
    result = resubscribe(app.store, anna, "page")
    assert result == UnsubscribeResult(True, False, True, ("news", "research", "sleep"))
    assert app.show(ANNA)["lists"] == BEFORE
    assert app.show(ANNA)["suppressed"] == []
    assert not resubscribe(app.store, anna, "page").changed
    assert app.show(ANNA)["lists"] == BEFORE


def test_undo_ends_after_two_days_however_often_the_old_link_is_pressed(
    app: Importer, anna: Token
) -> None:
    unsubscribe(app.store, anna, "one-click")
    with app.store.write() as connection:
        long_ago = app.store.now(connection) - UNDO_S - 1
        connection.execute(update(suppression).values(at=long_ago))
    unsubscribe(app.store, anna, "page")
    before = app.contents()
    assert resubscribe(app.store, anna, "page") == UnsubscribeResult(True, False, False)
    assert app.contents() == before


def test_undo_lifts_no_other_reason(app: Importer, anna: Token) -> None:
    unsubscribe(app.store, anna, "one-click")
    suppress_address(app.store, ANNA, app.keys, note="office: asked by telephone")
    resubscribe(app.store, anna, "page")
    assert app.show(ANNA)["suppressed"] == ["manual"]


def test_the_readers_own_sign_up_lifts_the_unsubscribe(app: Importer, anna: Token) -> None:
    unsubscribe(app.store, anna, "one-click")
    with app.store.write() as connection:
        person = find(connection, ANNA.upper())
        assert person is not None
        suppress(connection, person.address_hash, SuppressionReason.BOUNCED, "dsn", 2.0)
        kept = subscribe(connection, person, "news", Consent("office", 2.0))
        assert kept is SubscriptionState.UNSUBSCRIBED
        now = subscribe(connection, person, "news", Consent("form", 3.0), confirmed_by_reader=True)
        assert now is SubscriptionState.ACTIVE
        assert reasons(connection, person.address_hash) == {SuppressionReason.BOUNCED}
    lists = app.show(ANNA)["lists"]
    assert lists == dict.fromkeys(BEFORE, "unsubscribed") | {"news": "active"}


def test_the_first_date_of_a_reason_stays(app: Importer) -> None:
    with app.store.write() as connection:
        assert suppress(connection, b"h" * 32, SuppressionReason.COMPLAINED, "arf", 1.0)
        assert not suppress(connection, b"h" * 32, SuppressionReason.COMPLAINED, "arf", 2.0)
        assert not lift(connection, b"h" * 32, SuppressionReason.BOUNCED)
        assert lift(connection, b"h" * 32, SuppressionReason.COMPLAINED)
        assert reasons(connection, b"h" * 32) == frozenset()


def test_erasing_leaves_a_hash_and_a_number(app: Importer, anna: Token) -> None:
    _deliver(app, anna)
    assert erase(app.store, "anna@CLINIC.example", app.keys, by="office")
    everything = repr(app.contents()).lower()
    assert "anna" not in everything
    nothing = {"known": False, "consent": [], "deliveries": [], "reports": []}
    assert app.show(ANNA) == {"email": ANNA, "suppressed": ["erased"], **nothing}
    with app.store.read() as connection:
        uids = set(connection.execute(select(consent_event.c.subscriber_uid)).scalars())
    assert uids == {anna.subscriber_uid}
    assert not unsubscribe(app.store, anna, "one-click").known
    assert not erase(app.store, ANNA, app.keys, by="office")


def test_what_was_sent_to_an_address_is_known_of_it_though_nobody_has_it_now(
    app: Importer, anna: Token
) -> None:
    _deliver(app, anna)
    with app.store.write() as connection:
        connection.execute(delete(subscriber))
    assert erase(app.store, ANNA, app.keys, by="office")
    assert not erase(app.store, ANNA, app.keys, by="office")


def test_a_typing_error_finds_the_address_that_was_meant(app: Importer, anna: Token) -> None:
    with app.store.write() as connection:
        for other in ("hannah@clinic.example", "ben@reader.example"):
            add(connection, other, app.keys, at=1.0)
    for typed in ("ana@clinic.example", "anna@clinic.exampel", "anna@cliniic.example"):
        assert similar_addresses(app.store, typed) == [ANNA]
    assert similar_addresses(app.store, "zoe@elsewhere.example") == []


def test_what_was_suppressed_by_hand_is_lifted_and_on_record(app: Importer, anna: Token) -> None:
    suppress_address(app.store, ANNA, app.keys, note="office: asked")
    done = unsuppress_address(app.store, ANNA, app.keys, by="maria", reason="wrong Anna")
    assert done == Unsuppressed(frozenset({SuppressionReason.MANUAL}), frozenset())
    known = app.show(ANNA)
    assert (known["suppressed"], known["lists"]) == ([], BEFORE)
    last = known["consent"][-1]  # type: ignore[index]
    assert (last["action"], last["source"]) == ("unsuppressed", "maria")
    assert last["evidence"]["reason"] == "wrong Anna"
    assert last["evidence"]["was"] == "office: asked"


def test_a_mailbox_that_is_back_gets_mail_again(app: Importer, anna: Token) -> None:
    with app.store.write() as connection:
        person = find(connection, ANNA)
        assert person is not None
        suppress(connection, person.address_hash, SuppressionReason.BOUNCED, "smtp", 1.0)
    suppress_address(app.store, ANNA, app.keys, note="office: bounces")
    done = unsuppress_address(app.store, ANNA, app.keys, by="maria", reason="she called")
    assert done == Unsuppressed(frozenset(LIFTABLE), frozenset())
    known = app.show(ANNA)
    assert known["suppressed"] == []
    lifted = [each["evidence"].get("lifted") for each in known["consent"]]  # type: ignore[attr-defined]
    assert lifted[-2:] == ["bounced", "manual"]


@pytest.mark.parametrize("reason", [r for r in SuppressionReason if r not in LIFTABLE])
@pytest.mark.parametrize("by_hand_too", [True, False])
def test_no_wish_of_a_reader_is_lifted_by_hand(
    app: Importer, anna: Token, reason: SuppressionReason, by_hand_too: bool
) -> None:
    with app.store.write() as connection:
        person = find(connection, ANNA)
        assert person is not None
        suppress(connection, person.address_hash, reason, "test", 1.0)
    if by_hand_too:
        suppress_address(app.store, ANNA, app.keys, note="office: asked")
    done = unsuppress_address(app.store, ANNA, app.keys, by="maria", reason="x")
    by_hand = frozenset({SuppressionReason.MANUAL} if by_hand_too else ())
    assert done == Unsuppressed(by_hand, frozenset({reason}))
    assert app.show(ANNA)["suppressed"] == [reason]


def test_the_record_of_an_address_nobody_has_is_found_and_erased_with_it(app: Importer) -> None:
    suppress_address(app.store, "typo@clinic.example", app.keys, note="office: asked")
    unsuppress_address(app.store, "typo@clinic.example", app.keys, by="maria", reason="a typo")
    (event,) = app.show("typo@clinic.example")["consent"]  # type: ignore[misc]
    assert (event["action"], event["evidence"]["reason"]) == ("unsuppressed", "a typo")
    assert app.show("other@clinic.example")["consent"] == []
    assert "typo@" not in repr(app.contents())
    assert erase(app.store, "typo@clinic.example", app.keys, by="office")
    assert "a typo" not in repr(app.contents())


def _deliver(app: Importer, anna: Token) -> None:
    with app.store.write() as connection:
        person = find(connection, ANNA)
        assert person is not None
        issue = {"digest": "d", "slug": "s", "payload": b"", "created_at": 1.0}
        connection.execute(insert(compiled_issue).values(**issue))
        connection.execute(
            insert(campaign).values(
                id=1, slug="s", audience="news", digest="d", state="finished", transport="file",
                created_by="office", created_at=1.0,
            )
        )  # fmt: skip
        connection.execute(
            insert(delivery).values(
                campaign_id=1, position=1, subscriber_uid=anna.subscriber_uid, email=person.email,
                email_key=person.email_key, address_hash=person.address_hash, first_name="Anna",
                last_name="", attributes={"city": "Annaberg"}, variant=0,
            )
        )  # fmt: skip


def test_an_export_holds_states_reasons_and_no_formulas(
    app: Importer, csv_file: Callable[..., Path]
) -> None:
    app.take(
        csv_file(
            "email,first_name,=cmd,note",
            'a@b.example,=1+1,+49 30,"x,\ny"',
            "b@b.example,-2,@x,'z",
            "c@b.example,,,",
        ),
        uses=["=cmd=attribute", "note=attribute"],
    )
    app.leave("b@b.example")
    suppress_address(app.store, "b@b.example", app.keys, note="office: asked")
    out = io.StringIO()
    assert export_csv(app.store, "readers", out) == 3
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    shown = [[row[n] for n in ("email", "first_name", "cmd", "note", "state")] for row in rows]
    assert shown == [
        ["a@b.example", "'=1+1", "'+49 30", "x, y", "active"],
        ["b@b.example", "'-2", "'@x", "'z", "unsubscribed"],
        ["c@b.example", "", "", "", "active"],
    ]
    assert [row["suppressed"] for row in rows] == ["", "manual unsubscribed", ""]


def test_a_list_that_is_none(app: Importer) -> None:
    with pytest.raises(InputError, match="no list 'nobody'"):
        export_csv(app.store, "nobody", io.StringIO())
    with app.store.read() as connection, pytest.raises(InputError):
        list_id(connection, "nobody")
    assert columns(app.store, "nobody") == {"first_name", "last_name"}


def test_another_suppression_key_is_refused(app: Importer) -> None:
    check_suppression_key(app.store, app.keys)
    check_suppression_key(app.store, Keys(b"n" * 32, app.keys.suppression))
    foreign = Keys(app.keys.signing, b"n" * 32)
    with pytest.raises(RefusedError, match="another suppression key"):
        check_suppression_key(app.store, foreign)
    for change in (
        lambda: erase(app.store, ANNA, foreign, by="office"),
        lambda: suppress_address(app.store, ANNA, foreign, note="office: asked"),
        lambda: unsuppress_address(app.store, ANNA, foreign, by="office", reason="x"),
    ):
        with pytest.raises(RefusedError):
            change()
