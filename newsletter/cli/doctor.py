"""doctor: check whether receivers will accept our mail."""

from __future__ import annotations

import sys

import click

from newsletter.cli.context import CliContext, json_option, make_private, pass_context
from newsletter.cli.output import print_json, say


@click.command(
    short_help="Check DNS and the public URL as receivers do.",
    epilog="""\b
Examples:
  ./send.py doctor
  ./send.py doctor --ip 192.0.2.25 --helo mail.clinic.example
  ./send.py doctor --nameserver 9.9.9.9 --json
""",
)
@click.option(
    "--ip",
    default="",
    metavar="ADDRESS",
    help="The address that your mail is sent from, as receivers see it.",
)
@click.option("--helo", default="", metavar="NAME", help="The HELO name of the sending server.")
@click.option(
    "--nameserver",
    default="",
    metavar="ADDRESS[:PORT]",
    help="The nameserver to use. [the system's]",
)
@json_option
@pass_context
def doctor(cli: CliContext, ip: str, helo: str, nameserver: str, as_json: bool) -> None:
    """Check what receivers check: SPF, DKIM, DMARC, host names, and the public URL.

    Contacts only DNS and the public URL; sends and changes nothing. Exits 1 if there is a problem
    or something could not be checked.
    """
    from ipaddress import ip_address

    from newsletter.audience.keys import load_keys
    from newsletter.audience.model import Token, TokenPurpose
    from newsletter.audience.tokens import TokenSigner
    from newsletter.dns_checks.model import SenderProfile
    from newsletter.dns_checks.resolver import Resolver
    from newsletter.doctor import report
    from newsletter.doctor.checks import run_checks
    from newsletter.errors import UsageError
    from newsletter.transports.registry import transport_kind

    try:
        address = ip_address(ip) if ip else None
    except ValueError:
        raise UsageError(f"{ip!r} is not an IP address", fix="such as 192.0.2.25") from None
    resolver = Resolver(nameserver)
    make_private(cli.settings.var)
    keys = load_keys(cli.settings, live=False)
    # A test token: checking the unsubscribe URL must not unsubscribe anybody.
    proof = TokenSigner(keys).sign(Token(TokenPurpose.UNSUBSCRIBE, True, 0, 0))
    provider = transport_kind(cli.settings).provider
    name = helo.rstrip(".").lower()
    findings = run_checks(SenderProfile(cli.settings, resolver, proof, address, name, provider))
    if as_json:
        print_json(report.findings_object(findings))
    else:
        click.echo(report.format_findings(findings, color=sys.stdout.isatty()))
        say(report.summary(findings))
    sys.exit(0 if report.is_fine(findings) else 1)
