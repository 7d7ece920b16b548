"""A report for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from newsletter.campaign.report import Report

Row = Sequence[str]


def report_text(report: Report) -> str:
    """The report as plain text, sections apart by empty lines."""
    sections = (_head, _alert, _counts, _history, _domains, _attempts, _waits, _problems)
    blocks = ["\n".join(section(report)) for section in sections]
    return "\n\n".join(block for block in blocks if block) + "\n"


def clock(at: float | None) -> str:
    """A time to the second in UTC, or a dash."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if at else "-"


def duration(seconds: float) -> str:
    """A length of time in its two largest units."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _head(report: Report) -> Iterator[str]:
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
    if report.again_reason:
        rows.append(("sent again", report.again_reason))
    for approval in report.approvals:
        rows.append(("approved", f"{clock(approval.at)} by {approval.by}"))
        rows += [("waived", f"{rule}: {reason}") for rule, reason in approval.waivers.items()]
    yield from _columns(rows)


def _alert(report: Report) -> Iterator[str]:
    if report.policy_refusals:
        yield (
            "ALERT: refusals about the sender, not the readers (reputation, authentication or "
            f"content): {report.policy_refusals:,}"
        )
        yield f"  The first: {report.refusals.policy_reply}"
        yield "  Find the cause before the next send."


def _counts(report: Report) -> Iterator[str]:
    yield "What became of everyone"
    counts = report.status.tally
    rows = [
        (state, f"{getattr(counts, state):,}")
        for state in ("accepted", "deferred", "failed", "uncertain", "queued")
    ]
    rows += [(f"skipped, {reason}", f"{n:,}") for reason, n in counts.skipped.items()]
    yield from _columns([*rows, ("audience", f"{counts.audience:,}")], numbers=1)


def _history(report: Report) -> Iterator[str]:
    if report.steps:
        yield "History"
    yield from _columns(
        (clock(step.at), f"{step.from_state} -> {step.to_state}", step.by, step.note)
        for step in report.steps
    )


def _domains(report: Report) -> Iterator[str]:
    if not report.domains:
        return
    yield f"By recipient domain (largest {len(report.domains)} of {report.domain_count:,})"
    head = ("domain", "mailable", "accepted", "deferred", "failed", "uncertain")
    figures = [
        (d.domain, *(f"{n:,}" for n in (d.mailable, d.accepted, d.deferred, d.failed, d.uncertain)))
        for d in report.domains
    ]
    yield from _columns([head, *figures], numbers=1)


def _attempts(report: Report) -> Iterator[str]:
    if report.attempts:
        yield "Attempts per delivery"
    yield from _columns([(str(n), f"{count:,}") for n, count in report.attempts.items()], numbers=0)


def _waits(report: Report) -> Iterator[str]:
    if not report.waits:
        return
    yield "Where mail was put off longest"
    head = ("domain", "deliveries", "mean", "longest")
    figures = [
        (w.domain, f"{w.deliveries:,}", duration(w.mean), duration(w.longest)) for w in report.waits
    ]
    yield from _columns([head, *figures], numbers=1)


def _problems(report: Report) -> Iterator[str]:
    if not report.problems:
        return
    yield "Failed and uncertain"
    rows = [
        (str(each.fate.position), each.fate.email, each.fate.state, each.kind.value, each.said)
        for each in report.problems
    ]
    yield from _columns(rows)
    if report.unlisted_problems:
        yield f"  and {report.unlisted_problems:,} more: --csv lists every one"


def _columns(rows: Iterable[Row], numbers: int | None = None) -> Iterator[str]:
    """Lines in columns; those from column `numbers` on are set flush right."""
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
