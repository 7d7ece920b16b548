"""Checks before anything is sent: who mail can reach, merge values, one-click unsubscribing."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, Connection, String, func, not_, or_, select

from newsletter.delivery.ledger.tables import delivery
from newsletter.dns_checks.domains import RESERVED_TLDS
from newsletter.errors import RefusedError, UnavailableError
from newsletter.render.model import UNSUBSCRIBE_TOKEN, CompiledIssue
from newsletter.settings.model import Settings
from newsletter.transports.registry import transport_kind

SELF_TEST_TIMEOUT_S = 10


def reaches_people(connection: Connection, settings: Settings, campaign_id: int) -> bool:
    """Whether a campaign's mail can reach real people.

    It cannot when the transport ends on this machine and every recipient's domain is reserved
    (RFC 2606): only then may the sample address and an http link be sent.

    Raises:
        RefusedError: The transport only stores mail: everyone would count as mailed, and nobody
            would receive anything.
    """
    kind = transport_kind(settings)
    if not kind.reaches_outside(settings) and has_only_reserved_domains(connection, campaign_id):
        return False
    if not kind.reaches_people(settings):
        raise RefusedError(
            f"the transport is {settings.transport}: nobody would receive the mail, but all of it "
            "would count as sent",
            fix='set transport = "smtp" or "sendgrid" (without sandbox) in newsletter.toml',
        )
    return True


def has_only_reserved_domains(connection: Connection, campaign_id: int) -> bool:
    """Whether every recipient who may be mailed has an address on a reserved domain."""
    # The key is the address in lower case, so that LIKE finds it on both databases.
    address = delivery.c.email_key.cast(String)
    reserved = or_(
        *(address.like(f"%.{tld}") | address.like(f"%@{tld}") for tld in sorted(RESERVED_TLDS))
    )
    other = select(delivery.c.position).where(*_mailable(campaign_id), not_(reserved)).limit(1)
    return connection.execute(other).first() is None


def require_merge_values(connection: Connection, compiled: CompiledIssue, campaign_id: int) -> None:
    """Refuse if a recipient lacks a value that the article uses without a default.

    Raises:
        RefusedError: Names the field and how many recipients lack it.
    """
    for name in sorted(fields_without_default(compiled)):
        # These two have columns of their own; every other field is an attribute.
        if name in {"first_name", "last_name"}:
            value = func.trim(delivery.c[name])
        else:
            value = func.trim(func.coalesce(delivery.c.attributes[name].as_string(), ""))
        lacking = connection.execute(
            select(func.count()).where(*_mailable(campaign_id), value == "")
        ).scalar_one()
        if lacking:
            raise RefusedError(
                f"{lacking} {'recipient has' if lacking == 1 else 'recipients have'} no {name}, "
                "and the article gives no default",
                fix=f'write {{{{ {name} | default("…") }}}}, or fill the column',
            )


def fields_without_default(compiled: CompiledIssue) -> set[str]:
    """The merge fields that are used without a default anywhere."""
    return {
        slot.name
        for variant in compiled.variants
        for part in (variant.subject, variant.preheader, variant.html, variant.text)
        for slot in part.slots
        if not slot.default and slot.name != UNSUBSCRIBE_TOKEN
    }


def _mailable(campaign_id: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return delivery.c.campaign_id == campaign_id, delivery.c.skipped == ""


def require_one_click(public_url: str, proof_token: str) -> None:
    """Test that one-click unsubscribing answers where the mail will point (RFC 8058 section 3).

    Posts once with a proof token, which changes nothing.

    Raises:
        RefusedError: The URL is not https, or the response is a redirect, sets a cookie or is not
            a 2xx.
        UnavailableError: The server cannot be reached.
    """
    parts = urlsplit(public_url)
    if parts.scheme != "https" or not parts.hostname:
        raise RefusedError(
            f"public_url is {public_url}, but mail programs only post to https",
            fix="set publication.public_url to the https address of `./send.py serve`",
        )
    # Not urllib: it would follow a redirect, which mail providers do not.
    connection = http.client.HTTPSConnection(
        parts.hostname, parts.port, timeout=SELF_TEST_TIMEOUT_S
    )
    try:
        connection.request(
            "POST",
            f"{parts.path}/u/{proof_token}",
            body="List-Unsubscribe=One-Click",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise UnavailableError(
            f"the unsubscribe address cannot be reached: {public_url} ({error})",
            fix="start `./send.py serve` behind it, then send again",
        ) from None
    finally:
        connection.close()
    if not 200 <= answer.status < 300 or answer.getheader("Set-Cookie"):
        raise RefusedError(
            f"one-click unsubscribe at {public_url} answers {answer.status}"
            + (" and sets a cookie" if answer.getheader("Set-Cookie") else ""),
            fix="it must answer 200 without redirect, cookie or login (RFC 8058)",
        )
