"""Checks of an issue. To add one: docs/adding-a-check.md."""
