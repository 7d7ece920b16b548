"""What law and mailbox providers ask of every mail: who sends it, from where, and the way out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from newsletter.check.claims import Claim, find_claims
from newsletter.check.lint_context import SETTINGS_FILE, LintContext
from newsletter.check.model import Severity
from newsletter.check.rule import ALL_MAIL, TRANSACTIONAL, Problem, rule
from newsletter.check.wordlists import CONDITIONS, FREEMAIL
from newsletter.loopback import is_loopback

_CONDITION = re.compile(rf"(?:\b|_)({'|'.join(sorted(CONDITIONS))})", re.IGNORECASE)
_SAMPLE = re.compile(r"\bsample\b|\b00000\b", re.IGNORECASE)
_SUBJECT_LIKE = re.compile(
    r"\b(?:re|fwd?)\s*:|[@\u2600-\u27bf\U0001f000-\U0001faff]", re.IGNORECASE
)


@rule("compliance/postal-address", Severity.BLOCKER, applies_to=ALL_MAIL)
def postal_address(case: LintContext) -> Iterator[Problem]:
    """The postal address does not stand in a part (CAN-SPAM, 15 U.S.C. 7704(a)(5)(A)(iii))."""
    address = _words(case.publication.postal_address)
    if not address:
        yield _setting(case, "postal_address", "there is no postal address", "set yours")
        return
    for part, words, _ in case.parts:
        if address not in _words(words):
            file = case.template if part == "HTML" else case.text_template
            yield Problem(
                1,
                f"the postal address does not stand in the {part} part",
                "show publication.postal_address in the footer",
                file,
            )


@rule("compliance/sample-address", Severity.BLOCKER, live=True)
def sample_address(case: LintContext) -> Iterator[Problem]:
    """The postal address is still the sample one."""
    if _SAMPLE.search(case.publication.postal_address):
        yield _setting(
            case,
            "postal_address",
            "the postal address is the sample one",
            "set the street address that your mail may reach you at",
        )


@rule("compliance/unsubscribe", Severity.BLOCKER, applies_to=ALL_MAIL)
def unsubscribe(case: LintContext) -> Iterator[Problem]:
    """No visible way out in a part (RFC 8058 is for programs, the link is for people)."""
    if not case.can_leave:
        return
    for reading in case.readings:
        url = reading.unsubscribe_url
        fix = "link to {{ unsubscribe }} in the footer"
        if not any(link.href.startswith(url) and link.text for link in reading.links):
            yield Problem(1, "the HTML part has no visible unsubscribe link", fix, case.template)
        if url not in reading.text:
            yield Problem(1, "the text part has no unsubscribe link", fix, case.text_template)


@rule("compliance/public-url", Severity.BLOCKER, applies_to=ALL_MAIL)
def public_url(case: LintContext) -> Iterator[Problem]:
    """Unsubscribe links must be https; plain http is for this machine, and not for a live send."""
    parts = urlsplit(case.publication.public_url)
    if parts.scheme == "https" and parts.hostname:
        return
    if case.live or parts.scheme != "http" or not is_loopback(parts.hostname or ""):
        yield _setting(
            case,
            "public_url",
            f"public_url is {case.publication.public_url or 'empty'}: links in mail must be https",
            "set the https address that `./send.py serve` is reached at",
        )


@rule("compliance/freemail-sender", Severity.BLOCKER, applies_to=ALL_MAIL)
def freemail_sender(case: LintContext) -> Iterator[Problem]:
    """A From address at a freemail provider fails DMARC alignment everywhere."""
    domain = case.compiled.sender.from_address.rpartition("@")[2].casefold().rstrip(".")
    if domain in FREEMAIL:
        yield _setting(
            case,
            "from_address",
            f"From is an address at {domain}, which refuses mail sent in its name by others",
            "send from a domain of your own",
        )


@rule("compliance/sender-name", Severity.WARNING, applies_to=ALL_MAIL)
def sender_name(case: LintContext) -> Iterator[Problem]:
    """A display name with "Re:", an emoji or an @ (Google's sender guidelines forbid these)."""
    if found := _SUBJECT_LIKE.search(case.compiled.sender.from_name):
        yield _setting(
            case,
            "from_name",
            f"the sender's name holds “{found[0]}”",
            "write who you are and nothing else",
        )


@rule("compliance/condition-list", Severity.WARNING, applies_to=ALL_MAIL)
def condition_list(case: LintContext) -> Iterator[Problem]:
    """A list or sender named after a condition tells bystanders what its readers may have."""
    sender = case.compiled.sender
    names = {"list_id": sender.list_id, "name": sender.list_name, "from_name": sender.from_name}
    for key, name in names.items():
        if found := _CONDITION.search(name):
            yield _setting(
                case,
                key,
                f"{key} names a condition ({found[1]}): whoever sees the inbox learns of it",
                "name the list after who writes it",
            )


@rule("compliance/claim", Severity.WARNING)
def claim(case: LintContext) -> Iterator[Problem]:
    """A promise of the claims lexicon with no citation in its sentence (FTC, 16 CFR 255)."""
    for found in _claims(case):
        yield Problem(
            found.line,
            f"“{found.words}” is a claim without a citation",
            "say what was found, in whom, and cite it; or drop the word",
        )


@rule("letters/one-click", Severity.BLOCKER, applies_to=TRANSACTIONAL)
def one_click(case: LintContext) -> Iterator[Problem]:
    """The header lacks one URI and the word for it (RFC 8058 section 3.1), or people get another.

    Issues get both from the composer alone; a welcome's link is its template's to write.
    """
    if not case.can_leave:
        return
    url = case.headers.get("List-Unsubscribe", "").strip("<>")
    own = {
        link.href
        for reading in case.readings
        for link in reading.links
        if link.href.startswith(reading.unsubscribe_url)
    }
    complete = case.headers.get("List-Unsubscribe-Post") == "List-Unsubscribe=One-Click"
    if not complete or url not in own:
        yield Problem(
            1,
            "the header of one-click unsubscribing is missing, or leads elsewhere than the link",
            "link to {{ unsubscribe }}, which the header names too",
        )


def _claims(case: LintContext) -> Iterator[Claim]:
    for text, line in _heads(case):
        yield from find_claims(text, line)
    for passage in case.passages:
        for sentence in passage.sentences:
            if not sentence.cited:
                yield from find_claims(sentence.text, sentence.line)


def _heads(case: LintContext) -> Iterator[tuple[str, int]]:
    """What stands above the article, each with its line."""
    meta = case.issue.meta
    for key in ("subject", "preheader", "standfirst"):
        yield getattr(meta, key), case.meta_line(key)
    if "title" in case.issue.meta_lines:
        yield meta.title, case.meta_line("title")
    elif meta.title not in meta.subject:
        yield meta.title, case.line_of(f"# {meta.title}")
    if meta.call_to_action:
        yield meta.call_to_action.label, case.meta_line("call_to_action.label")


def _setting(case: LintContext, key: str, message: str, fix: str) -> Problem:
    return Problem(case.setting_line(key), message, fix, SETTINGS_FILE)


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))
