"""A report for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from newsletter.campaign.report.build import CampaignReport
from newsletter.campaign.report.domains import DomainRow
from newsletter.campaign.report.plots import lanes
from newsletter.delivery.ledger.outcomes import DeliveryState

Row = Sequence[str]


def report_text(report: CampaignReport) -> str:
    """The report as plain text, in sections separated by empty lines."""
    sections = (
        _head,
        _alerts,
        _results,
        _feedback,
        _over_time,
        _history,
        _domains,
        _delays,
        _problems,
    )
    blocks = ["\n".join(section(report)) for section in sections]
    return "\n\n".join(block for block in blocks if block) + "\n"


def clock(at: float | None) -> str:
    """A time to the second in UTC, or a dash."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if at else "-"


def duration(seconds: float) -> str:
    """A duration in its two largest units."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _head(report: CampaignReport) -> Iterator[str]:
    known = report.status
    yield f"Campaign {known.campaign_id}: {report.title}"
    rows = [
        ("issue", known.slug),
        ("list", known.audience),
        ("state", known.state),
        ("digest", known.digest),
        ("transport", report.transport),
        ("created", f"{clock(report.created_at)} by {report.created_by}"),
        ("started", clock(report.started_at)),
        ("finished", clock(report.finished_at)),
    ]
    if known.segment:
        rows.insert(2, ("segment", known.segment))
    if report.again_reason:
        rows.append(("sent again", report.again_reason))
    for approval in report.approvals:
        rows.append(("approved", f"{clock(approval.at)} by {approval.by}"))
        rows += [("waived", f"{rule}: {reason}") for rule, reason in approval.waivers.items()]
    yield from _columns(rows)


def _alerts(report: CampaignReport) -> Iterator[str]:
    for alert in report.alerts:
        yield f"ALERT: {_shown(alert.text)}"
        if alert.said:
            yield f"  First reply: {_shown(alert.said)}"
    if report.alerts:
        yield "  Find and fix the cause before the next send."


def _results(report: CampaignReport) -> Iterator[str]:
    yield "Delivery results"
    counts = report.status.tally
    rows = [
        (state.value, f"{counts.of(state):,}")
        for state in DeliveryState
        if state is not DeliveryState.SKIPPED
    ]
    rows += [(f"skipped, {reason}", f"{n:,}") for reason, n in counts.skipped.items()]
    yield from _columns([*rows, ("audience", f"{counts.audience:,}")], numbers=1)


def _feedback(report: CampaignReport) -> Iterator[str]:
    yield "Feedback on accepted messages"
    after = report.after
    rows = [("delivered", after.delivered)]
    rows += [(f"bounced, {kind.value}", number) for kind, number in after.bounced.items()]
    rows += [("nothing reported", report.unreported), ("accepted", report.status.tally.accepted)]
    yield from _columns([(name, f"{number:,}") for name, number in rows], numbers=1)
    yield (
        f"  Complained: {after.complained:,}. Unsubscribed by this campaign: "
        f"{after.unsubscribed:,}. Unverified reports, not counted: {after.unverified:,}."
    )


def _over_time(report: CampaignReport) -> Iterator[str]:
    found = lanes({"accepted": report.minutes, **report.later})
    if not found:
        return
    yield f"Over time, per {found.bin} (UTC)"
    rows = [(start, *(f"{number:,}" for number in numbers)) for start, numbers in found.rows]
    head = ("from", *(lane.kind for lane in found.lanes))
    yield from _columns([head, *rows], numbers=1)


def _history(report: CampaignReport) -> Iterator[str]:
    if report.steps:
        yield "History"
    yield from _columns(
        (clock(step.at), f"{step.from_state} -> {step.to_state}", step.by, step.note)
        for step in report.steps
    )


def _domains(report: CampaignReport) -> Iterator[str]:
    found = report.domains
    if not found.count:
        return
    yield f"By recipient domain (largest {len(found.largest)} of {found.count:,})"
    names = [name for name in DomainRow.__slots__ if name != "domain"]
    rows = [*found.largest, *filter(None, [found.others])]
    figures = [
        (row.domain or "all others", *(f"{getattr(row, name):,}" for name in names)) for row in rows
    ]
    yield from _columns([("domain", *names), *figures], numbers=1)


def _delays(report: CampaignReport) -> Iterator[str]:
    if report.attempts:
        yield "Attempts per delivery"
    yield from _columns([(str(n), f"{count:,}") for n, count in report.attempts.items()], numbers=0)
    if not report.waits:
        return
    yield ""
    yield "Longest delays by domain"
    head = ("domain", "deliveries", "mean", "longest")
    figures = [
        (w.domain, f"{w.deliveries:,}", duration(w.mean), duration(w.longest)) for w in report.waits
    ]
    yield from _columns([head, *figures], numbers=1)


def _problems(report: CampaignReport) -> Iterator[str]:
    if not report.problems:
        return
    yield "Failed and uncertain"
    rows = [
        (str(each.fate.position), each.fate.email, each.fate.state, each.kind.value, each.said)
        for each in report.problems
    ]
    yield from _columns(rows)
    if report.unlisted_problems:
        yield f"  and {report.unlisted_problems:,} more: use --csv to list all of them"


def _columns(rows: Iterable[Row], numbers: int | None = None) -> Iterator[str]:
    """Lines in columns; those from column `numbers` on are right-aligned."""
    table = [[_shown(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = [
            cell.rjust(width) if numbers is not None and index >= numbers else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield ("  " + "  ".join(cells)).rstrip()


def _shown(cell: str) -> str:
    """A cell without what would move a terminal's cursor."""
    return "".join(char if char.isprintable() else " " for char in cell)
