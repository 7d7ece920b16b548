"""bounces: what came back, and what follows from it."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.context import CliContext, json_option, pass_context, print_json, say
from newsletter.cli.counted import counted
from newsletter.errors import UsageError

if TYPE_CHECKING:
    from newsletter.feedback.imap_intake import MailboxSummary
    from newsletter.feedback.intake import IntakeSummary
    from newsletter.feedback.model import FeedbackReport


@click.group()
def bounces() -> None:
    """Bounces, complaints and auto-replies."""


@bounces.command(
    short_help="Say what each message is; touches no database.",
    epilog="Example: ./send.py bounces classify --json returned/*.eml",
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE…")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def classify(files: tuple[Path, ...], as_json: bool) -> None:
    """Say what each message is and whom it is about; touches no database.

    Exits 1 when a file could not be read; the others are classified all the same.
    """
    from newsletter.feedback.classify import classify as understand
    from newsletter.feedback.message import MAX_BYTES

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


@bounces.command(
    short_help="Take in what came back.",
    epilog="""\b
Examples:
  ./send.py bounces read /var/mail/bounces
  ./send.py bounces read ~bounces/Maildir
  ./send.py bounces read - < returned.eml
  ./send.py bounces read --imap
""",
)
@click.argument("source", required=False)
@click.option("--imap", is_flag=True, help="Empty the mailbox of the settings (imap.host …).")
@json_option
@pass_context
def read(cli: CliContext, source: str | None, imap: bool, as_json: bool) -> None:
    """Take in what came back: a Maildir, an mbox, one message, or - for standard input.

    SOURCE is read and left as it is; with --imap, mail is moved once its outcome is kept. Whatever
    was taken in before is known and ignored, so run it as often as you like. Only mail that proves
    to answer ours has consequences.
    """
    from newsletter.feedback.imap import open_mailbox
    from newsletter.feedback.imap_intake import MailboxSummary, collect
    from newsletter.feedback.intake import MailIntake
    from newsletter.feedback.mailbox_files import read_messages

    if imap is bool(source):
        raise UsageError("name a SOURCE, or give --imap")
    with cli.app() as app:
        settings = app.settings.imap
        reader = MailIntake(app.store, app.keys, hold_after=app.settings.hold.policy)
        if imap:
            with open_mailbox(settings) as mailbox:
                done = collect(mailbox, reader, settings)
        else:
            done = MailboxSummary(reader.read(read_messages(source or "")))
    if as_json:
        where = {"moved": done.moved, "left": done.left} if imap else {}
        print_json(done.taken.as_json() | where)
    else:
        click.echo(as_summary(done.taken) + as_places(done))


@bounces.command(
    short_help="List who asked by mail to leave.", epilog="Example: ./send.py bounces wishes --json"
)
@json_option
@pass_context
def wishes(cli: CliContext, as_json: bool) -> None:
    """List who asked by mail to leave, without a token that proves who they are.

    Anybody can write in another's name, so a person decides: `subscribers suppress` does
    what is asked, and takes the wish off this list.
    """
    from newsletter.audience.times import iso
    from newsletter.feedback.open_requests import open_requests

    with cli.app() as app:
        found = open_requests(app.store)
    if as_json:
        rows = [
            {"email": each.email, "at": iso(each.at), "subject": each.subject} for each in found
        ]
        print_json({"wishes": rows})
        return
    for each in found:
        day = datetime.fromtimestamp(each.at, UTC).date()
        click.echo(f"{day}  {each.email or '(no address)'}  {each.subject}")
    say(f"{counted(len(found), 'wish', 'wishes')} to leave by mail without proof")


_ASKED = "of these asked to leave (see `bounces wishes`)"


def as_summary(taken: IntakeSummary) -> str:
    """What was done, in one line a person reads."""
    counts = [
        *((n, str(kind), str(kind)) for kind, n in sorted(taken.kinds.items())),
        (taken.repeated, "event seen before", "events seen before"),
        (taken.unverified, "event without proof, kept only", "events without proof, kept only"),
        (taken.asked_to_leave, _ASKED, _ASKED),
        (taken.suppressed, "newly suppressed", "newly suppressed"),
        (taken.settled, "doubt settled", "doubts settled"),
    ]
    told = ", ".join(counted(*each) for each in counts if each[0])
    held = "".join(f"; campaign {each} is paused" for each in taken.held)
    return f"{counted(taken.messages, 'message')}{': ' if told else ''}{told}{held}"


def as_places(done: MailboxSummary) -> str:
    """Where mail is now that was read over IMAP."""
    moved = "".join(f"; {n:,} moved to {folder}" for folder, n in done.moved.items())
    left = (
        f"; {done.left:,} marked and left: the server can neither MOVE nor UIDPLUS"
        if done.left
        else ""
    )
    return moved + left


def as_object(file: Path, report: FeedbackReport) -> dict[str, Any]:
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


def as_lines(file: Path, report: FeedbackReport) -> str:
    """A report for people."""
    lines = [f"{click.format_filename(file)}: {report.kind}"]
    for found in report.recipients:
        codes = " ".join(code for code in (found.reply, found.status) if code)
        lines.append(f"    {found.address or '(nobody named)'}: {found.verdict} {codes}".rstrip())
        if found.reason:
            lines.append(f"        {found.reason[:150]}")
    return "\n".join(lines)
