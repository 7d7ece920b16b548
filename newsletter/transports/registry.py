"""All transports by name, and the one chosen in the settings."""

from __future__ import annotations

from pathlib import Path

from newsletter.delivery.model import Transport
from newsletter.settings.model import Settings
from newsletter.transports.base import TransportKind
from newsletter.transports.file import FILE
from newsletter.transports.memory import MEMORY
from newsletter.transports.sendgrid.settings import SENDGRID
from newsletter.transports.smtp.settings import SMTP

TRANSPORTS = {kind.name: kind for kind in (FILE, MEMORY, SMTP, SENDGRID)}


def transport_kind(settings: Settings) -> TransportKind:
    """Return the transport chosen in the settings."""
    return TRANSPORTS[settings.transport]


def open_transport(settings: Settings, folder: Path) -> Transport:
    """Open the transport chosen in the settings, ready to send.

    Args:
        folder: Where a transport writes its files, if it writes any.

    Raises:
        InputError: Its settings are wrong.
        RefusedError: It must not be used here.
    """
    return transport_kind(settings).open(settings, folder)
