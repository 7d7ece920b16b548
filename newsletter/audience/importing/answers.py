"""Whether a cell is a yes, a no, or unclear.

In English, Spanish, German, French, Italian, Portuguese and Dutch. Only whole cells count:
"unsubscribed by mistake" could mean either, so it is unclear.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from newsletter.audience.model import SuppressionReason

_SPELLINGS = 4096
"""Different cells cached: most columns have few values, but one may have a million."""
_LONGEST = 100
"""Characters; a longer cell is not an answer."""
_JOINT = re.compile(r"(?<=[^\W\d_])[\s_\u2010-\u2015-]+(?=[^\W\d_])")
_NUMBER = re.compile(r"\d+([.,]\d+)?")
_DATE = re.compile(r"^\d{1,4}[-./]\d{1,2}[-./]\d{1,4}(?!\d)|\b(19|20)\d\d\b")
_NO_DATE = frozenset("0-./: tz")
"""The characters of `0000-00-00T00:00:00Z`, MySQL's way to write a missing date."""

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
"""A yes in a consent column. In an opt-out column it would mean that the opt-out is valid."""
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
"""Words about a subscription that are neither a clear yes nor a clear no."""
_TOLD = re.compile(rf"\b({'|'.join(sorted((_LEFT.keys() | _HINTS) - {'baja'}))})\b")
"""Within a sentence. "Baja" is left out: there it is a place (Baja California)."""


class Answer(NamedTuple):
    """The meaning of a cell: ``yes``, or the reason why they ``left``; neither if it is unclear."""

    yes: bool
    left: SuppressionReason | None = None


YES = Answer(yes=True)
UNCLEAR = Answer(yes=False)


def fold(text: str) -> str:
    """The text without case, accents, width and hyphens, which make no difference."""
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
"""Yes and no in languages that are not understood: enough to ask what a column is."""


def read_consent(cell: str) -> Answer:
    """The meaning of a cell in a column where a yes is consent."""
    return _read_consent(cell) if len(cell) <= _LONGEST else UNCLEAR


def read_opt_out(cell: str, reason: SuppressionReason) -> Answer:
    """The meaning of a cell in a column where a yes, a number or a date is an opt-out.

    Args:
        cell: The cell.
        reason: The reason to suppress for if the cell gives none.
    """
    return _read_opt_out(cell, reason) if len(cell) <= _LONGEST else UNCLEAR


# Cached behind the check of length: a long cell must not fill the cache.
@lru_cache(_SPELLINGS)
def _read_consent(cell: str) -> Answer:
    said = fold(cell)
    if said in _YES or said in _ON_A_LIST or said in _AGREED:
        return YES
    if said in _NO:
        return Answer(yes=False, left=SuppressionReason.UNSUBSCRIBED)
    return Answer(yes=False, left=_LEFT.get(said))


@lru_cache(_SPELLINGS)
def _read_opt_out(cell: str, reason: SuppressionReason) -> Answer:
    said = fold(cell)
    no_date = "0" in said and _NO_DATE.issuperset(said)
    if no_date or said in _NOTHING or said in _NO or said in _ON_A_LIST:
        return YES
    if said in _LEFT:
        return Answer(yes=False, left=_LEFT[said])
    if said in _YES or _NUMBER.fullmatch(said) or _DATE.search(said):
        return Answer(yes=False, left=reason)
    return UNCLEAR


def is_denial(cell: str) -> bool:
    """Whether a cell that should be a time says "never"."""
    return fold(cell) in _NEVER or read_consent(cell).left is not None


def is_bare(cell: str) -> bool:
    """Whether a cell is just a yes or a no, about anything."""
    said = fold(cell)
    return said in _YES or said in _NO or said in _ELSEWHERE


def is_about_leaving(cell: str) -> bool:
    """Whether a cell is the state of a subscription, or mentions an opt-out in a few words."""
    said = fold(cell[:_LONGEST])
    whole = said in _ON_A_LIST or said in _AGREED or said in _LEFT or said in _NEVER
    return whole or _TOLD.search(said) is not None
