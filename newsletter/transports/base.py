"""What the rest of the program asks of a transport before it sends anything.

The carrying itself is `newsletter.delivery.model.Transport`; this is what a transport says of
itself. To add one: docs/adding-a-transport.md.
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
    """What a webhook replies with: an HTTP status and, where it refuses, the reason."""

    status: int
    reason: str = ""


class Webhook(Protocol):
    """Takes in a provider's events, posted to ``/webhooks/NAME``."""

    max_bytes: int
    """The largest body that is read."""

    def receive(self, headers: Mapping[str, str], body: bytes) -> WebhookReply:
        """Verify, apply and commit; called in a thread.

        Args:
            headers: Names match in any case.
        """
        ...


def no_webhook(_store: Store, _keys: Keys, _settings: Settings) -> None:
    """For transports that report nothing over the web."""


def no_checks() -> Mapping[str, Check]:
    """For transports that publish nothing of their own in DNS."""
    return {}


@dataclass(frozen=True, slots=True)
class TransportKind:
    """One transport, as `newsletter.toml` names it.

    Its functions import what they need: naming all transports loads none of them.

    Args:
        name: The value of the setting ``transport``; campaigns are stored with it.
        open: Makes the carrier, ready to send. The path is the folder for what it writes.
            Raises InputError where its settings are wrong.
        describe: Where mail goes, for the person who is about to confirm it: "over …".
        reaches_people: Whether mail gets to anybody. False where it is only kept.
        reaches_outside: Whether mail leaves this machine.
        provider: The service that chooses envelope sender, signature and sending address;
            empty where mail goes out as we compose it.
        doctor_checks: Checks for `doctor`, by name; each skips where another transport is set.
        webhook: Takes in its events; None where the settings hold no key to verify them.
    """

    name: str
    open: Callable[[Settings, Path], Transport]
    describe: Callable[[Settings], str]
    reaches_people: Callable[[Settings], bool]
    reaches_outside: Callable[[Settings], bool]
    provider: str = ""
    doctor_checks: Callable[[], Mapping[str, Check]] = field(default=no_checks)
    webhook: OpenWebhook = field(default=no_webhook)
