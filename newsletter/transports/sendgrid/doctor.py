"""SendGrid's domain authentication: CNAME records that let it sign and bounce in our name."""

from __future__ import annotations

from newsletter.dns_checks.dkim import judge_key, look_up
from newsletter.dns_checks.model import CheckResult, CheckStatus, SenderProfile
from newsletter.errors import InputError

SELECTORS = ("s1", "s2")
"""Those that SendGrid's automated security takes, unless an account chose others."""
_HOST = ".sendgrid.net"


def check_authentication(sender: SenderProfile) -> CheckResult:
    """The From domain's DKIM selectors are aliases of SendGrid's and lead to good keys."""
    if sender.provider != "SendGrid":
        return CheckResult(CheckStatus.SKIPPED, "mail does not go over SendGrid")
    names = [f"{selector}._domainkey.{sender.from_domain}" for selector in SELECTORS]
    targets = [sender.resolver.cname(name) for name in names]
    missing = [
        name for name, at in zip(names, targets, strict=True) if not f".{at}".endswith(_HOST)
    ]
    if missing:
        seen = f"no alias of SendGrid's at {' and '.join(missing)}"
        fix = f"authenticate {sender.from_domain} in SendGrid and publish the CNAMEs it shows"
        return CheckResult(CheckStatus.WARNING, seen, f"{fix} (selectors of your own: look there)")
    try:
        found = [judge_key(look_up(sender.resolver, name), name) for name in names]
    except InputError as error:
        return CheckResult(
            CheckStatus.PROBLEM, error.message, "have SendGrid verify the domain again"
        )
    bad = [finding for finding in found if finding.verdict is not CheckStatus.OK]
    good = CheckResult(CheckStatus.OK, "; ".join(finding.seen for finding in found))
    return bad[0] if bad else good
