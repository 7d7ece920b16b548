"""What every campaign command works with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from newsletter.audience.keys import Keys
from newsletter.settings.model import Settings
from newsletter.store.engine import Store


@dataclass(frozen=True, slots=True)
class AppContext:
    """Settings, an open database, the keys, and who is using them."""

    settings: Settings
    store: Store
    keys: Keys
    by: str

    @property
    def journal_folder(self) -> Path:
        """Where the evidence of a send is kept: beside the database, so that both move together."""
        database = self.store.engine.url.database
        if self.store.is_sqlite and database:
            return Path(database).parent / "journal"
        return self.settings.var / "journal"
