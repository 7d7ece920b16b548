"""Numbers and nouns agree."""

import pytest

from newsletter.cli.output import counted


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 people"), (1, "1 person"), (2, "2 people"), (3000, "3,000 people")]
)
def test_a_number_has_its_noun(number: int, said: str) -> None:
    assert counted(number, "person", "people") == said


def test_most_nouns_only_take_an_s() -> None:
    assert (counted(1, "row"), counted(1200, "row")) == ("1 row", "1,200 rows")
