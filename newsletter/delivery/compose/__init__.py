"""Messages from a compiled issue: encoded once, filled in per recipient."""
