"""What a refusal says about the reader, about us, or about neither.

One place for it: delivering reads SMTP replies here, and bounces and provider events are read by
the same rules.

The enhanced status codes are those of RFC 3463 and the IANA registry it founded (RFC 5248,
RFC 7293, RFC 7505); where large receivers use a code in a way of their own, their published
sender pages decide: Gmail's 4.7.28 (rate) and 5.7.26 (unauthenticated), Microsoft's 5.4.1 "access
denied" (no such user) and 5.7.515 (authentication), Yahoo's 421 and 451 (try again).
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache


class ReplyClass(StrEnum):
    """What follows from a refusal."""

    HARD = "hard"
    """The address is dead: suppress it now."""
    TEMPORARY = "temporary"
    """About this mailbox or just now: counted, and suppressed only when it keeps happening."""
    POLICY = "policy"
    """About the sender or the content: never suppress anybody; alert, and hold the campaign."""
    UNKNOWN = "unknown"
    """It does not say. Nobody is suppressed on a guess."""


_STATUS = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})(?![\d.])")

_HARD = frozenset(["1.1", "1.2", "1.3", "1.6", "1.10", "4.4", "4.310", "7.17", "7.18"])
_VAGUE = frozenset(["0.0", "1.0", "1.4", "2.0", "2.1", "3.0", "4.0", "4.1", "5.0", "7.0", "7.1"])
_POLICY = frozenset(["1.7", "1.8", "2.3", "3.4"])
_POLICY_SUBJECTS = frozenset("67")
"""Content, and security or policy (RFC 3463 sections 3.7 and 3.8)."""
_NOT_ABOUT_ANYBODY = frozenset(["6.7", "6.9"])
"""An international address met a host that cannot take it (RFC 6531)."""
_POLICY_CODES = frozenset((530, 534, 535, 538))
"""Our login is refused (RFC 4954)."""

_WHO = (
    r"(?:(?:user|recipient|mailbox|address|addressee|account|customer)(?:e?s)?|userid|alias"
    r"|local\ part)"
)
_WHERE = r"(?:domain|host|hostname)"
_NEVER_TAKES_MAIL = frozenset((521, 556))
"""The host, or the domain, takes no mail at all (RFC 7504)."""
_GAP = r"(?:[^.;]|\.(?=\S))"
"""Within a sentence; a full stop inside an address or a host name ends none."""
_DEAD = re.compile(
    rf"""unknown\ (?:local\ |virtual\ |e-?mail\ |or\ illegal\ )*(?:{_WHO}|host|domain)\b
    | (?:no|not\ an?)\ (?:such|known|valid)\ (?:local\ |e-?mail\ )?(?:{_WHO}|{_WHERE}|person)
    | no\ (?:known\ )?(?:mailbox|account)\b | no(?:body|\ user)\ (?:here\ )?(?:by|with)\ that\ name
    | no\ one\ at\ this\ address | account\ unavailable | no\ longer\ accepts\ (?:e?-?mail|messages)
    | recipient\ (?:is\ )?(?:not\ (?:accepted|ok)|rejected) | (?:rejected|no\ valid)\ recipients?
    | not\ an\ active\ address | (?:bad|valid)rcptto | badrecipientto | recip(?:ient)?notfound
    | \S@\S{{1,250}}\ (?:does\ not|doesn['\u2019]t)\ exist
    | (?:invalid|bad|illegal|incorrect|undeliverable)
      \ (?:(?:final|delivery|destination|mailbox|e-?mail)\ ){{0,2}}
      (?:{_WHO}|{_WHERE}|host/domain)\b
    | \b(?:{_WHO}|{_WHERE})\b{_GAP}{{0,60}}?
      (?:(?:\bnot|n['\u2019]t)\ (?:be\ )?
          (?:found|known|recogni[sz]ed|exist|listed|registered|present|valid)
        |\bunknown|\bno\ longer\ (?:exists|valid|in\ use|here|on\ (?:this\ )?server))
    | \b(?:{_WHO}|{_WHERE})\ (?:is\ )?invalid | \buser\ not\ local | \bleft\ the\ company
    | \b{_WHO}\b{_GAP}{{0,20}}\b(?:deleted|terminated|closed|removed)
    | not\ listed\ in\ {_GAP}{{0,30}}(?:directory|address\ book)
    | (?:does\ not|doesn['\u2019]t)\ have\ an?\ [^\s;]{{0,60}}\ ?(?:account|mailbox)
    | not\ (?:our|a)\ customer | unroute?able\ address
    | (?:user|recipient)\ has\ moved | has\ been\ replaced\ by | non-?existent\ (?:host|domain)
    | requested\ action\ not\ taken:\ mailbox\ unavailable
    | domain\ is\ not\ reachable | nxdomain | name\ or\ service\ not\ known
    | (?:couldn['\u2019]t|could\ not|cannot|unable\ to)\ find\ (?:any\ |a\ )?
      (?:host|domain|mail\ exchanger)
    | recipient\ address\ rejected:\ access\ denied
    | null\ mx | no\ smtp\ service | (?:host|domain|server)\ does\ not\ accept\ (?:any\ )?mail
    | unbekannter\ (?:benutzer|empf) | empf\S{{1,4}}nger\ (?:ist\ )?unbekannt
    | (?:adresse|benutzer|empf\S{{1,4}}nger)\b{_GAP}{{0,60}}\bexistiert\ nicht
    | (?:destinataire|utilisateur|adresse)\ (?:inconnue?|inexistante?)
    | adresse\ destinataire\ invalide | usuario\ (?:desconocido|no\ existe)
    | utente\ sconosciuto | usu\S{{1,2}}rio\ (?:desconhecido|inexistente)""",
    re.VERBOSE,
)
_FULL = re.compile(
    rf"""gr[ea]y-?list | \b(?:mail\ ?box|inbox|account)\ (?:\w+\ ){{0,4}}?(?:full|over)\b
    | (?:over|exceed(?:s|ed)?)\b{_GAP}{{0,40}}\b(?:quota|allowed\ size|storage)
    | quota\ (?:is\ |has\ been\ )?exceeded | over\ ?quota | mailbox\ size
    | (?:insufficient|not\ enough|out\ of)\ (?:system\ )?(?:storage|disk)
    | disk\ (?:is\ )?full | no\ space\ left
    | \b{_WHO}\b{_GAP}{{0,40}}\b(?:disabled|suspended|inactive|locked|deactivated|not\ active)
    | (?:disabled|suspended|inactive|locked|deactivated)\ (?:recipient|{_WHO})""",
    re.VERBOSE,
)
"""About this mailbox, for now: it is full, late on purpose, or switched off."""
_ABOUT_US = re.compile(
    rf"""\bspam | spam\b | black-?list | block-?list | \bblocked\b | dnsbl | \brbl\b | \bspf\b
    | \bdkim\b | \bdmarc\b | reputation | unsolicited | bulk\ (?:e-?)?mail | suspicious
    | reverse\ dns | \bptr\b | rate[\ -]limit | too\ many | (?:unusual|unexpected)\ (?:rate|volume)
    | \bbanned\b | \bvirus | malware | phishing | content\ (?:is\ |was\ )?(?:rejected|refused)
    | unauthenticated | authenticat(?:ion|e)\b | relay(?:ing)?\ (?:access\ )?denied
    | rcpthosts | \byour\ (?:domain|ip|host|server) | return-?path | sender\ verif
    | not\ (?:allowed|permitted|authori[sz]ed) | unauthori[sz]ed | permission
    | message\ (?:size\ )?(?:is\ )?(?:too\ (?:big|large)|exceed|rejected|refused)
    | client\ host | \b(?:helo|ehlo)\b | sending\ (?:ip|host|server|domain)
    | \bsender\b{_GAP}{{0,60}}\b(?:rejected|refused|denied|blocked|invalid|not\ |exist|unknown|null)
    | \bfrom:?\ (?:header|domain|address) | (?:domain|address)\ of\ sender
    | mail\ from\b[^;]{{0,80}}\b(?:rejected|refused|denied)
    | polic(?:y|ies)\b | complaint""",
    re.VERBOSE,
)
_TROUBLE = re.compile(
    r"""temporar(?:y|ily) | (?:try|retry)\ (?:again\ )?later | not\ found,\ try\ again
    | timed?\ ?-?out | \bdeferred\b | retry\ time | delivery\ expired | queue\ too\ long
    | connection\ (?:refused|reset|closed|lost|failed|dropped) | network\ (?:error|is\ unreach)
    | (?:couldn['\u2019]t|could\ not|can['\u2019]t|cannot|unable\ to)\ (?:create|open|write|connect)
    | did\ not\ accept\ our\ requests\ to\ connect | service\ (?:currently\ )?(?:un|not\ )available
    | \bloops?\b | hop\ count | mail\ system\ problem""",
    re.VERBOSE,
)
"""About a machine on the way: it may work tomorrow."""


@lru_cache(maxsize=64)
def enhanced_status(text: str) -> str:
    """Give the enhanced status code a reply's text begins with, or an empty string.

    Source: RFC 2034 section 4, RFC 3463 section 2.
    """
    found = _STATUS.match(text)
    return found[1] if found else ""


def classify(code: int | None, status: str, text: str) -> ReplyClass:
    """Say what a refusal is about.

    The status code decides where it is exact; where it is vague or absent ("5.0.0", "5.7.1",
    a bare 550) the words decide, and where these are no known ones: a 4xx is temporary, an x.7
    policy, anything else unknown.

    Args:
        code: The SMTP reply code, if there is one.
        status: The enhanced status code ("5.1.1"), or an empty string.
        text: What the other side said.
    """
    status = status or enhanced_status(text)
    transient = status.startswith("4") or (code is not None and 400 <= code < 500)
    refused = transient or status.startswith("5") or (code is not None and 500 <= code < 600)
    if not refused:
        return ReplyClass.UNKNOWN
    if code in _POLICY_CODES:
        return ReplyClass.POLICY
    if code in _NEVER_TAKES_MAIL and status in ("", "5.3.2", "5.1.10"):
        return ReplyClass.HARD
    detail = status.partition(".")[2]
    if detail and detail not in _VAGUE:
        return _by_status(detail, transient)
    said = _by_words(text.lower(), transient)
    return said or _otherwise(code, detail, transient)


def _by_status(detail: str, transient: bool) -> ReplyClass:
    if detail in _NOT_ABOUT_ANYBODY:
        return ReplyClass.UNKNOWN
    if detail in _HARD:
        return ReplyClass.TEMPORARY if transient else ReplyClass.HARD
    if detail in _POLICY or detail[0] in _POLICY_SUBJECTS:
        return ReplyClass.POLICY
    if detail[0] == "5":
        return ReplyClass.TEMPORARY if transient else ReplyClass.UNKNOWN
    return ReplyClass.TEMPORARY


def _by_words(said: str, transient: bool) -> ReplyClass | None:
    if _FULL.search(said):
        return ReplyClass.TEMPORARY
    if _ABOUT_US.search(said):
        return ReplyClass.POLICY
    if _TROUBLE.search(said):
        return ReplyClass.TEMPORARY
    if _DEAD.search(said):
        return ReplyClass.TEMPORARY if transient else ReplyClass.HARD
    return None


def _otherwise(code: int | None, detail: str, transient: bool) -> ReplyClass:
    if detail.startswith("7"):
        return ReplyClass.POLICY
    if detail == "1.0" and not transient:
        return ReplyClass.HARD
    if transient or code == 552 or detail.startswith(("2", "4")):
        return ReplyClass.TEMPORARY
    return ReplyClass.UNKNOWN
