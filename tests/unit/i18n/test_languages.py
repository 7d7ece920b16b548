"""Language tags: the best match, the name and the direction of a language."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.i18n.dates import long_date
from newsletter.i18n.languages import direction, language_name, lookup, same_language
from newsletter.i18n.numbers import whole_number

ANY_TAG = st.text(max_size=40) | st.lists(
    st.sampled_from(["en", "ar", "zh", "Hant", "x", "a", "419", "MX", "", "../en"]), max_size=5
).map("-".join)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("es", "es"),
        ("es-MX", "es"),
        ("es_MX", "es"),
        ("ES-419", "es"),
        ("pt", None),
        ("pt-BR", "pt-BR"),
        ("pt-br-x-clinic", "pt-BR"),
        ("pt-PT", None),
        ("zh-Hant-TW", "zh-Hant"),
        ("zh-Hans", None),
        ("e", None),
        ("", None),
        ("*", None),
    ],
)
def test_the_best_available_language(wanted: str, found: str | None) -> None:
    assert lookup(wanted, ("en", "es", "pt-BR", "zh-Hant")) == found


@pytest.mark.parametrize(
    ("tag", "way"),
    [
        ("en", "ltr"),
        ("es-MX", "ltr"),
        ("ar", "rtl"),
        ("ar-EG", "rtl"),
        ("he", "rtl"),
        ("fa", "rtl"),
        ("ur_PK", "rtl"),
        ("xx", "ltr"),
        ("", "ltr"),
    ],
)
def test_the_direction_of_a_language(tag: str, way: str) -> None:
    assert direction(tag) == way


def test_language_names_are_in_english() -> None:
    assert language_name("es") == "Spanish (es)"
    assert language_name("pt-BR") == "Portuguese (Brazil) (pt-BR)"
    assert language_name("xx") == "xx"


def test_regions_of_one_language_count_as_the_same() -> None:
    assert same_language("en", "en-GB")
    assert same_language("es_MX", "ES")
    assert not same_language("en", "es")


@given(ANY_TAG)
def test_any_tag_is_accepted(tag: str) -> None:
    assert lookup(tag, ("en", "es")) in {"en", "es", None}
    assert direction(tag) in {"ltr", "rtl"}
    assert tag in language_name(tag)


def test_dates_and_numbers_follow_the_language() -> None:
    day = datetime.date(2026, 6, 1)
    assert long_date(day, "en") == "June 1, 2026"
    assert long_date(day, "es") == "1 de junio de 2026"
    assert long_date(day, "xx") == "June 1, 2026"
    assert whole_number(12_345, "en") == "12,345"
    assert whole_number(12_345, "es") == "12.345"
