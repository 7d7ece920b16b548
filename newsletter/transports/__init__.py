"""Transports carry messages. To add one, see docs/adding-a-transport.md."""
