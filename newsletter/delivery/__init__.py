"""Compose messages, account for each of them in the ledger, and run a campaign's send."""
