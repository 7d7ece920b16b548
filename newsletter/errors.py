"""The errors a user can act on, one class per next step.

The message says what is wrong and where; ``fix`` says what to do. The command line prints both,
and never a traceback.
"""

from __future__ import annotations

from pathlib import Path


class NewsletterError(Exception):
    """Base of every error that a user can act on.

    Args:
        message: What is wrong, in one sentence.
        file: The file that is wrong, if any.
        line: The line in that file, counted from 1.
        fix: What to do next.
    """

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        file: Path | str | None = None,
        line: int | None = None,
        fix: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.file = file
        self.line = line
        self.fix = fix

    def __str__(self) -> str:
        # Written as compilers do, so that editors and terminals turn the place into a link.
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        fix = f"  ({self.fix})" if self.fix else ""
        return f"{place}: {self.message}{fix}" if place else f"{self.message}{fix}"


class InputError(NewsletterError):
    """The input is wrong: fix it and run again."""


class UsageError(NewsletterError):
    """The command or its options are wrong."""

    exit_code = 2


class RefusedError(NewsletterError):
    """A rule forbids this: running it again changes nothing."""


class UnavailableError(NewsletterError):
    """Something needed is not available right now: try again later."""


class GoneError(UnavailableError):
    """What was opened is no longer there: only starting again may help, not waiting."""
