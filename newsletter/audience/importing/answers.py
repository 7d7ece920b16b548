"""Whether a cell says yes, says no, or says nothing clear.

In English, Spanish, German, French, Italian, Portuguese and Dutch. Only whole cells count: of
"unsubscribed by mistake" nobody can tell, so it is unclear.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from newsletter.audience.model import SuppressionReason

_SPELLINGS = 4096
"""How many different cells are remembered: most columns hold few, and one may hold a million."""
_LONGEST = 100
"""Characters; a longer cell is no answer."""
_JOINT = re.compile(r"(?<=[^\W\d_])[\s_\u2010-\u2015-]+(?=[^\W\d_])")
_NUMBER = re.compile(r"\d+([.,]\d+)?")
_DATE = re.compile(r"^\d{1,4}[-./]\d{1,2}[-./]\d{1,4}(?!\d)|\b(19|20)\d\d\b")
_NO_DATE = frozenset("0-./: tz")
"""What `0000-00-00T00:00:00Z` consists of, which is how MySQL writes a missing date."""

_NOTHING = frozenset(["", "-", "--", "n/a", "na", "nan", "nil", "none", "null", "\\n"])
_YES = frozenset(
    (
        *("1", "1.0", "y", "yes", "t", "true", "on"),
        *("si", "ja", "oui", "sim", "verdadero", "wahr", "vrai", "vero", "verdadeiro", "waar"),
    )
)
_NO = frozenset(
    (
        *("0", "0.0", "n", "no", "f", "false", "off"),
        *("nein", "non", "nao", "nee", "falso", "falsch", "faux", "onwaar"),
    )
)
_NEVER = frozenset(["never", "nunca", "nie", "jamais", "mai", "nooit"])
_ON_A_LIST = frozenset(
    (
        *("subscribed", "opt in", "opted in", "single opt in", "double opt in"),
        *("suscrito", "suscrita"),
        *("abonniert", "angemeldet", "eingetragen"),
        *("abonne", "abonnee", "inscrit", "inscrite"),
        *("iscritto", "iscritta", "abbonato", "abbonata"),
        *("inscrito", "inscrita", "subscrito", "subscrita", "assinante"),
        *("aangemeld", "geabonneerd", "ingeschreven"),
    )
)
_AGREED = frozenset(
    (
        *("active", "enabled", "confirmed", "accepted", "agreed", "allowed", "granted"),
        *("activo", "activa", "habilitado", "confirmado", "confirmada", "aceptado"),
        *("aktiv", "aktiviert", "bestatigt", "bestaetigt", "zugestimmt", "eingewilligt"),
        *("actif", "confirme", "confirmee", "accepte"),
        *("attivo", "attiva", "confermato", "confermata", "accettato"),
        *("ativo", "ativa", "aceito", "autorizado"),
        *("actief", "bevestigd", "akkoord"),
    )
)
"""A yes in a column of consent. In one of objections it would say that the objection holds."""
_LEFT = {
    word: reason
    for reason, words in {
        SuppressionReason.UNSUBSCRIBED: (
            *("unsubscribed", "unsubscribe", "un subscribed", "opted out", "opt out", "optout"),
            *("cancelled", "canceled", "declined", "refused", "revoked", "withdrawn"),
            *("baja", "dado de baja", "dada de baja", "desuscrito", "desuscrita", "cancelado"),
            *("abgemeldet", "abbestellt", "ausgetragen", "widerrufen", "gekundigt"),
            *("desabonne", "desabonnee", "desinscrit", "desinscrite"),
            *("disiscritto", "disiscritta", "cancellato", "cancellata"),
            *("descadastrado", "descadastrada", "desinscrito", "desinscrita", "cancelada"),
            *("afgemeld", "uitgeschreven", "opgezegd"),
        ),
        SuppressionReason.BOUNCED: (
            *("bounce", "bounced", "hard bounce", "hard bounced", "cleaned", "undeliverable"),
            *("rebotado", "unzustellbar"),
        ),
        SuppressionReason.COMPLAINED: (
            *("complained", "complaint", "spam", "spam complaint", "abuse"),
        ),
        SuppressionReason.MANUAL: (
            *("blocked", "blacklisted", "blocklisted", "black listed", "block listed"),
            *("banned", "suppressed", "disabled", "deleted", "removed", "erased"),
            *("bloqueado", "bloqueada", "eliminado", "eliminada", "borrado", "borrada"),
            *("gesperrt", "geloscht", "geloescht", "deaktiviert", "blockiert"),
            *("bloque", "bloquee", "supprime", "supprimee", "desactive", "desactivee"),
            *("bloccato", "bloccata", "eliminato", "eliminata", "rimosso", "disattivato"),
            *("removido", "removida", "excluido", "excluida", "desativado"),
            *("geblokkeerd", "verwijderd", "uitgeschakeld"),
        ),
    }.items()
    for word in words
}

_HINTS = frozenset(
    (
        *("inactive", "pending", "unconfirmed", "awaiting", "not subscribed", "former", "resigned"),
        *("churned", "lapsed", "expired", "deceased", "paused", "on hold", "no mail"),
        *("inactivo", "inaktiv", "inactif", "inattivo", "inativo", "inactief", "ehemalig"),
    )
)
"""Also states of a subscription, but neither a clear yes nor a clear no."""
_TOLD = re.compile(rf"\b({'|'.join(sorted((_LEFT.keys() | _HINTS) - {'baja'}))})\b")
"""Within a sentence; there Baja is a place."""


class Answer(NamedTuple):
    """What a cell says: ``yes``, or why its person ``left``; neither where it is unclear."""

    yes: bool
    left: SuppressionReason | None = None


YES = Answer(yes=True)
UNCLEAR = Answer(yes=False)


def fold(text: str) -> str:
    """Text without the differences that do not count: case, accents, width, hyphens."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    letters = "".join(char for char in plain if not unicodedata.combining(char))
    return _JOINT.sub(" ", letters.strip())


