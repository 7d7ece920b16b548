"""doctor: whether the world will take our mail."""

from __future__ import annotations

import sys
from ipaddress import IPv4Address, IPv6Address

import click

from newsletter.cli.context import (
    CliContext,
    json_option,
    make_private,
    pass_context,
    print_json,
    say,
)


@click.command(
    short_help="Check DNS and the public address as receivers do.",
    epilog="""\b
Examples:
  ./send.py doctor
  ./send.py doctor --ip 192.0.2.25 --helo mail.clinic.example
  ./send.py doctor --nameserver 9.9.9.9 --json
""",
)
@click.option(
    "--ip", default="", metavar="ADDRESS", help="Where mail comes from, as others see it."
)
@click.option("--helo", default="", metavar="NAME", help="How the sending server greets others.")
@click.option(
    "--nameserver",
    default="",
    metavar="ADDRESS[:PORT]",
    help="Whom to ask. [the system's nameserver]",
)
@json_option
@pass_context
def doctor(cli: CliContext, ip: str, helo: str, nameserver: str, as_json: bool) -> None:
    """Check what receivers check: SPF, DKIM, DMARC, names, and the public address.

    Asks DNS and the public address only; nothing is sent or changed. Exits 1 on a problem, and
    when something could not be looked at.
    """
    from newsletter.audience.keys import load_keys
    from newsletter.audience.model import Token, TokenPurpose
    from newsletter.audience.tokens import TokenSigner
    from newsletter.dns_checks.model import SenderProfile
    from newsletter.dns_checks.resolver import Resolver
    from newsletter.doctor import report
    from newsletter.doctor.checks import run_checks
    from newsletter.transports.registry import transport_kind

    address, resolver = _address(ip), Resolver(nameserver)
    make_private(cli.settings.var)
    keys = load_keys(cli.settings, live=False)
    proof = TokenSigner(keys).sign(Token(TokenPurpose.UNSUBSCRIBE, True, 0, 0))
    provider = transport_kind(cli.settings).provider
    name = helo.rstrip(".").lower()
    findings = run_checks(SenderProfile(cli.settings, resolver, proof, address, name, provider))
    if as_json:
        print_json(report.findings_object(findings))
    else:
        click.echo(report.format_findings(findings, colour=sys.stdout.isatty()))
        say(report.summary(findings))
    sys.exit(0 if report.is_fine(findings) else 1)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    import ipaddress

    from newsletter.errors import UsageError

    try:
        return ipaddress.ip_address(text) if text else None
    except ValueError:
        raise UsageError(f"{text!r} is no IP address", fix="like 192.0.2.25") from None
