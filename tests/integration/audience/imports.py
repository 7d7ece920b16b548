"""One database, and what a test does with it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from newsletter.audience.consent.unsubscribe import unsubscribe
from newsletter.audience.importing.importer import import_csv
from newsletter.audience.keys import Keys
from newsletter.audience.model import ImportReport, Token, TokenPurpose, UnsubscribeResult
from newsletter.audience.subscribers import find
from newsletter.campaign.subscriber_history import show
from newsletter.store.engine import Store
from newsletter.store.metadata import metadata


class Importer:
    """Imports files into one database, and looks at it."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self.store = store
        self.keys = keys

    def take(self, path: Path, **options: object) -> ImportReport:
        values = {"list_name": "readers", "source": "csv", **options}
        report = import_csv(self.store, self.keys, path, **values)  # type: ignore[arg-type]
        assert report.rows == (
            report.added
            + report.updated
            + report.unchanged
            + report.already_unsubscribed
            + sum(report.suppressed.values())
            + report.newly_suppressed
            + report.no_clear_yes
            + report.duplicates
            + report.rejected
        )
        return report

    def show(self, email: str) -> dict[str, object]:
        return show(self.store, email, self.keys)

    def token(self, email: str, *, proof: bool = False) -> Token:
        with self.store.read() as connection:
            person = find(connection, email)
        assert person is not None
        return Token(TokenPurpose.UNSUBSCRIBE, proof, person.uid, 1)

    def leave(self, email: str) -> UnsubscribeResult:
        return unsubscribe(self.store, self.token(email), "one-click")

    def contents(self) -> dict[str, list[tuple[object, ...]]]:
        """Every row of every table."""
        with self.store.read() as connection:
            return {
                table.name: sorted(map(tuple, connection.execute(select(table))), key=repr)
                for table in metadata.sorted_tables
            }
