"""Open the composer, transport and limits: one place for every kind of send."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from newsletter.audience.tokens import TokenSigner
from newsletter.campaign.context import AppContext
from newsletter.delivery.compose.composer import Composer
from newsletter.delivery.ledger.rate import Rates
from newsletter.delivery.model import Transport
from newsletter.delivery.runner.circuit_breaker import BreakerRule
from newsletter.delivery.runner.runner import SendLimits
from newsletter.render.model import CompiledIssue
from newsletter.settings.model import Settings
from newsletter.transports.registry import open_transport


@dataclass(frozen=True, slots=True)
class Mailer:
    """A composer, an open transport, and the limits for both; its opener closes the transport."""

    compose: Composer
    transport: Transport
    limits: SendLimits


def open_mailer(
    app: AppContext,
    compiled: CompiledIssue,
    campaign_id: int,
    *,
    transport: Transport | None = None,
    proof: bool = False,
    subject_prefix: str = "",
) -> Mailer:
    """Open the mailer of one campaign, just before sending: messages are dated now.

    Args:
        campaign_id: 0 for test mails, which belong to no campaign.
        transport: An open one to use; by default that of the settings.
        proof: Whether it is a dry run or a test: links are proof links, which change nothing, and
            the rate is not limited.
        subject_prefix: Put before every subject.

    Raises:
        InputError: A setting of the sender or the transport is invalid.
        RefusedError: The transport cannot be used with these settings.
    """
    return Mailer(
        compose=make_composer(
            app, compiled, campaign_id, proof=proof, subject_prefix=subject_prefix
        ),
        transport=transport or campaign_transport(app.settings, campaign_id),
        # A dry run goes into a folder, a test to a few addresses: no server needs a rate limit.
        limits=SendLimits() if proof else limits_of(app.settings),
    )


def make_composer(
    app: AppContext,
    compiled: CompiledIssue,
    campaign_id: int = 0,
    *,
    proof: bool,
    subject_prefix: str = "",
) -> Composer:
    """Make a composer that signs with the keys of this run.

    Args:
        campaign_id: 0 for mail that belongs to no campaign.
        proof: Whether links are proof links, which change nothing.
        subject_prefix: Put before every subject.

    Raises:
        InputError: A value of the sender is not valid in a header.
    """
    return Composer(
        compiled,
        signer=TokenSigner(app.keys),
        bounce_address=app.settings.bounce_address,
        proof=proof,
        campaign_id=campaign_id,
        subject_prefix=subject_prefix,
    )


def campaign_transport(settings: Settings, campaign_id: int) -> Transport:
    """Open the configured transport; one that writes files uses a folder per campaign.

    Raises:
        InputError: A setting of the transport is invalid.
        RefusedError: The transport cannot be used with these settings.
    """
    return open_transport(settings, outbox_folder(settings, f"campaign-{campaign_id}"))


def outbox_folder(settings: Settings, name: str) -> Path:
    """The folder for messages that do not leave this machine."""
    return settings.var / "outbox" / name


def limits_of(settings: Settings) -> SendLimits:
    """How fast a live campaign is sent, and when it pauses by itself."""
    limits, hold = settings.limits, settings.hold
    return SendLimits(
        rates=Rates(settings.transport, limits.per_second, limits.per_domain),
        hold=BreakerRule(hold.failures, hold.minimum, hold.policy),
    )
