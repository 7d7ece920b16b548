"""A report as one self-contained HTML file: to keep, to print, to pass on.

It contains no personal data: no address, no server's text that may hold one, no small domain.
"""

from __future__ import annotations

import os
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError

from newsletter.campaign.report.build import CampaignReport
from newsletter.campaign.report.domains import FEWEST
from newsletter.campaign.report.plots import HEIGHT, WIDTH, lanes, over_time, reported, shares
from newsletter.campaign.report.text import clock, duration
from newsletter.errors import InputError, UnavailableError
from newsletter.render.theme import theme_css
from newsletter.settings.model import Settings


def report_page(report: CampaignReport, settings: Settings) -> str:
    """The report as a page in the publication's design.

    Raises:
        InputError: The template is broken.
    """
    folders = [settings.templates / "studio", settings.templates / "pages"]
    environment = Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(clock=clock, duration=duration, number="{:,}".format)
    try:
        return environment.get_template("report.html").render(
            report=report,
            publication=settings.publication,
            theme=theme_css(settings.theme),
            shares=shares(report.status.tally),
            plot=over_time(report.minutes),
            lanes=lanes({"accepted": report.minutes, **report.later}),
            reported=reported(report.after, report.unreported),
            fewest=FEWEST,
            width=WIDTH,
            height=HEIGHT,
        )
    except TemplateError as error:
        raise InputError(
            f"the report's template is broken: {error.message or type(error).__name__}",
            file="templates/studio/report.html",
            fix="fix the template",
        ) from None


def write_page(html: str, file: Path) -> None:
    """Write a page that only its owner can read: who sees it is up to them.

    Raises:
        UnavailableError: It cannot be written.
    """
    try:
        # The mode is set at creation: a chmod afterwards would leave a moment for others to read.
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as out:
            out.write(html)
    except OSError as error:
        raise UnavailableError(
            f"cannot write the report: {error.strerror}", file=file, fix="choose another file"
        ) from None
