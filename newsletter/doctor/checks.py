"""All checks, in the order in which problems should be fixed."""

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
    """Run every check. What cannot be reached is unknown, never fine.

    Returns:
        The results by name, in order.
    """
    # All at once, since they do little but wait for answers.
    with ThreadPoolExecutor(max_workers=len(CHECKS)) as pool:
        results = pool.map(lambda check: _run(check, sender), CHECKS.values())
        return dict(zip(CHECKS, results, strict=True))


def _run(check: Check, sender: SenderProfile) -> CheckResult:
    try:
        return check(sender)
    except UnavailableError as error:
        return CheckResult(CheckStatus.UNKNOWN, error.message, error.fix)
    # Such as a key file that cannot be read: the message says what is wrong with it.
    except InputError as error:
        place = f"{error.file}: " if error.file else ""
        return CheckResult(CheckStatus.PROBLEM, f"{place}{error.message}", error.fix)
