"""Names and addresses of servers: those that accept replies and bounces, and the sending one."""

from __future__ import annotations

from newsletter.dns_checks.model import CheckResult, CheckStatus, SenderProfile
from newsletter.dns_checks.resolver import Resolver


def check_from_mx(sender: SenderProfile) -> CheckResult:
    """The From domain accepts mail: receivers refuse senders that cannot be answered."""
    return takes_mail(sender.resolver, sender.from_domain)


def check_bounce_mx(sender: SenderProfile) -> CheckResult:
    """The bounce domain accepts mail."""
    if sender.provider:
        return CheckResult(
            CheckStatus.SKIPPED,
            f"bounces go to {sender.provider}: see the check {sender.provider_check}",
        )
    if not sender.settings.bounce_address:
        seen = (
            "bounces go to the From address, without a token: one that does not quote our "
            "Message-ID cannot be verified, and suppresses nobody"
        )
        return CheckResult(
            CheckStatus.WARNING,
            seen,
            f"set bounce_address, such as bounces@bounces.{sender.from_domain}",
        )
    # Otherwise one missing record would be reported twice.
    if sender.bounce_domain == sender.from_domain:
        return CheckResult(
            CheckStatus.SKIPPED, "bounces go to the From domain: see the check mx-from"
        )
    return takes_mail(sender.resolver, sender.bounce_domain)


def takes_mail(resolver: Resolver, domain: str) -> CheckResult:
    """Whether a domain has mail exchangers with addresses (RFC 5321 section 5.1, RFC 7505)."""
    hosts = resolver.mx(domain)
    publish = f"publish: {domain}. MX 10 THE-HOST-THAT-TAKES-YOUR-MAIL."
    if hosts == [""]:
        return CheckResult(
            CheckStatus.PROBLEM, f"{domain} declares that it accepts no mail (null MX)", publish
        )
    if not hosts:
        # Without an MX, the domain's own address counts as one (RFC 5321 section 5.1).
        if resolver.addresses(domain):
            seen = f"{domain} has no MX: mail goes to its address, as RFC 5321 allows"
            return CheckResult(CheckStatus.WARNING, seen, publish)
        return CheckResult(CheckStatus.PROBLEM, f"{domain} has no MX and no address", publish)
    lost = [host for host in hosts if not host or not resolver.addresses(host)]
    if lost:
        seen = f"no address for {', '.join(host or '.' for host in lost)}, an MX of {domain}"
        verdict = CheckStatus.PROBLEM if len(lost) == len(hosts) else CheckStatus.WARNING
        return CheckResult(verdict, seen, "publish its A or AAAA record, or remove the MX")
    return CheckResult(CheckStatus.OK, f"{domain}: {', '.join(hosts)}")


def check_ptr(sender: SenderProfile) -> CheckResult:
    """The sending address has a name, and the name has that address (forward-confirmed)."""
    if sender.provider:
        return CheckResult(CheckStatus.SKIPPED, f"the sending address is {sender.provider}'s")
    if sender.ip is None:
        return CheckResult(
            CheckStatus.SKIPPED, "the sending address is not known", "use --ip ADDRESS"
        )
    # Whoever has an address can give it any name, so receivers also look up the name's addresses.
    names = sender.resolver.ptr(sender.ip)
    wanted = sender.helo or f"mail.{sender.from_domain}"
    publish = f"have its provider publish: {sender.ip.reverse_pointer}. PTR {wanted}."
    if not names:
        return CheckResult(CheckStatus.PROBLEM, f"{sender.ip} has no name (PTR)", publish)
    good = [name for name in names if sender.ip in sender.resolver.addresses(name)]
    if not good:
        seen = f"{sender.ip} is named {', '.join(names)}, which does not have that address"
        kind = "A" if sender.ip.version == 4 else "AAAA"
        return CheckResult(CheckStatus.PROBLEM, seen, f"publish: {names[0]}. {kind} {sender.ip}")
    return CheckResult(CheckStatus.OK, f"{sender.ip} is named {good[0]}, which has that address")


def check_helo(sender: SenderProfile) -> CheckResult:
    """The HELO name of the sending server has its address (RFC 5321 section 4.1.4)."""
    if not sender.helo or sender.ip is None:
        seen = "the HELO name of the sending server is not known"
        return CheckResult(CheckStatus.SKIPPED, seen, "use --helo NAME and --ip ADDRESS")
    found = sender.resolver.addresses(sender.helo)
    if sender.ip in found:
        return CheckResult(CheckStatus.OK, f"{sender.helo} has the address {sender.ip}")
    seen = f"{sender.helo} has {', '.join(sorted(map(str, found))) or 'no address'}"
    kind = "A" if sender.ip.version == 4 else "AAAA"
    return CheckResult(CheckStatus.PROBLEM, seen, f"publish: {sender.helo}. {kind} {sender.ip}")
