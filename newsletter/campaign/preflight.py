"""What must hold before anything leaves: about the sender's address, the readers, the way back."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, Connection, String, func, not_, or_, select

from newsletter.delivery.ledger.tables import delivery
from newsletter.dns_checks.domains import RESERVED_TLDS
from newsletter.errors import RefusedError, UnavailableError
from newsletter.render.model import UNSUBSCRIBE_TOKEN, CompiledIssue
from newsletter.settings.model import Settings
from newsletter.transports.registry import transport_kind

SELF_TEST_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True)
class Shelter:
    """Whether a send can reach real people at all.

    A send is sheltered when its transport ends on this machine and every recipient's domain is
    reserved (RFC 2606): only then may the sample address and an http link go out.
    """

    transport: bool
    recipients: bool

    def __bool__(self) -> bool:
        return self.transport and self.recipients


def shelter(connection: Connection, settings: Settings, campaign_id: int) -> Shelter:
    """Judge where a frozen campaign can end up."""
    outside = connection.execute(
        select(func.count()).where(*_mailable(campaign_id), not_(_reserved()))
    ).scalar_one()
    return Shelter(transport=transport_is_local(settings), recipients=not outside)


def transport_is_local(settings: Settings) -> bool:
    """Whether the transport hands mail to nothing but this machine."""
    return not transport_kind(settings).reaches_outside(settings)


def stays_here(settings: Settings) -> bool:
    """Whether the transport only keeps mail, and hands it to nobody."""
    return not transport_kind(settings).reaches_people(settings)


def require_reach(connection: Connection, settings: Settings, campaign_id: int) -> bool:
    """Refuse to send to real readers over what hands mail to nobody.

    Returns:
        Whether the send is sheltered.

    Raises:
        RefusedError: All would count as sent, and nobody would get it.
    """
    sheltered = bool(shelter(connection, settings, campaign_id))
    if stays_here(settings) and not sheltered:
        raise RefusedError(
            f"the transport is {settings.transport}: nobody would get it, and all would "
            "count as sent",
            fix='set transport = "smtp" or "sendgrid" (without sandbox) in newsletter.toml',
        )
    return sheltered


def require_merge_values(connection: Connection, compiled: CompiledIssue, campaign_id: int) -> None:
    """Refuse when a reader lacks a value that an article uses without a default.

    Raises:
        RefusedError: Names the fields and how many readers lack them.
    """
    for name in sorted(fields_without_default(compiled)):
        lacking = connection.execute(
            select(func.count()).where(*_mailable(campaign_id), _value(name) == "")
        ).scalar_one()
        if lacking:
            raise RefusedError(
                f"{lacking} readers have no {name}, and the article gives no default",
                fix=f'write {{{{ {name} | default("…") }}}}, or fill the column',
            )


def fields_without_default(compiled: CompiledIssue) -> set[str]:
    """The merge fields that some place uses without a default."""
    return {
        slot.name
        for variant in compiled.variants
        for part in (variant.subject, variant.preheader, variant.html, variant.text)
        for slot in part.slots
        if not slot.default and slot.name != UNSUBSCRIBE_TOKEN
    }


def _value(name: str) -> ColumnElement[str]:
    if name in {"first_name", "last_name"}:
        return func.trim(delivery.c[name])
    return func.trim(func.coalesce(delivery.c.attributes[name].as_string(), ""))


def _mailable(campaign_id: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return delivery.c.campaign_id == campaign_id, delivery.c.skipped == ""


def _reserved() -> ColumnElement[bool]:
    address = delivery.c.email_key.cast(String)
    return or_(
        *(address.like(f"%.{tld}") | address.like(f"%@{tld}") for tld in sorted(RESERVED_TLDS))
    )


def require_one_click(public_url: str, proof_token: str) -> None:
    """Prove that one-click unsubscribing answers where the mail will point (RFC 8058 section 3).

    Posts once with a proof token, which changes nothing.

    Raises:
        RefusedError: The URL is not https, or the answer is a redirect, sets a cookie or is no 2xx.
        UnavailableError: Nobody answers there.
    """
    parts = urlsplit(public_url)
    if parts.scheme != "https" or not parts.hostname:
        raise RefusedError(
            f"public_url is {public_url}: readers' mail programs only post to https",
            fix="set publication.public_url to the address `send.py serve` is reached at",
        )
    try:
        answer = _one_click(parts.hostname, parts.port, f"{parts.path}/u/{proof_token}")
    except (OSError, http.client.HTTPException) as error:
        raise UnavailableError(
            f"the unsubscribe address does not answer: {public_url} ({error})",
            fix="start `send.py serve` behind it, then send again",
        ) from None
    if not 200 <= answer.status < 300 or answer.getheader("Set-Cookie"):
        raise RefusedError(
            f"one-click unsubscribe at {public_url} answers {answer.status}"
            + (" and sets a cookie" if answer.getheader("Set-Cookie") else ""),
            fix="it must answer 200 itself: no redirect, no cookie, no login (RFC 8058)",
        )


def _one_click(host: str, port: int | None, path: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPSConnection(host, port, timeout=SELF_TEST_TIMEOUT_S)
    try:
        connection.request(
            "POST",
            path,
            body="List-Unsubscribe=One-Click",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        answer = connection.getresponse()
        answer.read()
        return answer
    finally:
        connection.close()
