"""The exports of other services, told by their headers: which of their people left, and how.

Headers as the services write them, normalized (`csv_columns.normalise`): Mailchimp's and
Substack's by the fixtures of https://github.com/TryGhost/migrate, listmonk's by its
``cmd/subscribers.go``, SendGrid's by https://www.twilio.com/docs/sendgrid/ui/managing-contacts.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from newsletter.audience.model import SuppressionReason

_ANYTHING = r".+"


class UnsubscribedRule(NamedTuple):
    """Whose cell in ``column`` matches whole (in any case) left.

    Without a ``reason`` they never came: the row is rejected.
    """

    column: str
    pattern: str
    reason: SuppressionReason | None

    def matches(self, cell: str) -> bool:
        """Whether this cell says so."""
        return re.fullmatch(self.pattern, cell, re.IGNORECASE) is not None


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of export.

    Args:
        name: For ``--format``.
        title: For people.
        marks: Columns that a header of it has; ``exact``: and no others.
        doubtful: What else may have the same header, so that a person must say.
        everyone: Why nobody in it may be mailed; None where ``leaving`` says so of some.
        left_at: The column with the time at which somebody left.
        full_name: The column with first and last name in one.
        json: The column with further attributes as a JSON object.
        evidence: Columns that say how and when somebody joined.
        dropped: Columns that are not taken over.
    """

    name: str
    title: str
    marks: frozenset[str]
    exact: bool = False
    doubtful: str = ""
    everyone: SuppressionReason | None = None
    leaving: tuple[UnsubscribedRule, ...] = ()
    left_at: str = ""
    full_name: str = ""
    json: str = ""
    evidence: tuple[str, ...] = ()
    dropped: frozenset[str] = frozenset()

    def fits(self, names: Collection[str]) -> bool:
        """Whether a header with these columns is one of it."""
        return set(names) == self.marks if self.exact else set(names) >= self.marks


def _columns(names: str) -> frozenset[str]:
    return frozenset(names.split())


PLAIN = Format("plain", "", frozenset({"email"}), evidence=("optin_time", "confirm_time"))

# Places, IP addresses and notes about people are not taken over.
_MAILCHIMP = _columns(
    "member_rating optin_ip confirm_ip latitude longitude gmtoff dstoff cc region last_changed"
    " leid euid notes unsub_campaign_title unsub_campaign_id unsub_reason unsub_reason_other"
    " clean_campaign_title clean_campaign_id"
)
_OWN = _columns("email first_name last_name language time_zone state suppressed")
_BOTH_STATUS = ("email_status", "email_permission_status")

FORMATS = (
    Format(
        "export",
        "an export of this program",
        _OWN,
        leaving=(
            # An unsubscribe last: of several reasons it alone can be taken back by its reader.
            *(
                UnsubscribedRule("suppressed", rf".*\b{reason}\b.*", reason)
                for reason in (
                    SuppressionReason.ERASED,
                    SuppressionReason.COMPLAINED,
                    SuppressionReason.BOUNCED,
                    SuppressionReason.MANUAL,
                    SuppressionReason.UNSUBSCRIBED,
                )
            ),
            UnsubscribedRule("suppressed", _ANYTHING, None),
            UnsubscribedRule("state", "(?!active$).+", None),
        ),
        dropped=_columns("state suppressed"),
    ),
    Format(
        "mailchimp-unsubscribed",
        "Mailchimp's unsubscribed",
        _columns("email leid euid unsub_time"),
        everyone=SuppressionReason.UNSUBSCRIBED,
        left_at="unsub_time",
    ),
    Format(
        "mailchimp-cleaned",
        "Mailchimp's cleaned addresses",
        _columns("email leid euid clean_time"),
        everyone=SuppressionReason.BOUNCED,
        left_at="clean_time",
    ),
    Format(
        "mailchimp",
        "Mailchimp's subscribers",
        _columns("email leid euid"),
        evidence=PLAIN.evidence,
        dropped=_MAILCHIMP,
    ),
    Format(
        "listmonk",
        "listmonk's subscribers",
        _columns("uuid email name attributes status"),
        leaving=(UnsubscribedRule("status", "blocklisted|disabled", SuppressionReason.MANUAL),),
        left_at="updated_at",
        full_name="name",
        json="attributes",
        evidence=("created_at",),
        dropped=_columns("uuid status updated_at"),
    ),
    Format(
        "substack",
        "Substack's subscribers",
        _columns("email active_subscription email_disabled"),
        leaving=(
            UnsubscribedRule("email_disabled", "true|t|yes|1", SuppressionReason.UNSUBSCRIBED),
        ),
        evidence=("created_at",),
        dropped=_columns(
            "active_subscription expiry plan email_disabled prefer_digests first_payment_at"
        ),
    ),
    Format(
        "constant-contact",
        "Constant Contact's contacts",
        _columns("email email_permission_status"),
        leaving=(
            UnsubscribedRule("confirmed_opt_out_date", _ANYTHING, SuppressionReason.UNSUBSCRIBED),
            *(
                UnsubscribedRule(column, pattern, reason)
                for column in _BOTH_STATUS
                for pattern, reason in (
                    (r"unsubscribed|opt(ed)?[ -]?out", SuppressionReason.UNSUBSCRIBED),
                    (r".*bounce.*|undeliverable|non-?existent", SuppressionReason.BOUNCED),
                    (r"awaiting.*|pending.*|unconfirmed|no permission.*|temp.*hold", None),
                )
            ),
        ),
        left_at="confirmed_opt_out_date",
        evidence=("created_at", "email_update_source", "source_name"),
        dropped=_columns(
            "email_status email_permission_status confirmed_opt_out_date confirmed_opt_out_source"
            " confirmed_opt_out_reason updated_at"
        ),
    ),
    Format(
        "sendgrid",
        "SendGrid's contacts",
        _columns("email contact_id alternate_emails"),
        evidence=("created_at",),
        dropped=_columns(
            "alternate_emails unique_name contact_id updated_at whatsapp line facebook"
        ),
    ),
    Format(
        "sendgrid-bounces",
        "SendGrid's bounces",
        _columns("status reason email created"),
        exact=True,
        doubtful="SendGrid's blocks, which are temporary",
        everyone=SuppressionReason.BOUNCED,
        left_at="created",
    ),
    Format(
        "sendgrid-invalid-emails",
        "SendGrid's invalid addresses",
        _columns("reason email created"),
        exact=True,
        everyone=SuppressionReason.BOUNCED,
        left_at="created",
    ),
    Format(
        "sendgrid-spam-reports",
        "SendGrid's spam reports",
        _columns("email created ip"),
        exact=True,
        doubtful="a list of readers",
        everyone=SuppressionReason.COMPLAINED,
        left_at="created",
    ),
    Format(
        "sendgrid-unsubscribes",
        "SendGrid's unsubscribes",
        _columns("email created"),
        exact=True,
        doubtful="a list of readers",
        everyone=SuppressionReason.UNSUBSCRIBED,
        left_at="created",
    ),
    PLAIN,
    # Only by its name: any header with an address is a plain one before.
    Format(
        "unsubscribes",
        "people who left",
        _columns("email"),
        everyone=SuppressionReason.UNSUBSCRIBED,
        left_at="unsubscribed_at",
    ),
)
"""In the order in which a header is compared with them."""
