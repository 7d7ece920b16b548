"""The address in every mail: https that browsers trust, and a way out that works."""

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
LEAST_DAYS = 14
_DAY_S = 86_400
_HTTPS, _HTTP = 443, 80
_SAID_BEFORE = CheckResult(CheckStatus.SKIPPED, "nothing to ask: see the check certificate")


def check_certificate(sender: SenderProfile) -> CheckResult:
    """The certificate is trusted and lasts a while. ``SSL_CERT_FILE`` names other authorities."""
    parts = _https(sender)
    try:
        days = _days_left(parts.hostname or "", parts.port or _HTTPS)
    except ssl.SSLCertVerificationError as error:
        seen = f"the certificate of {parts.hostname} is not trusted: {error.verify_message}"
        return CheckResult(CheckStatus.PROBLEM, seen, "renew it, and serve it with its whole chain")
    except OSError as error:
        return _silent(sender, error)
    seen = f"the certificate of {parts.hostname} is good for {days} days"
    if days < LEAST_DAYS:
        fix = "renew it now, and see why that did not happen by itself"
        return CheckResult(CheckStatus.WARNING, seen, fix)
    return CheckResult(CheckStatus.OK, seen)


def check_plain_http(sender: SenderProfile) -> CheckResult:
    """http:// leads to https://, or nobody answers there."""
    parts = _reachable(sender)
    if parts is None:
        return _SAID_BEFORE
    if parts.port not in {None, _HTTPS}:
        return CheckResult(CheckStatus.SKIPPED, f"{_url(sender)} has a port of its own")
    return plain_http(parts.hostname or "", _HTTP)


def plain_http(host: str, port: int) -> CheckResult:
    """Whether what answers at a host's http port leads on to https."""
    try:
        status, headers = _get(http.client.HTTPConnection(host, port, timeout=TIMEOUT_S), "/")
    except (OSError, http.client.HTTPException):
        return CheckResult(CheckStatus.OK, f"nobody answers at http://{host}")
    target = headers.get("Location") or ""
    if status in {301, 302, 307, 308} and target.startswith("https://"):
        return CheckResult(CheckStatus.OK, f"http://{host} leads to {target}")
    seen = f"http://{host} answers {status} and does not lead to https"
    return CheckResult(CheckStatus.WARNING, seen, "redirect http:// to https:// in the web server")


def check_one_click(sender: SenderProfile) -> CheckResult:
    """A one-click POST is answered at once: the test that a live send makes, too."""
    if _reachable(sender) is None:
        return _SAID_BEFORE
    try:
        require_one_click(_url(sender), sender.proof_token)
    except (RefusedError, UnavailableError) as error:
        return CheckResult(CheckStatus.PROBLEM, error.message, error.fix)
    return CheckResult(CheckStatus.OK, "a one-click POST gets a 2xx: no redirect, no cookie")


def check_page(sender: SenderProfile) -> CheckResult:
    """A GET of the unsubscribe address shows a page, and the same page again.

    That a GET changes nothing cannot be seen from outside; that the answer stays the same can.
    """
    parts = _reachable(sender)
    if parts is None:
        return _SAID_BEFORE
    path = f"{parts.path}/u/{sender.proof_token}"
    try:
        answers = [_get(_connection(parts), path) for _ in range(2)]
    except (OSError, http.client.HTTPException) as error:
        return _silent(sender, error)
    statuses = [status for status, _ in answers]
    cookie = any("Set-Cookie" in headers for _, headers in answers)
    if cookie or any(status != 200 for status in statuses):
        seen = f"the unsubscribe page answers {statuses[0]}, then {statuses[1]}" + (
            ", and sets a cookie" if cookie else ""
        )
        return CheckResult(
            CheckStatus.PROBLEM, seen, "it must answer 200 itself: no redirect, no cookie, no login"
        )
    return CheckResult(CheckStatus.OK, "a GET shows a page, twice the same: no redirect, no cookie")


def _reachable(sender: SenderProfile) -> SplitResult | None:
    """The public address; None where `check_certificate` says why nothing can be looked at."""
    try:
        return _https(sender)
    except (InputError, UnavailableError):
        return None


def _https(sender: SenderProfile) -> SplitResult:
    parts = urlsplit(_url(sender))
    host = parts.hostname or ""
    if parts.scheme != "https" or not host:
        raise InputError(
            f"public_url is {_url(sender)}: readers' mail programs only post to https",
            fix="set publication.public_url to the https address that readers reach",
        )
    sender.resolver.require_checkable(host)
    return parts


def _url(sender: SenderProfile) -> str:
    return sender.settings.publication.public_url


def _days_left(host: str, port: int) -> int:
    context = ssl.create_default_context()
    with (
        socket.create_connection((host, port), timeout=TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname=host) as wrapped,
    ):
        ends = (wrapped.getpeercert() or {})["notAfter"]
    return math.floor((ssl.cert_time_to_seconds(str(ends)) - time.time()) / _DAY_S)


def _connection(parts: SplitResult) -> http.client.HTTPSConnection:
    return http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S)


def _get(connection: http.client.HTTPConnection, path: str) -> tuple[int, http.client.HTTPMessage]:
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers
    finally:
        connection.close()


def _silent(sender: SenderProfile, error: Exception) -> CheckResult:
    fix = "start `./send.py serve` behind it"
    return CheckResult(CheckStatus.PROBLEM, f"{_url(sender)} does not answer ({error})", fix)
