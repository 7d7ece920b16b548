"""The ground floor: engine, schema, migrations, copies and backups."""

from newsletter.store.engine import Store, count_anew, open_store, serialise

__all__ = ["Store", "count_anew", "open_store", "serialise"]
