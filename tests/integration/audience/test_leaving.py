"""Leaving, coming back, being forgotten."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select, update

from newsletter.audience import (
    Consent,
    Keys,
    SubscriptionState,
    SuppressionReason,
    Token,
    TokenPurpose,
    UnsubscribeResult,
    Unsuppressed,
    add,
    check_suppression_key,
    columns,
    erase,
    export_csv,
    find,
    lift,
    list_id,
    near_addresses,
    reasons,
    resubscribe,
    subscribe,
    suppress,
    suppress_address,
    unsubscribe,
    unsuppress_address,
)
from newsletter.audience.unsubscribe import UNDO_S, Click, unsubscribe_all
from newsletter.audience.unsuppress import LIFTABLE
from newsletter.errors import InputError, RefusedError
from newsletter.store.schema import (
    campaign,
    compiled_issue,
    consent_event,
    delivery,
    subscriber,
    suppression,
)
from tests.integration.audience.desk import Desk

ANNA = "Anna@clinic.example"


@pytest.fixture
def anna(desk: Desk) -> Token:
    """On two lists, waiting for the third, long gone from the fourth."""
    with desk.store.write() as connection:
        person = add(connection, ANNA, desk.keys, at=1.0, first_name="Anna")
        for name, state in (
            ("news", SubscriptionState.ACTIVE),
            ("sleep", SubscriptionState.ACTIVE),
            ("research", SubscriptionState.PENDING),
            ("events", SubscriptionState.UNSUBSCRIBED),
        ):
            subscribe(connection, person, name, Consent("form", 1.0, "v1"), state=state)
    return desk.token(ANNA)


BEFORE = {"events": "unsubscribed", "news": "active", "research": "pending", "sleep": "active"}


def test_one_click_ends_every_subscription(desk: Desk, anna: Token) -> None:
    result = unsubscribe(desk.store, anna, "one-click")
    assert result == UnsubscribeResult(True, False, True, ("news", "research", "sleep"))
    known = desk.show(ANNA)
    assert set(known["lists"].values()) == {"unsubscribed"}  # type: ignore[attr-defined]
    assert known["suppressed"] == ["unsubscribed"]
    last = known["consent"][-1]  # type: ignore[index]
    assert (last["action"], last["source"]) == ("unsubscribed", "one-click")
    assert last["evidence"] == {"campaign_id": 1, "was": "active"}


def test_again_changes_nothing(desk: Desk, anna: Token) -> None:
    unsubscribe(desk.store, anna, "one-click")
    before = desk.contents()
    assert not unsubscribe(desk.store, anna, "page").changed
    assert desk.contents() == before


def test_many_leave_at_once_and_each_is_told_what_came_of_it(desk: Desk, anna: Token) -> None:
    with desk.store.write() as connection:
        ben = add(connection, "ben@reader.example", desk.keys, at=1.0)
        cleo = add(connection, "cleo@reader.example", desk.keys, at=1.0)
        subscribe(connection, ben, "news", Consent("form", 1.0))
    tokens = [
        anna,
        Token(TokenPurpose.UNSUBSCRIBE, False, ben.uid, 2),
        Token(TokenPurpose.UNSUBSCRIBE, False, cleo.uid, 2),
        Token(TokenPurpose.UNSUBSCRIBE, False, cleo.uid ^ 1, 2),
        desk.token(ANNA, proof=True),
        anna,
    ]
    results = unsubscribe_all(desk.store, [Click(token, "one-click") for token in tokens])
    assert results == [
        UnsubscribeResult(True, False, True, ("news", "research", "sleep")),
        UnsubscribeResult(True, False, True, ("news",)),
        UnsubscribeResult(True, False, True),
        UnsubscribeResult(False, False, False),
        UnsubscribeResult(False, True, False),
        UnsubscribeResult(True, False, False),
    ]
    for person in ("ben", "cleo"):
        known = desk.show(f"{person}@reader.example")
        assert known["suppressed"] == ["unsubscribed"]
        assert known["consent"][-1]["evidence"]["campaign_id"] == 2  # type: ignore[index]
    assert resubscribe(desk.store, tokens[1], "page").lists == ("news",)
    assert desk.show(ANNA)["suppressed"] == ["unsubscribed"]


def test_a_proof_token_changes_nothing(desk: Desk, anna: Token) -> None:
    before = desk.contents()
    proof = desk.token(ANNA, proof=True)
    for change in (unsubscribe, resubscribe):
        assert change(desk.store, proof, "page") == UnsubscribeResult(False, True, False)
    assert desk.contents() == before


def test_nobody_has_that_token(desk: Desk, anna: Token) -> None:
    before = desk.contents()
    stranger = Token(TokenPurpose.UNSUBSCRIBE, False, 5, 1)
    for change in (unsubscribe, resubscribe):
        assert change(desk.store, stranger, "page") == UnsubscribeResult(False, False, False)
    assert desk.contents() == before


def test_a_token_for_bounces_cannot_unsubscribe(desk: Desk) -> None:
    with pytest.raises(ValueError, match="cannot unsubscribe"):
        unsubscribe(desk.store, Token(TokenPurpose.BOUNCE, False, 5, 1), "page")


def test_undo_gives_back_what_it_ended_and_no_more(desk: Desk, anna: Token) -> None:
    unsubscribe(desk.store, anna, "one-click")
    result = resubscribe(desk.store, anna, "page")
    assert result == UnsubscribeResult(True, False, True, ("news", "research", "sleep"))
    assert desk.show(ANNA)["lists"] == BEFORE
    assert desk.show(ANNA)["suppressed"] == []
    assert not resubscribe(desk.store, anna, "page").changed
    assert desk.show(ANNA)["lists"] == BEFORE


def test_undo_ends_after_two_days_however_often_the_old_link_is_pressed(
    desk: Desk, anna: Token
) -> None:
    unsubscribe(desk.store, anna, "one-click")
    with desk.store.write() as connection:
        long_ago = desk.store.now(connection) - UNDO_S - 1
        connection.execute(update(suppression).values(at=long_ago))
    unsubscribe(desk.store, anna, "page")
    before = desk.contents()
    assert resubscribe(desk.store, anna, "page") == UnsubscribeResult(True, False, False)
    assert desk.contents() == before


def test_undo_lifts_no_other_reason(desk: Desk, anna: Token) -> None:
    unsubscribe(desk.store, anna, "one-click")
    suppress_address(desk.store, ANNA, desk.keys, note="office: asked by telephone")
    resubscribe(desk.store, anna, "page")
    assert desk.show(ANNA)["suppressed"] == ["manual"]


def test_the_readers_own_sign_up_lifts_the_unsubscribe(desk: Desk, anna: Token) -> None:
    unsubscribe(desk.store, anna, "one-click")
    with desk.store.write() as connection:
        person = find(connection, ANNA.upper())
        assert person is not None
        suppress(connection, person.address_hash, SuppressionReason.BOUNCED, "dsn", 2.0)
        kept = subscribe(connection, person, "news", Consent("office", 2.0))
        assert kept is SubscriptionState.UNSUBSCRIBED
        now = subscribe(connection, person, "news", Consent("form", 3.0), confirmed_by_reader=True)
        assert now is SubscriptionState.ACTIVE
        assert reasons(connection, person.address_hash) == {SuppressionReason.BOUNCED}
    lists = desk.show(ANNA)["lists"]
    assert lists == dict.fromkeys(BEFORE, "unsubscribed") | {"news": "active"}


def test_the_first_date_of_a_reason_stays(desk: Desk) -> None:
    with desk.store.write() as connection:
        assert suppress(connection, b"h" * 32, SuppressionReason.COMPLAINED, "arf", 1.0)
        assert not suppress(connection, b"h" * 32, SuppressionReason.COMPLAINED, "arf", 2.0)
        assert not lift(connection, b"h" * 32, SuppressionReason.BOUNCED)
        assert lift(connection, b"h" * 32, SuppressionReason.COMPLAINED)
        assert reasons(connection, b"h" * 32) == frozenset()


def test_erasing_leaves_a_hash_and_a_number(desk: Desk, anna: Token) -> None:
    _deliver(desk, anna)
    assert erase(desk.store, "anna@CLINIC.example", desk.keys, by="office")
    everything = repr(desk.contents()).lower()
    assert "anna" not in everything
    nothing = {"known": False, "consent": [], "deliveries": [], "reports": []}
    assert desk.show(ANNA) == {"email": ANNA, "suppressed": ["erased"], **nothing}
    with desk.store.read() as connection:
        uids = set(connection.execute(select(consent_event.c.subscriber_uid)).scalars())
    assert uids == {anna.subscriber_uid}
    assert not unsubscribe(desk.store, anna, "one-click").known
    assert not erase(desk.store, ANNA, desk.keys, by="office")


def test_what_was_sent_to_an_address_is_known_of_it_though_nobody_has_it_now(
    desk: Desk, anna: Token
) -> None:
    _deliver(desk, anna)
    with desk.store.write() as connection:
        connection.execute(delete(subscriber))
    assert erase(desk.store, ANNA, desk.keys, by="office")
    assert not erase(desk.store, ANNA, desk.keys, by="office")


def test_a_typing_error_finds_the_address_that_was_meant(desk: Desk, anna: Token) -> None:
    with desk.store.write() as connection:
        for other in ("hannah@clinic.example", "ben@reader.example"):
            add(connection, other, desk.keys, at=1.0)
    for typed in ("ana@clinic.example", "anna@clinic.exampel", "anna@cliniic.example"):
        assert near_addresses(desk.store, typed) == [ANNA]
    assert near_addresses(desk.store, "zoe@elsewhere.example") == []


def test_what_was_suppressed_by_hand_is_lifted_and_on_record(desk: Desk, anna: Token) -> None:
    suppress_address(desk.store, ANNA, desk.keys, note="office: asked")
    done = unsuppress_address(desk.store, ANNA, desk.keys, by="maria", reason="wrong Anna")
    assert done == Unsuppressed(frozenset({SuppressionReason.MANUAL}), frozenset())
    known = desk.show(ANNA)
    assert (known["suppressed"], known["lists"]) == ([], BEFORE)
    last = known["consent"][-1]  # type: ignore[index]
    assert (last["action"], last["source"]) == ("unsuppressed", "maria")
    assert last["evidence"]["reason"] == "wrong Anna"
    assert last["evidence"]["was"] == "office: asked"


def test_a_mailbox_that_is_back_gets_mail_again(desk: Desk, anna: Token) -> None:
    with desk.store.write() as connection:
        person = find(connection, ANNA)
        assert person is not None
        suppress(connection, person.address_hash, SuppressionReason.BOUNCED, "smtp", 1.0)
    suppress_address(desk.store, ANNA, desk.keys, note="office: bounces")
    done = unsuppress_address(desk.store, ANNA, desk.keys, by="maria", reason="she called")
    assert done == Unsuppressed(frozenset(LIFTABLE), frozenset())
    known = desk.show(ANNA)
    assert known["suppressed"] == []
    lifted = [each["evidence"].get("lifted") for each in known["consent"]]  # type: ignore[attr-defined]
    assert lifted[-2:] == ["bounced", "manual"]


@pytest.mark.parametrize("reason", [r for r in SuppressionReason if r not in LIFTABLE])
@pytest.mark.parametrize("by_hand_too", [True, False])
def test_no_wish_of_a_reader_is_lifted_by_hand(
    desk: Desk, anna: Token, reason: SuppressionReason, by_hand_too: bool
) -> None:
    with desk.store.write() as connection:
        person = find(connection, ANNA)
        assert person is not None
        suppress(connection, person.address_hash, reason, "test", 1.0)
    if by_hand_too:
        suppress_address(desk.store, ANNA, desk.keys, note="office: asked")
    done = unsuppress_address(desk.store, ANNA, desk.keys, by="maria", reason="x")
    by_hand = frozenset({SuppressionReason.MANUAL} if by_hand_too else ())
    assert done == Unsuppressed(by_hand, frozenset({reason}))
    assert desk.show(ANNA)["suppressed"] == [reason]


def test_the_record_of_an_address_nobody_has_is_found_and_erased_with_it(desk: Desk) -> None:
    suppress_address(desk.store, "typo@clinic.example", desk.keys, note="office: asked")
    unsuppress_address(desk.store, "typo@clinic.example", desk.keys, by="maria", reason="a typo")
    (event,) = desk.show("typo@clinic.example")["consent"]  # type: ignore[misc]
    assert (event["action"], event["evidence"]["reason"]) == ("unsuppressed", "a typo")
    assert desk.show("other@clinic.example")["consent"] == []
    assert "typo@" not in repr(desk.contents())
    assert erase(desk.store, "typo@clinic.example", desk.keys, by="office")
    assert "a typo" not in repr(desk.contents())


def _deliver(desk: Desk, anna: Token) -> None:
    with desk.store.write() as connection:
        person = find(connection, ANNA)
        assert person is not None
        issue = {"digest": "d", "slug": "s", "payload": b"", "created_at": 1.0}
        connection.execute(insert(compiled_issue).values(**issue))
        connection.execute(
            insert(campaign).values(
                id=1, slug="s", audience="news", digest="d", state="finished", transport="outbox",
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
    desk: Desk, csv_file: Callable[..., Path]
) -> None:
    desk.take(
        csv_file(
            "email,first_name,=cmd,note",
            'a@b.example,=1+1,+49 30,"x,\ny"',
            "b@b.example,-2,@x,'z",
            "c@b.example,,,",
        ),
        uses=["=cmd=attribute", "note=attribute"],
    )
    desk.leave("b@b.example")
    suppress_address(desk.store, "b@b.example", desk.keys, note="office: asked")
    out = io.StringIO()
    assert export_csv(desk.store, "readers", out) == 3
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    shown = [[row[n] for n in ("email", "first_name", "cmd", "note", "state")] for row in rows]
    assert shown == [
        ["a@b.example", "'=1+1", "'+49 30", "x, y", "active"],
        ["b@b.example", "'-2", "'@x", "'z", "unsubscribed"],
        ["c@b.example", "", "", "", "active"],
    ]
    assert [row["suppressed"] for row in rows] == ["", "manual unsubscribed", ""]


def test_a_list_that_is_none(desk: Desk) -> None:
    with pytest.raises(InputError, match="no list 'nobody'"):
        export_csv(desk.store, "nobody", io.StringIO())
    with desk.store.read() as connection, pytest.raises(InputError):
        list_id(connection, "nobody")
    assert columns(desk.store, "nobody") == {"first_name", "last_name"}


def test_another_suppression_key_is_refused(desk: Desk) -> None:
    check_suppression_key(desk.store, desk.keys)
    check_suppression_key(desk.store, Keys(b"n" * 32, desk.keys.suppression))
    foreign = Keys(desk.keys.signing, b"n" * 32)
    with pytest.raises(RefusedError, match="another suppression key"):
        check_suppression_key(desk.store, foreign)
    for change in (
        lambda: erase(desk.store, ANNA, foreign, by="office"),
        lambda: suppress_address(desk.store, ANNA, foreign, note="office: asked"),
        lambda: unsuppress_address(desk.store, ANNA, foreign, by="office", reason="x"),
    ):
        with pytest.raises(RefusedError):
            change()
