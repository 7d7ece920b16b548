"""What a column may mean, by its name and values: that people want mail, or that they do not.

The guesses are for the operator to confirm; the check keeps a ``--column`` from contradicting a
name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from enum import IntEnum
from typing import NamedTuple

from newsletter.audience.importing.answers import fold, is_about_leaving, is_bare
from newsletter.audience.model import ColumnUse

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_BETWEEN = re.compile(r"[\W_]+")
_REFUSING = re.compile(
    r"do_?not|dont|dnc|no_?(e?_?mail|contact|newsletter|werbung)|kein(e|en)?_(e?_?mail|werb|newsl)"
)
_LEAVING = re.compile(
    r"unsub|opt(ed)?_?out|bounc|black_?list|block|suppress|delet|remov|cleaned|complain|spam|abuse"
    r"|inactiv|deactiv|disabled|cancel|revok|revoc|withdr|declin|refus|object(ed|ion)|erased|banned"
    r"|exclu|invalid|undeliv|archiv|expired|deceased|quarantin|paused|former|resign|terminat|churn"
    r"|lapsed|(^|_)(left|gone|ended|stop(ped)?|baja|hold)(_|$)"
    r"|abgemeld|abmeld|abbestell|austrag|ausgetrag|sperr|widerruf|widerspr|gelosch|geloesch|unzust"
    r"|verstorb|ehemalig|fallecid|decede|decedut|falecid|overleden"
    r"|desuscri|desinscri|rebot|elimin|borrad|bloque|desabon|supprim|rejet|inactif"
    r"|disiscri|cancell|rimoss|bloccat|descadastr|removid"
    r"|afgemeld|uitgeschr|verwijd|geblokk|opgezeg"
)
_WANTING = re.compile(
    r"subscri|suscri|opt(ed)?_?in|consent|consens|confirm|conferm|verif|agree|accept|acept|accett"
    r"|aceit|allow|permi(ss|so|t)|authori|autori|gdpr|dsgvo|rgpd|lgpd|newsletter|mailing_?list|(^|_)(lists?|opt)(_|$)"
    r"|marketing|(^|_)(is_?)?(active|enabled|status|state|sendable|mailable|contactable)(_|$)"
    r"|activ[oa](_|$)|aktiv|attiv[oa](_|$)|(^|_)ativ[oa]|actief|(^|_)actif|estado|estatus|statut"
    r"|stato(_|$)|abonn|abbonat|inscri|iscri|assin|angemeld|anmeld|eingetrag|aangemeld|ingeschr"
    r"|einwillig|zustimm|einverst|erlaubn|bestatig|bestaetig|bevestig|toestem|akkoord"
    r"|boletin|rundbrief|infolettre|nieuwsbr|bollettin|boletim|werbung|publicidad|publicite"
)
_AGREED = re.compile(
    r"(^|_)(subscribed|opt(ed)?_?in|consent(ed)?|agreed|accepted|confirmed|active)(_|$)"
)
_NOT = re.compile(r"(^|_)(not|non|nicht|niet|pas|never)(_|$)")
_NUMBERED = re.compile(r"(^|_)(uid|uuid|token|url|link|hash|ip)$|(?<!status)(?<!reason)(^|_)id$")
_BOUNCING = re.compile(r"bounc|cleaned|undeliv|invalid|rebot|unzust")
_PLACES = frozenset(["state", "estado", "stato"])
"""Names of a place, too; place names are capitalized."""


class Sense(IntEnum):
    """What a yes in a column means."""

    LEFT = -1
    UNKNOWN = 0
    WANTED = 1


class Guess(NamedTuple):
    """A guess at a column's use, ``because`` of a value; empty: because of its name."""

    use: ColumnUse
    because: str = ""


def sense(column: str) -> Sense:
    """What a yes in a column of this name would mean."""
    name = _snake(column)
    if _REFUSING.search(name):
        return Sense.LEFT
    found = Sense.UNKNOWN
    if _LEAVING.search(name):
        found = Sense.LEFT
    elif _WANTING.search(name):
        found = Sense.WANTED
    return Sense(-found) if _NOT.search(name) else found


def contradicted(column: str, use: ColumnUse) -> ColumnUse | None:
    """The use that fits a column's name, if a yes in it means the opposite of ``use``."""
    said = sense(column)
    if use is ColumnUse.CONSENT and said is Sense.LEFT:
        return ColumnUse.OPT_OUT
    agreed = said is Sense.WANTED and _AGREED.search(_snake(column))
    return ColumnUse.CONSENT if use is ColumnUse.OPT_OUT and agreed else None


def is_about_bounces(column: str) -> bool:
    """Whether a column of this name is about undelivered mail rather than consent."""
    return bool(_BOUNCING.search(_snake(column)))


def guess(column: str, values: Collection[str], *, filled: bool) -> Guess | None:
    """The most likely use of a column; None: neither its name nor its values say.

    Args:
        column: Its name.
        values: Its values, most common first, without the blank.
        filled: Whether no row leaves it blank.
    """
    name, said = _snake(column), sense(column)
    # Everybody has an unsubscribe link; only people who unsubscribed have the id of that event.
    if _NUMBERED.search(name) and (filled or said is not Sense.LEFT):
        return Guess(ColumnUse.IGNORE)
    if said is Sense.LEFT:
        return Guess(ColumnUse.OPT_OUT)
    if said is Sense.WANTED and (name not in _PLACES or any(map(str.islower, values))):
        return Guess(ColumnUse.CONSENT)
    for value in values:
        if is_about_leaving(value) or _REFUSING.search(_snake(value)):
            return Guess(ColumnUse.CONSENT, value)
    return None


def is_yes_or_no(values: Collection[str]) -> bool:
    """Whether all values are a yes or a no, about anything: it may be about mail."""
    return bool(values) and all(map(is_bare, values))


def _snake(name: str) -> str:
    """``doNotEmail`` and ``Do not Email`` as ``do_not_email``."""
    apart = _HUMP.sub("_", unicodedata.normalize("NFKC", name))
    return _BETWEEN.sub("_", fold(apart)).strip("_")
