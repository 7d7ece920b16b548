"""The ledger: who is in a campaign, what was offered, and what came of it."""
