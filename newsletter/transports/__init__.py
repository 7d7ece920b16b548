"""Carriers of messages. To add one: docs/adding-a-transport.md."""
