"""bounces: process bounces, complaints and unsubscribe requests that arrive by mail."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.context import CliContext, json_option, pass_context
from newsletter.cli.output import counted, print_json, say
from newsletter.errors import UsageError

if TYPE_CHECKING:
    from newsletter.feedback.imap_intake import MailboxSummary
    from newsletter.feedback.model import FeedbackReport


@click.group(short_help="Process returned mail and unsubscribe requests.")
def bounces() -> None:
    """Process bounces, complaints and unsubscribe requests that arrive by mail."""


@bounces.command(
    short_help="Classify messages, without a database.",
    epilog="Example: ./send.py bounces classify --json returned/*.eml",
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE…")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
def classify(files: tuple[Path, ...], as_json: bool) -> None:
    """Classify messages and list the recipients they are about, without a database.

    Exits 1 if a file cannot be read; the other files are still classified.
    """
    from newsletter.feedback.classify import classify as classify_message
    from newsletter.feedback.message import MAX_BYTES

    unread = 0
    for file in files:
        try:
            with file.open("rb") as source:
                # As much as is read of any message: a file given by mistake may be huge.
                raw = source.read(MAX_BYTES)
        except OSError as error:
            unread += 1
            say(f"error: {click.format_filename(file)}: {error.strerror or error}")
            continue
        # Without keys: what a message is does not depend on whose mail it answers.
        report = classify_message(raw)
        click.echo(json.dumps(as_object(file, report)) if as_json else as_lines(file, report))
    sys.exit(1 if unread else 0)


@bounces.command(
    short_help="Process returned mail.",
    epilog="""\b
Examples:
  ./send.py bounces read /var/mail/bounces
  ./send.py bounces read ~bounces/Maildir
  ./send.py bounces read - < returned.eml
  ./send.py bounces read --imap
""",
)
@click.argument("source", required=False)
@click.option("--imap", is_flag=True, help="Read the mailbox in the settings (imap.host …).")
@json_option
@pass_context
def read(cli: CliContext, source: str | None, imap: bool, as_json: bool) -> None:
    """Process returned mail: a Maildir, an mbox, one message, or - for standard input.

    SOURCE is left unchanged; with --imap, messages are moved once their outcome is committed.
    Messages that were processed before are recognized and ignored, so it is safe to run again. Only
    messages that verifiably answer ours change anything.
    """
    from newsletter.feedback.imap import open_mailbox
    from newsletter.feedback.imap_intake import MailboxSummary, process_mailbox
    from newsletter.feedback.intake import MailIntake
    from newsletter.feedback.mailbox_files import read_messages

    if imap is bool(source):
        raise UsageError("bounces read needs either a SOURCE or --imap")
    with cli.app() as app:
        settings = app.settings.imap
        intake = MailIntake(app.store, app.keys, hold_after=app.settings.hold.policy)
        if imap:
            with open_mailbox(settings) as mailbox:
                done = process_mailbox(mailbox, intake, settings)
        else:
            done = MailboxSummary(intake.read(read_messages(source or "")))
    if as_json:
        where = {"moved": done.moved, "left": done.left} if imap else {}
        print_json(done.intake.as_json() | where)
    else:
        click.echo(as_summary(done))


@bounces.command(
    "requests",
    short_help="List unverified unsubscribe requests.",
    epilog="Example: ./send.py bounces requests --json",
)
@json_option
@pass_context
def list_requests(cli: CliContext, as_json: bool) -> None:
    """List unsubscribe requests by mail that do not prove who sent them.

    Anyone can write in someone else's name, so a person decides: `subscribers suppress` honors
    the request and removes it from this list.
    """
    _print_requests(cli, as_json, "requests")


@bounces.command("wishes", hidden=True)
@json_option
@pass_context
def list_wishes(cli: CliContext, as_json: bool) -> None:
    """The former name of `bounces requests`, with its former JSON key."""
    _print_requests(cli, as_json, "wishes")


def _print_requests(cli: CliContext, as_json: bool, key: str) -> None:
    from newsletter.audience.times import iso
    from newsletter.feedback.open_requests import open_requests

    with cli.app() as app:
        found = open_requests(app.store)
    if as_json:
        rows = [
            {"email": request.email, "at": iso(request.at), "subject": request.subject}
            for request in found
        ]
        print_json({key: rows})
        return
    for request in found:
        day = datetime.fromtimestamp(request.at, UTC).date()
        click.echo(f"{day}  {request.email or '(no address)'}  {request.subject}")
    say(counted(len(found), "unverified unsubscribe request"))


def as_summary(done: MailboxSummary) -> str:
    """What was processed, in one line for people."""
    intake = done.intake
    see = "unsubscribe {} (see `bounces requests`)"
    counts = [
        *((number, str(kind), str(kind)) for kind, number in sorted(intake.kinds.items())),
        (intake.repeated, "event seen before", "events seen before"),
        (intake.unverified, "unverified event, only recorded", "unverified events, only recorded"),
        (intake.asked_to_leave, see.format("request"), see.format("requests")),
        (intake.suppressed, "address newly suppressed", "addresses newly suppressed"),
        (intake.settled, "uncertain delivery settled", "uncertain deliveries settled"),
    ]
    told = ", ".join(counted(*each) for each in counts if each[0])
    text = counted(intake.messages, "message") + (f": {told}" if told else "")
    text += "".join(f"; campaign {number} is paused" for number in intake.held)
    text += "".join(f"; {number:,} moved to {folder}" for folder, number in done.moved.items())
    if done.left:
        text += f"; {done.left:,} marked and left: the server supports neither MOVE nor UIDPLUS"
    return text


def as_object(file: Path, report: FeedbackReport) -> dict[str, object]:
    """A report for programs."""
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


def as_lines(file: Path, report: FeedbackReport) -> str:
    """A report for people."""
    lines = [f"{click.format_filename(file)}: {report.kind}"]
    for found in report.recipients:
        codes = " ".join(code for code in (found.reply, found.status) if code)
        lines.append(f"    {found.address or '(no address)'}: {found.verdict} {codes}".rstrip())
        if found.reason:
            lines.append(f"        {found.reason[:150]}")
    return "\n".join(lines)
