"""What the options of `send` name: the issue, and the people."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.cli.campaign_view import show_import
from newsletter.cli.desk import say
from newsletter.cli.progress import import_bar
from newsletter.cli.segment import audience_of
from newsletter.errors import RefusedError

if TYPE_CHECKING:
    from newsletter.campaign.desk import Desk
    from newsletter.campaign.freeze import Audience
    from newsletter.campaign.prepare import Prepared


@dataclass(frozen=True, slots=True)
class Job:
    """What to send to whom, as the options say it."""

    issue: Path
    list_name: str
    csv_file: Path | None
    uses: tuple[str, ...]
    segment: str | None
    skip_invalid: bool
    again: str
    detach: bool

    def prepare(self, desk: Desk, audience: Audience | None, *, live: bool) -> Prepared:
        """Read, compile and check the issue, against the columns of a list if one is given."""
        from newsletter.audience import columns, list_names
        from newsletter.campaign.prepare import prepare

        known = columns(desk.store, audience.list_name) if audience else None
        lists = list_names(desk.store)
        return prepare(self.issue, desk.settings, columns=known, live=live, lists=lists)

    def audience(self, desk: Desk) -> Audience:
        """Import the file, if there is one, and say who is meant."""
        batch = self._import(desk, self.csv_file) if self.csv_file else ""
        return audience_of(desk.store, self.list_name, self.segment, batch)

    def _import(self, desk: Desk, csv_file: Path) -> str:
        from newsletter.audience import import_csv

        with import_bar(csv_file) as progress:
            report = import_csv(
                desk.store,
                desk.keys,
                csv_file,
                list_name=self.list_name,
                source="csv",
                skip_invalid=self.skip_invalid,
                rejects=csv_file.with_suffix(".rejects.csv"),
                uses=self.uses,
                declared=desk.settings.merge_fields,
                progress=progress,
            )
        show_import(report)
        return report.batch


def refuse_blockers(prepared: Prepared) -> None:
    """Show what stands in the way of a live send.

    Raises:
        RefusedError: Something does.
    """
    from newsletter.check import format_findings

    if prepared.blockers:
        say(format_findings(prepared.blockers, colour=sys.stderr.isatty()))
        raise RefusedError(
            f"{len(prepared.blockers)} blocker(s) stand; nothing was sent",
            fix="mend them, approve again, and send",
        )
