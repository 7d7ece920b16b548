"""Samples for the rules of group `subject`."""

from tests.unit.check.project import Sample


def _subject(rule: str, subject: str, at: str = "", **front: str) -> Sample:
    return Sample(f"subject/{rule}", front={"subject": f'"{subject}"', **front}, at=at)


FIRES = (
    _subject("reply", "Re: your neck", at="subject"),
    _subject("reply", "FWD: what four studies say", at="subject"),
    _subject("shouting", "YOUR NECK AND YOU", at="subject"),
    _subject("shouting", "Your neck! And your head!", at="subject"),
    _subject("long", "Neck " * 16, at="subject"),
    Sample("subject/preheader", front={"preheader": "Read on."}, at="preheader"),
    Sample(
        "subject/preheader",
        front={"preheader": "What four studies say about the neck, and more"},
        at="preheader",
    ),
)

NEAR_MISSES = (
    _subject("reply", "Research: what four studies say"),
    _subject("reply", "Re-thinking neck pain"),
    _subject("shouting", "PRP and MRI: what they are"),
    _subject("shouting", "MRI?"),
    _subject("shouting", "Your neck matters!"),
    _subject("long", "N" * 78),
    Sample("subject/preheader"),
)
