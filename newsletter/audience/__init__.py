"""CSV, sign-ups, SQL -> recipients: consent, lists, suppression, tokens."""

from newsletter.audience.address import (
    RESERVED_TLDS,
    address_hash,
    address_key,
    check_address,
    is_reserved,
)
from newsletter.audience.export import export_csv
from newsletter.audience.importer import csv_columns, import_csv
from newsletter.audience.joining import confirm_join, may_be_asked
from newsletter.audience.keys import Keys, check_suppression_key, load_keys
from newsletter.audience.lists import (
    columns,
    count,
    ensure_list,
    list_counts,
    list_id,
    list_names,
    list_states,
)
from newsletter.audience.mailed_links import find_link, make_link, spend
from newsletter.audience.model import (
    ImportProblem,
    ImportReport,
    LinkAction,
    MailedLink,
    SubscriptionState,
    SuppressionReason,
    Ticket,
    Token,
    TokenPurpose,
    UnsubscribeResult,
)
from newsletter.audience.near import near_addresses
from newsletter.audience.subscribers import Consent, add, erase, find, show, subscribe
from newsletter.audience.suppression import lift, reasons, suppress, suppress_address
from newsletter.audience.tokens import TokenSigner
from newsletter.audience.unmapped import UnmappedColumnsError
from newsletter.audience.unsubscribe import resubscribe, unsubscribe
from newsletter.audience.unsuppress import Unsuppressed, unsuppress_address

__all__ = [
    "RESERVED_TLDS",
    "Consent",
    "ImportProblem",
    "ImportReport",
    "Keys",
    "LinkAction",
    "MailedLink",
    "SubscriptionState",
    "SuppressionReason",
    "Ticket",
    "Token",
    "TokenPurpose",
    "TokenSigner",
    "UnmappedColumnsError",
    "UnsubscribeResult",
    "Unsuppressed",
    "add",
    "address_hash",
    "address_key",
    "check_address",
    "check_suppression_key",
    "columns",
    "confirm_join",
    "count",
    "csv_columns",
    "ensure_list",
    "erase",
    "export_csv",
    "find",
    "find_link",
    "import_csv",
    "is_reserved",
    "lift",
    "list_counts",
    "list_id",
    "list_names",
    "list_states",
    "load_keys",
    "make_link",
    "may_be_asked",
    "near_addresses",
    "reasons",
    "resubscribe",
    "show",
    "spend",
    "subscribe",
    "suppress",
    "suppress_address",
    "unsubscribe",
    "unsuppress_address",
]
