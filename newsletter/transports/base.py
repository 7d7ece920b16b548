"""How a transport describes itself to the rest of the program.

The sending itself is `newsletter.delivery.model.Transport`. To add a transport, see
docs/adding-a-transport.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from newsletter.delivery.model import Transport
from newsletter.settings.model import Settings

if TYPE_CHECKING:
    from newsletter.audience.keys import Keys
    from newsletter.dns_checks.model import CheckResult, SenderProfile
    from newsletter.store.engine import Store

    Check = Callable[[SenderProfile], CheckResult]
    OpenWebhook = Callable[[Store, Keys, Settings], "Webhook | None"]


class WebhookReply(NamedTuple):
    """A webhook's reply: an HTTP status and, for a refusal, the reason."""

    status: int
    reason: str = ""


class Webhook(Protocol):
    """Receives a provider's events, posted to ``/webhooks/NAME``."""

    max_bytes: int
    """The largest body accepted."""

    def receive(self, headers: Mapping[str, str], body: bytes) -> WebhookReply:
        """Verify, apply and commit; called in a thread.

        Args:
            headers: A mapping that ignores the case of names.
            body: The raw request body, as signed.
        """
        ...


def no_webhook(_store: Store, _keys: Keys, _settings: Settings) -> None:
    """For transports without a webhook."""


def no_checks() -> Mapping[str, Check]:
    """For transports without DNS records of their own."""
    return {}


@dataclass(frozen=True, slots=True)
class TransportKind:
    """One transport, under its name in `newsletter.toml`.

    Its functions import what they need, so that listing all transports loads none of them.

    Args:
        name: The value of the setting ``transport``, also stored with each campaign.
        open: Returns the transport, ready to send. The path is the folder for files it writes.
            Raises InputError if its settings are wrong.
        describe: Where mail goes, for the person about to confirm a send: "over …".
        reaches_people: Whether mail reaches anyone; False if it is only kept or validated.
        reaches_outside: Whether anything leaves this machine.
        provider: The service that sets envelope sender, signature and sending address; empty if
            mail goes out as we compose it.
        doctor_checks: Checks for `doctor`, by name; each skips if another transport is set.
        webhook: Opens the webhook for its events; None if the settings have no key to verify them.
    """

    name: str
    open: Callable[[Settings, Path], Transport]
    describe: Callable[[Settings], str]
    reaches_people: Callable[[Settings], bool]
    reaches_outside: Callable[[Settings], bool]
    provider: str = ""
    doctor_checks: Callable[[], Mapping[str, Check]] = field(default=no_checks)
    webhook: OpenWebhook = field(default=no_webhook)
