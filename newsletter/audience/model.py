"""Subscribers, suppression, links and imports: the values that `audience` owns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple


class SubscriptionState(StrEnum):
    """The state of one subscription."""

    PENDING = "pending"
    ACTIVE = "active"
    UNSUBSCRIBED = "unsubscribed"


class SuppressionReason(StrEnum):
    """Why an address must never be mailed. An address may have several."""

    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    ERASED = "erased"
    MANUAL = "manual"


class ColumnUse(StrEnum):
    """What the operator says that a column of an imported file is."""

    CONSENT = "consent"
    """Only rows with a clear yes are added; a clear no is suppressed."""
    OPT_OUT = "opt-out"
    """A yes, a number or a date in it means that the subscriber opted out."""
    IGNORE = "ignore"
    """It is not stored."""
    ATTRIBUTE = "attribute"
    """It is stored, for segments and merge fields."""


ASKED_TO_LEAVE = frozenset({SuppressionReason.UNSUBSCRIBED, SuppressionReason.COMPLAINED})
"""The subscriber's own decision: they stay off their lists even once the suppression is lifted."""


class TokenPurpose(StrEnum):
    """What a token may be used for. A token for one purpose is invalid for any other."""

    UNSUBSCRIBE = "unsubscribe"
    BOUNCE = "bounce"
    CONFIRM = "confirm"


class Token(NamedTuple):
    """What a valid token says.

    ``subscriber_uid`` and ``campaign_id`` are opaque numbers. A ``proof`` token (from a dry run, a
    preview or a test mail) shows its page and changes nothing.
    """

    purpose: TokenPurpose
    proof: bool
    subscriber_uid: int
    campaign_id: int


@dataclass(frozen=True, slots=True)
class LinkToken:
    """The content of a mailed link that proves an address: ``expires_at`` is in Unix seconds."""

    link_id: int
    expires_at: int


class LinkAction(StrEnum):
    """What a mailed link does."""

    JOIN = "join"
    MOVE = "move"
    """Ask for another address, from the one that mail goes to now."""
    ADDRESS = "address"
    """Confirm that other address."""
    DATA = "data"
    ERASE = "erase"


@dataclass(frozen=True, slots=True)
class ActionLink:
    """A request that waits until its button is pressed.

    ``email`` is where the link was mailed, ``subscriber_uid`` the subscriber it changes (0: nobody
    yet). Times are Unix seconds.
    """

    id: int
    action: LinkAction
    email: str
    subscriber_uid: int
    details: Mapping[str, Any]
    created_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class UnsubscribeResult:
    """What one click did.

    ``known`` is False where no subscriber has that uid (any more). A ``proof`` token changes
    nothing. ``lists`` names the subscriptions it ended or, for an undo, restored.
    """

    known: bool
    proof: bool
    changed: bool
    lists: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportProblem:
    """A row that was left out: ``line`` counts from 1 in ``file``."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


@dataclass(frozen=True, slots=True)
class ColumnsRead:
    """How an import used a file's columns.

    ``fields`` maps each field to the header's cell (empty: none). ``attributes`` have the names
    they are stored under, ``evidence`` is kept with the consent, ``ignored`` is not stored.
    ``consent`` and ``opt_out`` are the columns that the operator named to decide who is added.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    attributes: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    consent: tuple[str, ...] = ()
    opt_out: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    def __str__(self) -> str:
        told = [f"{name} ← {cell or '(none)'}" for name, cell in self.fields.items()]
        told.append(f"attributes: {', '.join(self.attributes) or '(none)'}")
        if self.consent:
            told.append(f"consent: {', '.join(self.consent)}")
        if self.opt_out:
            told.append(f"opt-out: {', '.join(self.opt_out)}")
        if self.evidence:
            told.append(f"kept with the consent: {', '.join(self.evidence)}")
        if self.ignored:
            told.append(f"ignored: {', '.join(self.ignored)}")
        return "; ".join(told)


@dataclass(frozen=True, slots=True)
class ValueCount:
    """A value of a column, shortened, and the number of rows that have it."""

    value: str
    rows: int

    def __str__(self) -> str:
        shown = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in self.value)
        return f"{repr(shown) if shown else '(blank)'} {self.rows:,}"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Rows that were not added because a column is not a clear yes.

    ``values`` are its most common ones.
    """

    column: str
    rows: int
    values: tuple[ValueCount, ...]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did: every row of the file is counted once.

    ``rows`` is the sum of ``added``, ``updated``, ``unchanged``, ``already_unsubscribed``,
    ``suppressed`` (by the first reason in order), ``newly_suppressed`` (rows of people who
    unsubscribed elsewhere), ``no_clear_yes``, ``duplicates`` and ``rejected``. ``batch`` identifies
    the file's rows in `import_member`, ``format`` is the detected format (`csv_formats`).

    ``left_out`` breaks down the ``no_clear_yes`` rows by column. ``undated`` counts rows whose join
    date could not be read. ``rejects`` is the file with the rows that were left out; empty: none
    was written.
    """

    list_name: str
    batch: str
    encoding: str
    format: str = "plain"
    rows: int = 0
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    already_unsubscribed: int = 0
    suppressed: Mapping[SuppressionReason, int] = field(default_factory=dict)
    newly_suppressed: int = 0
    no_clear_yes: int = 0
    duplicates: int = 0
    rejected: int = 0
    undated: int = 0
    rejects: str = ""
    columns: ColumnsRead = field(default_factory=ColumnsRead)
    left_out: tuple[LeftOut, ...] = ()
    problems: tuple[ImportProblem, ...] = ()
    """The first few rejected rows."""

    def as_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return asdict(self)

    def summary(self) -> str:
        """The counts in one line for people."""
        counts = {
            "added": self.added,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "already unsubscribed": self.already_unsubscribed,
            **{f"suppressed ({reason})": n for reason, n in sorted(self.suppressed.items())},
            "newly suppressed": self.newly_suppressed,
            "left out (no clear yes)": self.no_clear_yes,
            "duplicate" if self.duplicates == 1 else "duplicates": self.duplicates,
            "rejected": self.rejected,
        }
        told = ", ".join(f"{n:,} {name}" for name, n in counts.items() if n)
        taken_for = "" if self.format == "plain" else f" (format {self.format})"
        rows = "row" if self.rows == 1 else "rows"
        return f"{self.rows:,} {rows} into the list {self.list_name}{taken_for}: {told}"

    def notes(self) -> list[str]:
        """What else the operator should know: columns, what was left out, and the next step."""
        notes = [f"columns: {self.columns}"]
        if self.rejects:
            notes.append(
                f"The rows that were left out are in {self.rejects}, each with the reason: correct "
                "them there and import that file."
            )
        for left_out in self.left_out:
            values = ", ".join(map(str, left_out.values))
            notes.append(
                f"Left out because the column {left_out.column} is not a clear yes: "
                f"{left_out.rows:,} ({values}). They were neither added nor suppressed."
            )
        if self.undated:
            notes.append(
                f"Join dates that could not be read: {self.undated:,}. New subscribers in those "
                "rows count as joined today. Write dates as 2026-01-31."
            )
        return notes
