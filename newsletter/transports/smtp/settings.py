"""The `smtp` transport's entry in the registry."""

from __future__ import annotations

from pathlib import Path

from newsletter.delivery.model import Transport
from newsletter.loopback import is_loopback
from newsletter.settings.model import Settings
from newsletter.transports.base import TransportKind


def _open(settings: Settings, _folder: Path) -> Transport:
    from newsletter.transports.smtp.transport import SmtpTransport

    transport = SmtpTransport(settings.smtp)
    # Most relays sign by themselves.
    if not settings.dkim.domain:
        return transport
    from newsletter.transports.dkim import SigningTransport, load_signer

    return SigningTransport(transport, load_signer(settings.dkim, settings.root))


SMTP = TransportKind(
    name="smtp",
    open=_open,
    describe=lambda settings: f"over {settings.smtp.host} port {settings.smtp.port}",
    reaches_people=lambda _: True,
    reaches_outside=lambda settings: not is_loopback(settings.smtp.host),
)
