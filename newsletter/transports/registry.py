"""Which transports there are, and how the settings choose one."""

from __future__ import annotations

from pathlib import Path

from newsletter.delivery.model import Transport
from newsletter.errors import RefusedError
from newsletter.settings.model import Settings


def where_to(settings: Settings) -> str:
    """Where mail goes, for the person who is about to confirm it."""
    if settings.transport == "smtp":
        return f"over {settings.smtp.host} port {settings.smtp.port}"
    if settings.transport == "sendgrid":
        return "over SendGrid" + (" in sandbox mode: nobody" if settings.sendgrid.sandbox else "")
    return f"as files ({settings.transport}): nothing leaves this machine"


def open_transport(settings: Settings, out: Path) -> Transport:
    """The transport that the settings name; `out` is the folder that `outbox` writes to."""
    if settings.transport == "smtp":
        from newsletter.transports.smtp.transport import SmtpTransport

        transport = SmtpTransport(settings.smtp)
        return _signed(transport, settings) if settings.dkim.domain else transport
    if settings.transport == "sendgrid":
        from newsletter.transports.sendgrid.transport import SendgridTransport

        return SendgridTransport(settings.sendgrid, settings.sendgrid_api_key)
    if settings.transport == "outbox":
        from newsletter.transports.file import FileTransport

        return FileTransport(out)
    raise RefusedError(f"the transport {settings.transport} is not available yet")


def _signed(transport: Transport, settings: Settings) -> Transport:
    from newsletter.transports.dkim import SigningTransport, load_signer

    return SigningTransport(transport, load_signer(settings.dkim, settings.root))
