"""The exports of other services, recognized by their headers: who unsubscribed there, and how.

Headers as the services write them, normalized (`column_uses.normalize`): Mailchimp's and
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
    """A row whose cell in ``column`` matches entirely (in any case) may not be mailed.

    Without a ``reason`` to suppress them they never consented: the row is rejected.
    """

    column: str
    pattern: str
    reason: SuppressionReason | None

    def matches(self, cell: str) -> bool:
        """Whether this cell matches."""
        return re.fullmatch(self.pattern, cell, re.IGNORECASE) is not None


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of export.

    Args:
        name: For ``--format``.
        title: For people.
        marks: Columns that its header has; ``exact``: and no others.
        doubtful: What else may have the same header, so that the operator must say which it is.
        everyone: Why nobody in it may be mailed; None where ``leaving`` decides row by row.
        left_at: The column with the time of the unsubscribe.
        full_name: The column with first and last name in one.
        json: The column with further attributes as a JSON object.
        evidence: Columns that say how and when somebody joined.
        dropped: Columns known to say nothing about consent; ignored unless a merge field has their
            name. The operator must say what any other column is.
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
        """Whether a header with these columns has this format."""
        return set(names) == self.marks if self.exact else set(names) >= self.marks


def _columns(names: str) -> frozenset[str]:
    return frozenset(names.split())


JOINED = (
    *("joined", "joined_at", "joined_on", "date_joined"),
    *("subscribed_at", "subscribe_date", "signup_date", "sign_up_date", "signed_up_at"),
    *("created_at", "created_on", "created"),
)
"""Names of columns in a plain file that say when somebody joined; the first one counts."""
PLAIN = Format(
    "plain",
    "",
    frozenset({"email"}),
    evidence=("optin_time", "confirm_time"),
    dropped=frozenset(JOINED),
)

# Places, IP addresses and notes about people: a newsletter has no use for them.
_MAILCHIMP = _columns(
    "member_rating optin_ip confirm_ip latitude longitude gmtoff dstoff cc region last_changed"
    " leid euid notes tags address phone_number birthday"
)
_CONSTANT_CONTACT = _columns(
    "company job_title birthday anniversary tags email_lists updated_at confirmed_opt_out_source"
    " confirmed_opt_out_reason phone_home phone_work phone_mobile phone_fax phone_other"
) | {
    f"{part}_{kind}"
    for part in (
        *("street_address_line_1", "street_address_line_2", "city", "state_province"),
        *("zip_postal_code", "country"),
    )
    for kind in ("home", "work", "other")
}
_SENDGRID = _columns(
    "alternate_emails unique_name contact_id updated_at whatsapp line facebook phone_number"
    " phone_number_id external_id anonymous_id address_line_1 address_line_2 city"
    " state_province_region postal_code country"
)
_OWN = _columns("email first_name last_name language time_zone state suppressed")
_PERMITTED = r"(express|explicit|implied|implicit)( permission)?|active|confirmed"
_BOTH_STATUS = ("email_status", "email_permission_status")

FORMATS = (
    Format(
        "export",
        "an export from this program",
        _OWN,
        leaving=(
            # An unsubscribe last: it is the only reason that a subscriber can undo by themselves.
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
            UnsubscribedRule("state", "(?!active$).*", None),
        ),
    ),
    Format(
        "mailchimp-unsubscribed",
        "Mailchimp's unsubscribed contacts",
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
        leaving=(
            UnsubscribedRule("status", "blocklisted|disabled", SuppressionReason.MANUAL),
            UnsubscribedRule("status", "(?!enabled$).*", None),
        ),
        left_at="updated_at",
        full_name="name",
        json="attributes",
        evidence=("created_at",),
        dropped=_columns("uuid"),
    ),
    Format(
        "substack",
        "Substack's subscribers",
        _columns("email active_subscription email_disabled"),
        leaving=(
            UnsubscribedRule("email_disabled", "true|t|yes|1", SuppressionReason.UNSUBSCRIBED),
            UnsubscribedRule("email_disabled", "(?!(false|f|no|0)$).*", None),
        ),
        evidence=("created_at",),
        dropped=_columns("active_subscription expiry plan prefer_digests first_payment_at"),
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
                )
            ),
            # A blank status means that no permission was given, like "No Permissions Set":
            # https://community.constantcontact.com/t5/Questions-Discussions/m-p/410819
            UnsubscribedRule("email_status", "(?!active$).*", None),
            UnsubscribedRule("email_permission_status", rf"(?!({_PERMITTED})$).*", None),
        ),
        left_at="confirmed_opt_out_date",
        evidence=("created_at", "email_update_source", "source_name"),
        dropped=_CONSTANT_CONTACT,
    ),
    Format(
        "sendgrid",
        "SendGrid's contacts",
        _columns("email contact_id alternate_emails"),
        evidence=("created_at",),
        dropped=_SENDGRID,
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
        doubtful="a list of subscribers",
        everyone=SuppressionReason.COMPLAINED,
        left_at="created",
    ),
    Format(
        "sendgrid-unsubscribes",
        "SendGrid's unsubscribes",
        _columns("email created"),
        exact=True,
        doubtful="a list of subscribers",
        everyone=SuppressionReason.UNSUBSCRIBED,
        left_at="created",
    ),
    PLAIN,
    # Chosen by name only: any header with an address matches PLAIN first.
    Format(
        "unsubscribes",
        "people who unsubscribed",
        _columns("email"),
        everyone=SuppressionReason.UNSUBSCRIBED,
        left_at="unsubscribed_at",
    ),
)
"""In the order in which a header is compared with them: a subset comes after its supersets."""
