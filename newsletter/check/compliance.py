"""What the law and mailbox providers require: sender, postal address, unsubscribe link."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from urllib.parse import urlsplit

from newsletter.check.claims import find_claims
from newsletter.check.lint_context import SETTINGS_FILE, LintContext
from newsletter.check.model import Severity
from newsletter.check.rule import ALL_MAIL, TRANSACTIONAL, Problem, rule
from newsletter.check.wordlists import CONDITIONS, FREEMAIL
from newsletter.loopback import is_loopback

_TITLES = ("subject", "preheader", "standfirst")
# Also after an underscore, as in a list_id such as "neck_migraine".
_CONDITION = re.compile(rf"(?:\b|_)({'|'.join(sorted(CONDITIONS))})", re.IGNORECASE)
_SAMPLE = re.compile(r"\bsample\b|\b00000\b", re.IGNORECASE)
_SUBJECT_LIKE = re.compile(
    r"\b(?:re|fwd?)\s*:|[@\u2600-\u27bf\U0001f000-\U0001faff]", re.IGNORECASE
)


@rule("compliance/postal-address", Severity.BLOCKER, applies_to=ALL_MAIL)
def postal_address(context: LintContext) -> Iterator[Problem]:
    """A part without the postal address (CAN-SPAM, 15 U.S.C. 7704(a)(5)(A)(iii))."""
    address = _words(context.publication.postal_address)
    if not address:
        yield _setting(
            context,
            "postal_address",
            "there is no postal address, which the law requires",
            "set yours",
        )
        return
    # Only the words must match: templates break the address into lines.
    for part, words, _ in context.parts:
        if address not in _words(words):
            file = context.template if part == "HTML" else context.text_template
            yield Problem(
                1,
                f"the {part} part does not show the postal address",
                "show publication.postal_address in the footer",
                file,
            )


@rule("compliance/sample-address", Severity.BLOCKER, live=True)
def sample_address(context: LintContext) -> Iterator[Problem]:
    """The postal address is still the sample one."""
    if _SAMPLE.search(context.publication.postal_address):
        yield _setting(
            context,
            "postal_address",
            "the postal address is still the sample address",
            "set the street address where you receive mail",
        )


@rule("compliance/unsubscribe", Severity.BLOCKER, applies_to=ALL_MAIL)
def unsubscribe(context: LintContext) -> Iterator[Problem]:
    """A part without a visible unsubscribe link."""
    # The header of RFC 8058 is for mail programs; some show no button for it.
    if not context.can_leave:
        return
    for mail in context.mails:
        url = mail.unsubscribe_url
        fix = "link to {{ unsubscribe }} in the footer"
        if not any(link.href.startswith(url) and link.text for link in mail.links):
            yield Problem(1, "the HTML part has no visible unsubscribe link", fix, context.template)
        if url not in mail.text:
            yield Problem(1, "the text part has no unsubscribe link", fix, context.text_template)


@rule("compliance/public-url", Severity.BLOCKER, applies_to=ALL_MAIL)
def public_url(context: LintContext) -> Iterator[Problem]:
    """A ``public_url`` that is not https; http is allowed on this machine, not in a live send."""
    parts = urlsplit(context.publication.public_url)
    if parts.scheme == "https" and parts.hostname:
        return
    if context.live or parts.scheme != "http" or not is_loopback(parts.hostname or ""):
        yield _setting(
            context,
            "public_url",
            f"public_url is {context.publication.public_url or 'empty'}; links in mail need https",
            "set the https address where readers reach `./send.py serve`",
        )


@rule("compliance/freemail-sender", Severity.BLOCKER, applies_to=ALL_MAIL)
def freemail_sender(context: LintContext) -> Iterator[Problem]:
    """A From address at a freemail provider, which fails DMARC alignment everywhere."""
    # A trailing dot makes no other domain (RFC 1034 section 3.1).
    domain = context.compiled.sender.from_address.rpartition("@")[2].casefold().rstrip(".")
    if domain in FREEMAIL:
        yield _setting(
            context,
            "from_address",
            f"from_address is at {domain}, which rejects mail that others send in its name",
            "use an address at your own domain",
        )


@rule("compliance/sender-name", Severity.WARNING, applies_to=ALL_MAIL)
def sender_name(context: LintContext) -> Iterator[Problem]:
    """A display name with "Re:", an emoji or an @, which Google's sender guidelines forbid."""
    if found := _SUBJECT_LIKE.search(context.compiled.sender.from_name):
        yield _setting(
            context,
            "from_name",
            f"the sender’s name contains “{found[0]}”",
            "use your name only: no emoji, no @, no “Re:” or “Fwd:”",
        )


@rule("compliance/condition-list", Severity.WARNING, applies_to=ALL_MAIL)
def condition_list(context: LintContext) -> Iterator[Problem]:
    """A list or sender named after a condition, which hints at the subscribers' health."""
    sender = context.compiled.sender
    names = {"list_id": sender.list_id, "name": sender.list_name, "from_name": sender.from_name}
    for key, name in names.items():
        if found := _CONDITION.search(name):
            yield _setting(
                context,
                key,
                f"publication.{key} contains a condition ({found[1]}), which anyone who sees the"
                " inbox can read",
                "name the list after the sender instead",
            )


@rule("compliance/claim", Severity.WARNING)
def claim(context: LintContext) -> Iterator[Problem]:
    """A word of the claims lexicon without a citation in its sentence (FTC, 16 CFR 255)."""
    meta = context.issue.meta
    titles = [(getattr(meta, key), context.meta_line(key)) for key in _TITLES]
    if "title" in context.issue.meta_lines:
        titles.append((meta.title, context.meta_line("title")))
    # Without a title of its own, the issue has its heading, or else the subject again.
    elif meta.title not in meta.subject:
        titles.append((meta.title, context.line_of(f"# {meta.title}")))
    if meta.call_to_action:
        label = meta.call_to_action.label
        titles.append((label, context.meta_line("call_to_action.label")))
    uncited = [
        (sentence.text, sentence.line)
        for passage in context.passages
        for sentence in passage.sentences
        if not sentence.cited
    ]
    for found in chain.from_iterable(find_claims(*text) for text in (*titles, *uncited)):
        yield Problem(
            found.line,
            f"“{found.words}” reads like a health claim, but has no citation",
            "state what was found and in which patients, and cite the source; or remove the word",
        )


@rule("letters/one-click", Severity.BLOCKER, applies_to=TRANSACTIONAL)
def one_click(context: LintContext) -> Iterator[Problem]:
    """Headers without one-click unsubscribe (RFC 8058 section 3.1), or with another URL."""
    # In issues the composer writes both; the link of a welcome is written by its template.
    if not context.can_leave:
        return
    url = context.headers.get("List-Unsubscribe", "").strip("<>")
    own = {
        link.href
        for mail in context.mails
        for link in mail.links
        if link.href.startswith(mail.unsubscribe_url)
    }
    # RFC 8058 section 3.1 allows no other value.
    complete = context.headers.get("List-Unsubscribe-Post") == "List-Unsubscribe=One-Click"
    if not complete or url not in own:
        yield Problem(
            1,
            "the one-click unsubscribe header is missing or differs from the unsubscribe link",
            "link to {{ unsubscribe }}, the address that the header has",
        )


def _setting(context: LintContext, key: str, message: str, fix: str) -> Problem:
    return Problem(context.setting_line(key), message, fix, SETTINGS_FILE)


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))
