"""The claims lexicon: words that promise a result, unless negated ("no guarantee")."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_LEXICON = re.compile(
    r"""\b(?:
        cur(?:e|es|ed|ing)
      | guarante(?:e|es|ed|eing)
      | FDA[\s-]+(?:approved|approval) | approved\s+by\s+the\s+FDA
      | proven
      | miracles? | miraculous(?:ly)?
      | risk[\s-]free | (?:no|without(?:\s+any)?)\s+(?:risks?|side[\s-]effects?)
      | eliminat(?:e|es|ed|ing)\s+(?:(?:your|all|the|chronic|any)\s+){0,2}pain
      | (?:permanent|instant|guaranteed)(?:ly)?\s+(?:pain\s+)?reli(?:ef|eve[sd]?)
      | 100\s?(?:%|percent\b|per\s+cent\b)
      | breakthroughs?
      | revolutionary
    )(?!\w)""",
    re.IGNORECASE | re.VERBOSE,
)
# A negation counts within its clause only: "not cheap, but a proven cure" is a claim.
_CLAUSE = re.compile(r"[;:—–]|\s-\s|\b(?:but|however|yet)\b", re.IGNORECASE)
# "Not only" and "not just" affirm what follows.
_NO = re.compile(
    r"\b(?:no|not(?!\s+(?:only|just)\b)|never|neither|nor|none|nobody|nothing|without|cannot"
    r"|instead\s+of|rather\s+than|\w+n['’]t)\b",
    re.IGNORECASE,
)
# "A cure is not known": the negation may follow within two words.
_DENIED_AFTER = re.compile(
    r"(?:\W+\w+){0,2}?\W+(?:(?:is|are|was|were|has|have|does|do|can)\s+(?:not|no|never|unknown)"
    r"|cannot|\w+n['’]t)\b",
    re.IGNORECASE,
)
REACH = 60
"""How many characters before a word a negation still counts."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One promise: the words as written, and their line."""

    words: str
    line: int


def find_claims(sentence: str, line: int) -> Iterator[Claim]:
    """The claims of one sentence that are not negated in their own clause."""
    for found in _LEXICON.finditer(sentence):
        before = _CLAUSE.split(sentence[: found.start()])[-1][-REACH:]
        if not _NO.search(before) and not _DENIED_AFTER.match(sentence, found.end()):
            yield Claim(found[0], line)
