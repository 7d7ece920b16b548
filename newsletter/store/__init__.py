"""The ground floor: engine, schema, migrations."""

from newsletter.store.engine import Store, open_store

__all__ = ["Store", "open_store"]
