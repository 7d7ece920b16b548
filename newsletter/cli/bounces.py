"""bounces: what came back, and what follows from it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.desk import say

if TYPE_CHECKING:
    from newsletter.events import Report


@click.group()
def bounces() -> None:
    """Bounces, complaints and auto-replies."""


@bounces.command(epilog="Example: send.py bounces classify --json returned/*.eml")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE…")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def classify(files: tuple[Path, ...], as_json: bool) -> None:
    """Say what each message is and whom it is about; touches no database.

    Exits 1 when a file could not be read; the others are classified all the same.
    """
    from newsletter.events import classify as understand
    from newsletter.events.message import MAX_BYTES

    unread = 0
    for file in files:
        try:
            with file.open("rb") as source:
                raw = source.read(MAX_BYTES)
        except OSError as error:
            unread += 1
            say(f"error: {click.format_filename(file)}: {error.strerror or error}")
            continue
        report = understand(raw)
        click.echo(json.dumps(as_object(file, report)) if as_json else as_lines(file, report))
    sys.exit(1 if unread else 0)


def as_object(file: Path, report: Report) -> dict[str, Any]:
    """A report for scripts."""
    return {
        "file": str(file),
        "kind": report.kind,
        "recipients": [
            {
                "address": recipient.address,
                "class": recipient.verdict,
                "status": recipient.status,
                "reply": recipient.reply,
                "reason": recipient.reason,
            }
            for recipient in report.recipients
        ],
    }


def as_lines(file: Path, report: Report) -> str:
    """A report for people."""
    lines = [f"{click.format_filename(file)}: {report.kind}"]
    for found in report.recipients:
        codes = " ".join(code for code in (found.reply, found.status) if code)
        lines.append(f"    {found.address or '(nobody named)'}: {found.verdict} {codes}".rstrip())
        if found.reason:
            lines.append(f"        {found.reason[:150]}")
    return "\n".join(lines)
