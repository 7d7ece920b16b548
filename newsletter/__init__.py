"""Newsletters for people whose words have consequences."""

__version__ = "0.1.0"
