"""Checks SendGrid's domain authentication: CNAMEs that let it sign and handle bounces for us."""

from __future__ import annotations

from newsletter.dns_checks.dkim import judge_key, look_up
from newsletter.dns_checks.model import CheckResult, CheckStatus, SenderProfile
from newsletter.errors import InputError

SELECTORS = ("s1", "s2")
"""The selectors of SendGrid's automated security, unless an account chose others."""
_HOST = ".sendgrid.net"


def check_authentication(sender: SenderProfile) -> CheckResult:
    """Check that the From domain's DKIM selectors are aliases of SendGrid's, with valid keys."""
    if sender.provider != "SendGrid":
        return CheckResult(CheckStatus.SKIPPED, "mail does not go through SendGrid")
    names = [f"{selector}._domainkey.{sender.from_domain}" for selector in SELECTORS]
    targets = [sender.resolver.cname(name) for name in names]
    missing = [
        name for name, at in zip(names, targets, strict=True) if not f".{at}".endswith(_HOST)
    ]
    if missing:
        seen = f"no SendGrid alias at {' and '.join(missing)}"
        fix = f"authenticate {sender.from_domain} in SendGrid and publish the CNAMEs it shows"
        # Only a warning: with selectors of the account's own, the records are somewhere else.
        return CheckResult(CheckStatus.WARNING, seen, f"{fix} (check yours if you chose selectors)")
    try:
        found = [judge_key(look_up(sender.resolver, name), name) for name in names]
    except InputError as error:
        return CheckResult(
            CheckStatus.PROBLEM, error.message, "have SendGrid verify the domain again"
        )
    bad = [finding for finding in found if finding.verdict is not CheckStatus.OK]
    good = CheckResult(CheckStatus.OK, "; ".join(finding.seen for finding in found))
    return bad[0] if bad else good
