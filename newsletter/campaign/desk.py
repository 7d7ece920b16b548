"""What every campaign command works with."""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.audience import Keys
from newsletter.settings import Settings
from newsletter.store import Store


@dataclass(frozen=True, slots=True)
class Desk:
    """Settings, an open database, the keys, and who is working."""

    settings: Settings
    store: Store
    keys: Keys
    by: str
