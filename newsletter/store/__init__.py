"""The database engine: connections, transactions, locks, upsert. No table definitions."""