_ELSEWHERE = frozenset(
    fold(word)
    for word in (
        *("tak", "nie", "ano", "ne", "igen", "nem", "da", "nu", "evet", "hayır", "kyllä", "ei"),
        *("j", "nej", "nei", "да", "нет", "так", "ні", "ναι", "όχι", "כן", "לא", "نعم", "لا"),
        *("はい", "いいえ", "是", "否", "예", "아니요"),
    )
)
"""Yes and no in languages whose answers are not taken: enough to ask what a column is."""


def read_consent(cell: str) -> Answer:
    """What a cell says in a column where a yes is consent."""
    return _consent(cell) if len(cell) <= _LONGEST else UNCLEAR


def read_opt_out(cell: str, reason: SuppressionReason) -> Answer:
    """What a cell says in a column where a yes, a number or a date is an objection.

    Args:
        cell: The cell.
        reason: What somebody is suppressed for whose cell gives no reason of its own.
    """
    return _opt_out(cell, reason) if len(cell) <= _LONGEST else UNCLEAR


@lru_cache(_SPELLINGS)
def _consent(cell: str) -> Answer:
    said = fold(cell)
    if said in _YES or said in _ON_A_LIST or said in _AGREED:
        return YES
    if said in _NO:
        return Answer(yes=False, left=SuppressionReason.UNSUBSCRIBED)
    return Answer(yes=False, left=_LEFT.get(said))


@lru_cache(_SPELLINGS)
def _opt_out(cell: str, reason: SuppressionReason) -> Answer:
    said = fold(cell)
    none = "0" in said and _NO_DATE.issuperset(said)
    if none or said in _NOTHING or said in _NO or said in _ON_A_LIST:
        return YES
    if said in _LEFT:
        return Answer(yes=False, left=_LEFT[said])
    if said in _YES or _NUMBER.fullmatch(said) or _DATE.search(said):
        return Answer(yes=False, left=reason)
    return UNCLEAR


def is_denial(cell: str) -> bool:
    """Whether a cell says, in place of a time, that there was none."""
    return fold(cell) in _NEVER or read_consent(cell).left is not None


def is_bare(cell: str) -> bool:
    """Whether a cell is no more than a yes or a no, of whatever."""
    said = fold(cell)
    return said in _YES or said in _NO or said in _ELSEWHERE


def is_about_leaving(cell: str) -> bool:
    """Whether a cell is the state of a subscription, or speaks of a no in a few words."""
    said = fold(cell[:_LONGEST])
    whole = said in _ON_A_LIST or said in _AGREED or said in _LEFT or said in _NEVER
    return whole or _TOLD.search(said) is not None
