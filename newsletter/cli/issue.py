"""new, check, render, approve: an article before anybody gets it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.context import (
    CliContext,
    by_option,
    issue_argument,
    json_option,
    optional_issue_argument,
    pass_context,
    print_json,
    relative,
    say,
)

if TYPE_CHECKING:
    from newsletter.check.model import Finding

SCAFFOLD = """\
---
subject: TODO the line readers see first
preheader: TODO one sentence that goes on where the subject stops, and says why to read.
date: {date}
title: {title}
standfirst: TODO one sentence that sums the article up.
---
Hello {{{{ first_name | default("there") }}}},

TODO Write in plain words. Every figure needs its source.[^source]

::: glance At a glance
- The first thing to remember.[^source]
- The second thing.
- The third thing.
:::

## A heading

A paragraph.

[^source]: Author AB, Author CD. Title of the paper. *Journal*. 2026;1(1):1-9.
"""


@click.command(epilog="Example: ./send.py new spring-news")
@click.argument("slug")
@pass_context
def new(cli: CliContext, slug: str) -> None:
    """Start an issue: issues/SLUG.md from a scaffold."""
    import datetime
    import re

    from newsletter.errors import RefusedError, UsageError

    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug) or len(slug) > 80:
        raise UsageError(
            f"{slug!r} is no slug", fix="small letters, digits and single hyphens: spring-news"
        )
    path = cli.settings.root / "issues" / f"{slug}.md"
    path.parent.mkdir(exist_ok=True)
    title = slug.replace("-", " ").capitalize()
    today = datetime.datetime.now().astimezone().date()
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(SCAFFOLD.format(date=today, title=title))
    except FileExistsError:
        raise RefusedError("this issue exists already", file=path, fix="edit it") from None
    shown = relative(path)
    say(f"Wrote {shown}. Edit it, then: ./send.py check {shown}")


@click.command(
    epilog="""\b
Examples:
  ./send.py check issues/neck-muscles-and-migraine.md
  ./send.py check issues/neck-muscles-and-migraine.md --csv subscribers.example.csv --json
  ./send.py check --letters
"""
)
@optional_issue_argument
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(path_type=Path),
    help="Check the merge fields against this file's columns.",
)
@click.option(
    "--letters", is_flag=True, help="Check confirmations and welcomes instead of an issue."
)
@json_option
@pass_context
def check(
    cli: CliContext, issue: Path | None, csv_file: Path | None, letters: bool, as_json: bool
) -> None:
    """Find what would embarrass, with file and line. Exits 1 on a blocker."""
    from newsletter.check.model import Severity
    from newsletter.check.report import findings_json

    findings = _found(cli, issue, csv_file, letters)
    if as_json:
        click.echo(findings_json(findings))
    else:
        show_findings(findings)
    sys.exit(1 if any(f.severity is Severity.BLOCKER for f in findings) else 0)


def _found(
    cli: CliContext, issue: Path | None, csv_file: Path | None, letters: bool
) -> Sequence[Finding]:
    from newsletter.errors import UsageError

    if issue is None and letters and csv_file is None:
        from newsletter.transactional.checks import check_messages

        return check_messages(cli.settings)
    if issue is None or letters:
        raise UsageError("check takes one ISSUE, or --letters alone")

    from newsletter.audience.importing.importer import csv_columns
    from newsletter.campaign.build import build

    columns = csv_columns(csv_file, cli.settings.merge_fields) if csv_file else None
    return build(issue, cli.settings, columns=columns).findings


def show_findings(findings: Sequence[Finding]) -> None:
    """Print findings as a compiler does, and a line that sums them up."""
    from newsletter.check.model import Severity
    from newsletter.check.report import format_findings

    if findings:
        click.echo(format_findings(findings, color=sys.stdout.isatty()))
    counts = [
        f"{n} {severity}{'' if n == 1 else 's'}"
        for severity in Severity
        if (n := sum(f.severity is severity for f in findings))
    ]
    say(", ".join(counts) or "Nothing found.")


@click.command(
    short_help="Write an issue to files, as readers will get it.",
    epilog="Example: ./send.py render issues/neck-muscles-and-migraine.md --out build",
)
@issue_argument
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default="build",
    show_default=True,
    help="Folder to write to.",
)
@json_option
@pass_context
def render(cli: CliContext, issue: Path, out: Path, as_json: bool) -> None:
    """Write the issue as readers will get it, for one sample reader.

    OUT/index.html, text.txt, message.eml, archive.html, compiled.json and the images.
    """
    from newsletter.campaign.build import build
    from newsletter.campaign.render_files import render_files

    with cli.app() as app:
        summary = render_files(build(issue, app.settings).compiled, app, out)
    if as_json:
        print_json(summary)
    else:
        say(f"Wrote {out}/index.html and text.txt ({summary['html_bytes'] / 1024:.0f} KB of HTML).")
        say(f"Digest {summary['digest'][:12]}. Look at it: ./send.py preview {issue}")


@click.command(
    short_help="Vouch for exactly this content.",
    epilog="""\b
Examples:
  ./send.py approve issues/neck-muscles-and-migraine.md --list readers
  ./send.py approve issues/neck-muscles-and-migraine.md --waive links/shortener="our own domain"
""",
)
@issue_argument
@click.option("--list", "list_name", default="*", help="The list it may go to. [any]")
@click.option(
    "--waive",
    multiple=True,
    metavar="RULE=REASON",
    help="Accept a warning by name, with the reason, for the record.",
)
@by_option
@json_option
@pass_context
def approve(
    cli: CliContext, issue: Path, list_name: str, waive: tuple[str, ...], by: str, as_json: bool
) -> None:
    """Vouch for exactly this content: change a comma and the approval is gone."""
    from newsletter.audience.lists import list_names
    from newsletter.campaign import approval
    from newsletter.campaign.build import build
    from newsletter.errors import UsageError

    waivers = dict(pair.partition("=")[::2] for pair in waive)
    if "" in waivers:
        raise UsageError("--waive takes RULE=REASON")
    with cli.app(by=by) as app:
        prepared = build(issue, app.settings, lists=list_names(app.store))
        if not as_json:
            show_findings(prepared.findings)
        count = approval.approve(app, prepared, audience=list_name, waivers=waivers)
    needed = cli.settings.approvals
    if as_json:
        click.echo(
            json.dumps({"digest": prepared.compiled.digest, "approvals": count, "needed": needed})
        )
        return
    audience = "any list" if list_name == "*" else f"the list {list_name}"
    digest = prepared.compiled.digest[:12]
    say(f"Approved by {app.by} for {audience}: {count} of {needed}. Digest {digest}.")
    if count < needed:
        say(f"Next: {needed - count} more must approve it, under another name.")
        return
    target = "NAME" if list_name == "*" else list_name
    say(f"Next: ./send.py send {issue} --list {target} --live")
