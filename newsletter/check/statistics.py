"""What counts as a statistic: percentages, "N of M", counts of people, "N times as likely"."""

from __future__ import annotations

import re

_ONES = "one|two|three|four|five|six|seven|eight|nine|ten"
_TENS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand"
_NUMBER = r"(?<![\w.,/:-])\d[\d,]*(?:\.\d+)?"
_PEOPLE = (
    "people|persons|patients|participants|women|men|adults|children|infants|volunteers|subjects"
    "|controls|respondents|veterans|athletes|individuals"
)
# Up to two words, as in "48 older women", but none that starts another phrase.
_BETWEEN = (
    r"(?!(?:of|in|to|for|and|or|the|a|by|with|on|at|that|years?|months?|weeks?|days?|hours?"
    r"|minutes?)\b)[a-z-]+\s+"
)

_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?<![\w.,])\d+(?:[.,]\d+)*\s?(?:%|percent\b|per\s+cent\b)",
        rf"{_NUMBER}\s+(?:out\s+of|of|in)\s+(?:every\s+|the\s+)?\d[\d,]*(?![\w/-])",
        rf"\b(?:{_ONES})\s+(?:out\s+of|in)\s+(?:every\s+)?(?:{_ONES}|{_TENS})\b",
        rf"{_NUMBER}\s+(?:{_BETWEEN}){{0,2}}?(?:{_PEOPLE})\b",
        rf"\b(?:{_TENS})(?:[\s-](?:and[\s-])?(?:{_ONES}|{_TENS}))*\s+(?:{_PEOPLE})\b",
        r"(?<![\w.,])\d+(?:\.\d+)?[\s-]?(?:fold\b|times\s+(?:as|more|less|higher|lower|greater)\b)",
    )
)
_YEAR = re.compile(r"(?:19|20)\d\d\b")
_LABELS = re.compile(
    r"\b(?:page|part|step|phase|stage|issue|chapter|volume|table|figure|number|no\.?|day|week"
    r"|grade|level|january|february|march|april|may|june|july|august|september|october|november"
    r"|december)\s+$",
    re.IGNORECASE,
)


def find_statistic(sentence: str) -> str:
    """The first statistic in a sentence, as it is written; "" if it has no statistic."""
    found = []
    for match in (match for pattern in _PATTERNS for match in pattern.finditer(sentence)):
        first, _, rest = match[0].partition(" ")
        last = rest.split(" ")[-1]
        # Years ("2017 patients", "4 in 2017") and counted things ("page 2 of 5") only look like it;
        # "1 in 2000" is one, although 2000 could be a year.
        year = _YEAR.fullmatch(first) or (first != "1" and _YEAR.fullmatch(last))
        if not year and not _LABELS.search(sentence[: match.start()]):
            found.append(match)
    return min(found, key=lambda match: match.start())[0] if found else ""
