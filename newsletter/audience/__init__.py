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
from newsletter.audience.keys import Keys, check_suppression_key, load_keys
from newsletter.audience.lists import columns, count, ensure_list, list_counts, list_id
from newsletter.audience.model import (
    ImportProblem,
    ImportReport,
    SubscriptionState,
    SuppressionReason,
    Token,
    TokenPurpose,
    UnsubscribeResult,
)
from newsletter.audience.subscribers import Consent, add, erase, find, show, subscribe
from newsletter.audience.suppression import lift, reasons, suppress, suppress_address
from newsletter.audience.tokens import TokenSigner
from newsletter.audience.unsubscribe import resubscribe, unsubscribe

__all__ = [
    "RESERVED_TLDS",
    "Consent",
    "ImportProblem",
    "ImportReport",
    "Keys",
    "SubscriptionState",
    "SuppressionReason",
    "Token",
    "TokenPurpose",
    "TokenSigner",
    "UnsubscribeResult",
    "add",
    "address_hash",
    "address_key",
    "check_address",
    "check_suppression_key",
    "columns",
    "count",
    "csv_columns",
    "ensure_list",
    "erase",
    "export_csv",
    "find",
    "import_csv",
    "is_reserved",
    "lift",
    "list_counts",
    "list_id",
    "load_keys",
    "reasons",
    "resubscribe",
    "show",
    "subscribe",
    "suppress",
    "suppress_address",
    "unsubscribe",
]
