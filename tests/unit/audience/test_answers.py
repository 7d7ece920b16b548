"""What a cell says of consent: a clear yes, a clear no, or nothing clear."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.audience.importing import answers
from newsletter.audience.importing.answers import UNCLEAR, YES, Answer, read_consent, read_opt_out
from newsletter.audience.model import SuppressionReason

LEFT, BOUNCED = SuppressionReason.UNSUBSCRIBED, SuppressionReason.BOUNCED
WORDS = sorted(
    answers._YES | answers._NO | answers._ON_A_LIST | answers._AGREED | answers._LEFT.keys()
)
WRITTEN = st.sampled_from(
    [
        str,
        str.upper,
        str.title,
        lambda word: f"  {word}\t",
        lambda word: unicodedata.normalize("NFD", word),
        lambda word: word.replace(" ", "_"),
        lambda word: word.replace(" ", "-"),
        lambda word: word.replace(" ", "  "),
        # Full-width letters, as Japanese keyboards write them.
        lambda word: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in word),
    ]
)


@pytest.mark.parametrize(
    "cell",
    """yes YES y true True 1 1.0 on subscribed Opted-In opt_in active enabled Confirmed granted
    sí Sí suscrito activa confirmado ja Ja angemeldet abonniert bestätigt bestaetigt BESTÄTIGT
    oui abonné abonnée inscrite confirmé vrai iscritto attiva vero sim inscrita ativo
    aangemeld ingeschreven actief""".split(),  # noqa: SIM905 -- words to read
)
def test_a_clear_yes_in_seven_languages(cell: str) -> None:
    assert read_consent(cell) == YES


@pytest.mark.parametrize(
    "cell",
    """no No n false FALSE 0 0.0 off unsubscribed Opt-Out opted_out nein abgemeldet abbestellt non
    désabonné désinscrite não descadastrado baja desuscrita disiscritto nee afgemeld
    uitgeschreven""".split(),  # noqa: SIM905 -- words to read
)
def test_a_clear_no_in_seven_languages(cell: str) -> None:
    assert read_consent(cell) == Answer(yes=False, left=LEFT)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("Bounced", "bounced"),
        ("hard bounce", "bounced"),
        ("cleaned", "bounced"),
        ("spam complaint", "complained"),
        ("Blacklisted", "manual"),
        ("gelöscht", "manual"),
    ],
)
def test_a_no_with_a_reason_of_its_own(cell: str, reason: str) -> None:
    assert read_consent(cell).left == reason
    assert read_opt_out(cell, LEFT).left == reason


@pytest.mark.parametrize(
    "cell",
    [
        *("", " ", "-", "?", "maybe", "pending", "unconfirmed", "awaiting confirmation", "null"),
        *("2", "-1", "10", "01", "2024-05-01", "2024", "yes?", "yes, but", "not yes", "yesno"),
        *("non-subscribed", "inactive", "unsubscribed by mistake", "x", "ok", "VIP", "ＹＥＳ？"),
        "yes" * 4000,
    ],
)
def test_whatever_else_is_not_clear(cell: str) -> None:
    assert read_consent(cell) == UNCLEAR


@pytest.mark.parametrize(
    "cell",
    [
        *("1", "3", "2.5", "yes", "TRUE", "on", "ja", "unsubscribed", "Opt-out", "1709296200"),
        *("2024-03-01", "2024-03-01T12:30:00Z", "31.12.2019", "3/1/24 12:30", "Mar 1, 2024"),
    ],
)
def test_a_yes_a_number_or_a_date_is_an_objection(cell: str) -> None:
    assert read_opt_out(cell, LEFT) == Answer(yes=False, left=LEFT)


@pytest.mark.parametrize(
    "cell",
    [
        *("", "0", "0.0", "no", "False", "f", "nein", "NULL", "n/a", "\\N", "-", "none", "NaN"),
        *("0000-00-00", "0000-00-00 00:00:00", "subscribed", "opted in"),
    ],
)
def test_no_objection(cell: str) -> None:
    assert read_opt_out(cell, LEFT) == YES


@pytest.mark.parametrize("cell", ["maybe", "active", "confirmed", "pending", "manual", "soft", "x"])
def test_what_is_unclear_under_objections_is_no_yes(cell: str) -> None:
    assert read_opt_out(cell, LEFT) == UNCLEAR


@given(st.sampled_from(WORDS), WRITTEN)
def test_the_way_a_word_is_written_does_not_count(word: str, written: object) -> None:
    cell = written(word)  # type: ignore[operator]
    assert read_consent(cell) == read_consent(word)
    assert read_opt_out(cell, LEFT) == read_opt_out(word, LEFT)


@given(st.sampled_from(WORDS), st.text(max_size=3), st.text(max_size=3))
def test_only_a_whole_cell_is_a_yes(word: str, before: str, after: str) -> None:
    cell = before + word + after
    if answers.fold(cell) not in WORDS:
        assert read_consent(cell) == UNCLEAR


@given(st.text())
def test_any_cell_can_be_read_and_says_one_thing(cell: str) -> None:
    consent, objection = read_consent(cell), read_opt_out(cell, BOUNCED)
    assert not (consent.yes and consent.left)
    assert not (objection.yes and objection.left)


@given(st.sampled_from(WORDS) | st.integers().map(str) | st.datetimes().map(str))
def test_what_is_a_reason_to_leave_in_one_kind_of_column_is_welcome_in_neither(cell: str) -> None:
    if cell in answers._LEFT:
        assert read_consent(cell).left == read_opt_out(cell, BOUNCED).left == answers._LEFT[cell]
    if cell in answers._YES:
        assert (read_consent(cell).yes, read_opt_out(cell, BOUNCED).left) == (True, BOUNCED)
