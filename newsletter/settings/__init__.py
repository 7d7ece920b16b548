"""Configuration: one model, read from `newsletter.toml` and the environment.

Environment names are ``NEWSLETTER_`` plus the setting, with ``__`` between levels:
``NEWSLETTER_SMTP__HOST``. Secrets are read from the environment only.
"""

from newsletter.settings.load import load_settings
from newsletter.settings.model import (
    Canary,
    Dkim,
    Hold,
    Imap,
    Join,
    Limits,
    MergeField,
    Palette,
    Phone,
    Publication,
    Sendgrid,
    Settings,
    Smtp,
    Theme,
    Topic,
)

__all__ = [
    "Canary",
    "Dkim",
    "Hold",
    "Imap",
    "Join",
    "Limits",
    "MergeField",
    "Palette",
    "Phone",
    "Publication",
    "Sendgrid",
    "Settings",
    "Smtp",
    "Theme",
    "Topic",
    "load_settings",
]
