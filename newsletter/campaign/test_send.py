"""Test mails: to addresses named one by one, by a path that cannot reach a list."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from newsletter.audience.address import address_hash, address_key, check_address
from newsletter.audience.key_check import check_suppression_key
from newsletter.audience.suppression import reasons
from newsletter.audience.tokens import TokenSigner
from newsletter.campaign.context import AppContext
from newsletter.campaign.render_files import sample_values
from newsletter.delivery.compose.composer import Composer
from newsletter.delivery.model import Delivery, Outcome
from newsletter.errors import InputError, RefusedError
from newsletter.render.model import CompiledIssue
from newsletter.transports.registry import open_transport

SUBJECT_PREFIX = "[TEST] "
MOST_ADDRESSES = 20


class _NoJournal:
    """A test mail needs no evidence: it is never resumed."""

    def begun(self, position: int) -> None:
        """Nothing to keep."""

    def replied(self, outcome: Outcome) -> None:
        """Nothing to keep."""


def send_test(
    app: AppContext, compiled: CompiledIssue, addresses: Sequence[str], folder: Path
) -> list[Outcome]:
    """Send one message to each address, with sample values and proof links.

    Args:
        folder: Where the `file` transport writes.

    Returns:
        One outcome per address, in their order.

    Raises:
        InputError: An address is none, or there are too many.
        RefusedError: An address is suppressed, or that cannot be told under this key.
    """
    if len(addresses) > MOST_ADDRESSES:
        raise InputError(f"{len(addresses)} addresses: a test goes to {MOST_ADDRESSES} at most")
    checked = [check_address(address) for address in addresses]
    _refuse_suppressed(app, checked)
    composer = Composer(
        compiled,
        signer=TokenSigner(app.keys),
        bounce_address=app.settings.bounce_address,
        proof=True,
        campaign_id=0,
        subject_prefix=SUBJECT_PREFIX,
    )
    values = sample_values(app.settings)
    batch = [
        Delivery(0, position, 0, address, 0, values)
        for position, address in enumerate(checked, start=1)
    ]
    return asyncio.run(_deliver(app, batch, composer, folder))


async def _deliver(
    app: AppContext, batch: list[Delivery], composer: Composer, folder: Path
) -> list[Outcome]:
    transport = open_transport(app.settings, folder)
    try:
        outcomes = await transport.deliver(batch, composer, _NoJournal())
    finally:
        await transport.close()
    return sorted(outcomes, key=lambda outcome: outcome.position)


def _refuse_suppressed(app: AppContext, addresses: Sequence[str]) -> None:
    check_suppression_key(app.store, app.keys, dry_run=True)
    with app.store.read() as connection:
        for address in addresses:
            if reasons(connection, address_hash(address_key(address), app.keys)):
                raise RefusedError(f"{address} is suppressed: it must never be mailed")
