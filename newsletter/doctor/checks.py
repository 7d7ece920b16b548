"""Every check, in the order in which they are worth mending."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from newsletter.dns_checks import dkim, dmarc, hosts, spf
from newsletter.dns_checks.model import CheckResult, CheckStatus, SenderProfile
from newsletter.doctor import public_url
from newsletter.errors import InputError, UnavailableError
from newsletter.transports.registry import TRANSPORTS

Check = Callable[[SenderProfile], CheckResult]

CHECKS: dict[str, Check] = {
    "mx-from": hosts.check_from_mx,
    "mx-bounces": hosts.check_bounce_mx,
    "spf": spf.check_record,
    "spf-address": spf.check_address,
    "dkim": dkim.check_key,
    **{name: check for kind in TRANSPORTS.values() for name, check in kind.doctor_checks().items()},
    "dmarc": dmarc.check_policy,
    "alignment": dmarc.check_alignment,
    "ptr": hosts.check_ptr,
    "helo": hosts.check_helo,
    "certificate": public_url.check_certificate,
    "plain-http": public_url.check_plain_http,
    "one-click": public_url.check_one_click,
    "unsubscribe-page": public_url.check_page,
}


def run_checks(sender: SenderProfile) -> dict[str, CheckResult]:
    """Make every check; what is out of reach is unknown, and never fine.

    All run at once: they do little but wait.

    Returns:
        What each check says, by its name, in order.
    """
    with ThreadPoolExecutor(max_workers=len(CHECKS)) as pool:
        made = pool.map(lambda check: _made(check, sender), CHECKS.values())
        return dict(zip(CHECKS, made, strict=True))


def _made(check: Check, sender: SenderProfile) -> CheckResult:
    try:
        return check(sender)
    except UnavailableError as error:
        return CheckResult(CheckStatus.UNKNOWN, error.message, error.fix)
    except InputError as error:
        place = f"{error.file}: " if error.file else ""
        return CheckResult(CheckStatus.PROBLEM, f"{place}{error.message}", error.fix)
