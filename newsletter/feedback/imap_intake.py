"""Empty a mailbox over IMAP: process messages, commit, and only then move them."""

from __future__ import annotations

from dataclasses import dataclass, field

from newsletter.feedback.imap import ImapMailbox
from newsletter.feedback.intake import IntakeSummary, MailIntake
from newsletter.feedback.mailbox_files import normalize
from newsletter.settings.model import Imap


@dataclass(slots=True)
class MailboxSummary:
    """What happened to the messages. ``moved``: counts by folder; ``left``: marked, not moved."""

    intake: IntakeSummary = field(default_factory=IntakeSummary)
    moved: dict[str, int] = field(default_factory=dict)
    left: int = 0


def process_mailbox(mailbox: ImapMailbox, intake: MailIntake, settings: Imap) -> MailboxSummary:
    """Process every message that waits in a mailbox.

    Killed at any moment, it leaves each message either where it was, or moved with its outcome
    committed. The next run sees the former again, which changes nothing that is already known.

    Raises:
        RefusedError, UnavailableError: As `MailIntake.process` and `ImapMailbox.file`.
    """
    done = MailboxSummary()
    for batch in mailbox.batches():
        for_people = intake.process([normalize(message.raw) for message in batch], done.intake)
        for folder, is_for_people in ((settings.processed, False), (settings.unverified, True)):
            uids = [
                message.uid
                for message, needs_look in zip(batch, for_people, strict=True)
                if needs_look is is_for_people
            ]
            if uids and mailbox.file(uids, folder):
                done.moved[folder] = done.moved.get(folder, 0) + len(uids)
            else:
                done.left += len(uids)
    return done
