"""Empty a mailbox: take mail in, commit, and only then put it away."""

from __future__ import annotations

from dataclasses import dataclass, field

from newsletter.feedback.imap import FetchedMessage, ImapMailbox
from newsletter.feedback.intake import IntakeSummary, MailIntake
from newsletter.feedback.mailbox_files import as_read
from newsletter.settings.model import Imap


@dataclass(slots=True)
class MailboxSummary:
    """What became of a mailbox. ``moved``: messages by folder; ``left``: marked, not moved."""

    taken: IntakeSummary = field(default_factory=IntakeSummary)
    moved: dict[str, int] = field(default_factory=dict)
    left: int = 0


def collect(mailbox: ImapMailbox, reader: MailIntake, settings: Imap) -> MailboxSummary:
    """Take in all that waits in a mailbox.

    Killed at any moment, it leaves each message either where it was or put away with its outcome
    committed; the next run sees the former again, which changes nothing that is known.

    Raises:
        RefusedError, UnavailableError: As `Reader.take_in` and `Mailbox.file`.
    """
    done = MailboxSummary()
    for batch in mailbox.batches():
        look = reader.take_in([as_read(each.raw) for each in batch], done.taken)
        _put_away(mailbox, batch, look, settings, done)
    return done


def _put_away(
    mailbox: ImapMailbox,
    batch: list[FetchedMessage],
    look: list[bool],
    settings: Imap,
    done: MailboxSummary,
) -> None:
    for wanted, folder in ((False, settings.processed), (True, settings.unverified)):
        uids = [
            each.uid for each, is_wanted in zip(batch, look, strict=True) if is_wanted is wanted
        ]
        if not uids:
            continue
        if mailbox.file(uids, folder):
            done.moved[folder] = done.moved.get(folder, 0) + len(uids)
        else:
            done.left += len(uids)
