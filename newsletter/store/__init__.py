"""The ground floor: engine, schema, migrations, copies and backups."""

from newsletter.store.engine import Store, open_store, serialise

__all__ = ["Store", "open_store", "serialise"]
