"""Guessing what a column is about, by its name and what is in it."""

from __future__ import annotations

import pytest

from newsletter.audience.importing.senses import Sense, guess, is_about_bounces, is_yes_or_no, sense
from newsletter.audience.model import ColumnUse


@pytest.mark.parametrize(
    "name",
    [
        *("unsubscribed_at", "Unsubscribed", "opt_out", "OptOut", "opted-out date", "blacklisted"),
        *("doNotEmail", "donotemail", "Do not e-mail", "DNC", "no_email", "is_blocked", "bounced"),
        *("Bounce reason", "deleted_at", "isDeleted", "suppressed", "email_disabled", "inactive"),
        *("archived", "expired", "deceased", "verstorben", "Paused", "ended_at", "quarantine"),
        *("not_subscribed", "NonSubscribed", "is not active", "left"),
        *("Abgemeldet am", "gelöscht", "gesperrt", "Widerruf", "dado de baja", "rebotado"),
        *("désabonné", "désinscription", "supprimé", "disiscritto", "cancellato"),
        *("descadastrado", "removido", "afgemeld", "uitgeschreven", "verwijderd"),
        "DE\u0301SABONNE\u0301",
    ],
)
def test_names_under_which_a_yes_means_no(name: str) -> None:
    assert sense(name) is Sense.LEFT
    assert guess(name, ["1", "0"], filled=True) == (ColumnUse.OPT_OUT, "")


@pytest.mark.parametrize(
    "name",
    [
        *("subscribed_to_emails", "Newsletter", "optIn", "opted_in", "consent", "GDPR", "status"),
        *("Email Status", "confirmed", "verified", "accepts_marketing", "is_active", "enabled"),
        *("not_unsubscribed", "Einwilligung", "Angemeldet", "bestätigt", "suscrito", "activo"),
        *("abonné", "inscrit", "iscritto", "attivo", "assinante", "ativo", "aangemeld", "actief"),
    ],
)
def test_names_under_which_a_yes_is_one(name: str) -> None:
    assert sense(name) is Sense.WANTED
    assert guess(name, ["1", "0"], filled=True) == (ColumnUse.CONSENT, "")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("note", ["likes tea", "calls on Mondays"]),
        ("name", ["Ann Stay", "Bob Left", "Eva Block"]),
        ("city", ["Vienna", "Baja California"]),
        ("state", ["CA", "New York"]),
        ("plan", ["gold", "silver"]),
        ("customer", []),
        ("id", ["1", "0"]),
    ],
)
def test_what_says_nothing_of_mail_is_no_guess(name: str, values: list[str]) -> None:
    found = guess(name, values, filled=True)
    assert found is None or found.use is ColumnUse.IGNORE


@pytest.mark.parametrize(
    "value",
    [
        "Unsubscribed",
        "asked to be removed",
        "former member",
        "Pending",
        "never",
        "hard bounce",
        "do not mail",
        "abgemeldet",
        "active",
    ],
)
def test_one_value_that_speaks_of_leaving_is_enough_and_is_named(value: str) -> None:
    found = guess("spalte 7", ["a", value, "b"], filled=False)
    assert found == (ColumnUse.CONSENT, value)


def test_a_state_is_one_of_a_subscription_if_it_is_not_written_like_a_place() -> None:
    assert guess("state", ["wypisany"], filled=True) == (ColumnUse.CONSENT, "")


def test_everybody_has_a_link_to_leave_by() -> None:
    assert guess("unsubscribe_url", ["https://a.example"], filled=True) == (ColumnUse.IGNORE, "")
    assert guess("subscriber_id", ["7"], filled=True) == (ColumnUse.IGNORE, "")
    assert guess("unsub_campaign_id", ["7"], filled=False) == (ColumnUse.OPT_OUT, "")
    assert guess("status_id", ["7"], filled=True) == (ColumnUse.CONSENT, "")


def test_yes_and_no_of_whatever() -> None:
    assert is_yes_or_no(["Ja", "nein"])
    assert is_yes_or_no(["Да", "НЕТ"])
    assert is_yes_or_no(["はい", "いいえ"])
    assert is_yes_or_no(["0"])
    assert not is_yes_or_no(["0", "7"])
    assert not is_yes_or_no([])


def test_bounces_are_told_from_wishes() -> None:
    assert is_about_bounces("hardBounced")
    assert not is_about_bounces("unsubscribed")
