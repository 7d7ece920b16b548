"""Test mails: to addresses given one by one; this code cannot reach a list."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from newsletter.audience.address import address_hash, address_key, check_address
from newsletter.audience.key_check import check_suppression_key
from newsletter.audience.suppression import reasons
from newsletter.campaign.build import build
from newsletter.campaign.context import AppContext
from newsletter.campaign.mailer import open_mailer
from newsletter.campaign.render_files import sample_values
from newsletter.delivery.model import Delivery, Outcome
from newsletter.errors import InputError, RefusedError
from newsletter.transports.registry import open_transport

SUBJECT_PREFIX = "[TEST] "
MOST_ADDRESSES = 20


class _NoJournal:
    """Keeps no evidence: a test mail is never resumed."""

    def begun(self, position: int) -> None:
        """Nothing to keep."""

    def replied(self, outcome: Outcome) -> None:
        """Nothing to keep."""


def send_test(
    app: AppContext, issue: Path, addresses: Sequence[str], folder: Path
) -> list[Outcome]:
    """Send one message to each address, with sample values and proof links.

    Neither approval nor a clean check is needed: a test is for looking at a draft.

    Args:
        issue: The article.
        folder: Where a transport that writes files puts them.

    Returns:
        One outcome per address, in their order.

    Raises:
        InputError: The article or an address cannot be used, or there are too many addresses.
        RefusedError: An address is suppressed, or the suppression key is another database's.
        UnavailableError: The transport cannot be reached.
    """
    compiled = build(issue, app.settings).compiled
    if len(addresses) > MOST_ADDRESSES:
        raise InputError(
            f"{len(addresses)} addresses given: a test goes to at most {MOST_ADDRESSES}"
        )
    checked = [check_address(address) for address in addresses]
    # All addresses are checked before the first is mailed.
    check_suppression_key(app.store, app.keys, dry_run=True)
    with app.store.read() as connection:
        for address in checked:
            if reasons(connection, address_hash(address_key(address), app.keys)):
                raise RefusedError(f"{address} is suppressed: it must never be mailed")
    # No limits, journal or ledger: a test is at most one batch, and is never continued.
    transport = open_transport(app.settings, folder)
    mailer = open_mailer(
        app, compiled, 0, transport=transport, proof=True, subject_prefix=SUBJECT_PREFIX
    )
    values = sample_values(app.settings)
    batch = [
        Delivery(0, position, 0, address, 0, values)
        for position, address in enumerate(checked, start=1)
    ]

    async def deliver() -> list[Outcome]:
        try:
            return await mailer.transport.deliver(batch, mailer.compose, _NoJournal())
        finally:
            await mailer.transport.close()

    return sorted(asyncio.run(deliver()), key=lambda outcome: outcome.position)
