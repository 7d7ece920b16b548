"""The public URL in every mail: HTTPS that browsers trust, and unsubscribing that works."""

from __future__ import annotations

import http.client
import math
import socket
import ssl
import time
from urllib.parse import SplitResult, urlsplit

from newsletter.campaign.preflight import require_one_click
from newsletter.dns_checks.model import CheckResult, CheckStatus, SenderProfile
from newsletter.errors import InputError, RefusedError, UnavailableError

TIMEOUT_S = 10
MIN_DAYS = 14
"""An automatic renewal begins weeks before the end, so one that is this late has failed."""
_DAY_S = 86_400
_HTTPS, _HTTP = 443, 80
_REPORTED = CheckResult(CheckStatus.SKIPPED, "not checked: see the check certificate")


def check_certificate(sender: SenderProfile) -> CheckResult:
    """The certificate is trusted and not about to expire (``SSL_CERT_FILE``: other authorities)."""
    parts = _https(sender)
    try:
        context = ssl.create_default_context()
        address = (parts.hostname or "", parts.port or _HTTPS)
        with (
            socket.create_connection(address, timeout=TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=parts.hostname) as wrapped,
        ):
            ends = (wrapped.getpeercert() or {})["notAfter"]
    except ssl.SSLCertVerificationError as error:
        seen = f"the certificate of {parts.hostname} is not trusted: {error.verify_message}"
        return CheckResult(CheckStatus.PROBLEM, seen, "renew it, and serve the whole chain")
    except OSError as error:
        return _unreachable(sender, error)
    days = math.floor((ssl.cert_time_to_seconds(str(ends)) - time.time()) / _DAY_S)
    seen = f"the certificate of {parts.hostname} expires in {days} days"
    if days < MIN_DAYS:
        fix = "renew it now, and find out why it was not renewed automatically"
        return CheckResult(CheckStatus.WARNING, seen, fix)
    return CheckResult(CheckStatus.OK, seen)


def check_plain_http(sender: SenderProfile) -> CheckResult:
    """http:// redirects to https://, or is not served."""
    parts = _reachable(sender)
    if parts is None:
        return _REPORTED
    # Then it is not this server that browsers reach at http://.
    if parts.port not in {None, _HTTPS}:
        return CheckResult(CheckStatus.SKIPPED, f"{_url(sender)} names a port")
    return plain_http(parts.hostname or "", _HTTP)


def plain_http(host: str, port: int) -> CheckResult:
    """Whether a host's HTTP port redirects to HTTPS."""
    try:
        status, headers = _get(http.client.HTTPConnection(host, port, timeout=TIMEOUT_S), "/")
    except (OSError, http.client.HTTPException):
        return CheckResult(CheckStatus.OK, f"http://{host} is not served")
    target = headers.get("Location") or ""
    if status in {301, 302, 307, 308} and target.startswith("https://"):
        return CheckResult(CheckStatus.OK, f"http://{host} redirects to {target}")
    seen = f"http://{host} answers {status} and does not redirect to https"
    return CheckResult(CheckStatus.WARNING, seen, "redirect http:// to https:// in the web server")


def check_one_click(sender: SenderProfile) -> CheckResult:
    """A one-click POST succeeds, by the same test that precedes a live send."""
    if _reachable(sender) is None:
        return _REPORTED
    try:
        require_one_click(_url(sender), sender.proof_token)
    except (RefusedError, UnavailableError) as error:
        return CheckResult(CheckStatus.PROBLEM, error.message, error.fix)
    return CheckResult(
        CheckStatus.OK, "a one-click POST is answered with 2xx, without a redirect or a cookie"
    )


def check_page(sender: SenderProfile) -> CheckResult:
    """A GET of the unsubscribe URL shows a page, and the same page again."""
    parts = _reachable(sender)
    if parts is None:
        return _REPORTED
    host, path = parts.hostname or "", f"{parts.path}/u/{sender.proof_token}"
    try:
        # Twice: that a GET changes nothing cannot be seen from outside, but a changed answer can.
        answers = [
            _get(http.client.HTTPSConnection(host, parts.port, timeout=TIMEOUT_S), path)
            for _ in range(2)
        ]
    except (OSError, http.client.HTTPException) as error:
        return _unreachable(sender, error)
    statuses = [status for status, _ in answers]
    # A cookie would mean that the page depends on one, which mail programs do not keep.
    cookie = any("Set-Cookie" in headers for _, headers in answers)
    if cookie or any(status != 200 for status in statuses):
        seen = f"the unsubscribe page answers {statuses[0]}, then {statuses[1]}" + (
            ", and sets a cookie" if cookie else ""
        )
        return CheckResult(
            CheckStatus.PROBLEM, seen, "it must answer 200 without a redirect, a cookie or a login"
        )
    return CheckResult(
        CheckStatus.OK, "a GET shows the same page twice, without a redirect or a cookie"
    )


def _reachable(sender: SenderProfile) -> SplitResult | None:
    """The public URL; None where `check_certificate` reports why it cannot be checked."""
    try:
        return _https(sender)
    except (InputError, UnavailableError):
        return None


def _https(sender: SenderProfile) -> SplitResult:
    # Mail programs refuse to post to http: (RFC 8058 section 3.1 requires HTTPS).
    parts = urlsplit(_url(sender))
    host = parts.hostname or ""
    if parts.scheme != "https" or not host:
        raise InputError(
            f"public_url is {_url(sender)}: mail programs only post to https",
            fix="set publication.public_url to the https URL that subscribers use",
        )
    sender.resolver.require_checkable(host)
    return parts


def _url(sender: SenderProfile) -> str:
    return sender.settings.publication.public_url


def _get(connection: http.client.HTTPConnection, path: str) -> tuple[int, http.client.HTTPMessage]:
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers
    finally:
        connection.close()


def _unreachable(sender: SenderProfile, error: Exception) -> CheckResult:
    fix = "check that `./send.py serve` runs and that the web server passes requests on to it"
    return CheckResult(CheckStatus.PROBLEM, f"{_url(sender)} does not answer ({error})", fix)
