"""The public pages: sign-up, confirm, unsubscribe, preferences, archive."""
