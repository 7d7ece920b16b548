"""The `sendgrid` transport's entry in the registry."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.delivery.model import Transport
from newsletter.loopback import is_loopback_url
from newsletter.settings.model import Settings
from newsletter.transports.base import TransportKind

if TYPE_CHECKING:
    from newsletter.audience.keys import Keys
    from newsletter.store.engine import Store
    from newsletter.transports.base import Check, Webhook


def _open(settings: Settings, _folder: Path) -> Transport:
    from newsletter.transports.sendgrid.transport import SendgridTransport

    return SendgridTransport(settings.sendgrid, settings.sendgrid_api_key)


def _doctor_checks() -> Mapping[str, Check]:
    from newsletter.transports.sendgrid.doctor import check_authentication

    return {"sendgrid": check_authentication}


def _webhook(store: Store, keys: Keys, settings: Settings) -> Webhook | None:
    if not settings.sendgrid.webhook_key:
        return None
    from newsletter.transports.sendgrid.webhook import SendgridWebhook

    return SendgridWebhook(store, keys, settings)


SENDGRID = TransportKind(
    name="sendgrid",
    open=_open,
    describe=lambda settings: (
        "over SendGrid" + (" in sandbox mode: nothing is sent" if settings.sendgrid.sandbox else "")
    ),
    # In sandbox mode SendGrid validates every call and sends nothing; the call, with the addresses
    # in it, has left this machine all the same.
    reaches_people=lambda settings: not settings.sendgrid.sandbox,
    reaches_outside=lambda settings: not is_loopback_url(settings.sendgrid.host),
    provider="SendGrid",
    doctor_checks=_doctor_checks,
    webhook=_webhook,
)
