"""Every transport, by its name, and the one that the settings choose."""

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
    """What the settings send with."""
    return TRANSPORTS[settings.transport]


def open_transport(settings: Settings, folder: Path) -> Transport:
    """The transport that the settings choose, ready to send.

    Args:
        folder: Where a transport that writes files writes them.

    Raises:
        InputError: Its settings are wrong.
        RefusedError: Nothing can be sent with it from here.
    """
    return transport_kind(settings).open(settings, folder)
