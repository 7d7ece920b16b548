"""What a report says first, and what it keeps quiet about."""

import pytest

from newsletter.campaign.report.alerts import alerts
from newsletter.campaign.report.events import Afterwards
from newsletter.campaign.report.model import StateChange
from newsletter.delivery.ledger.statistics import Refusals
from newsletter.smtp_replies.classify import ReplyClass

QUIET = Refusals()


def kinds(after: Afterwards, accepted: int = 10_000) -> list[str]:
    return [each.kind for each in alerts([], QUIET, after, accepted)]


def test_all_well_says_nothing() -> None:
    after = Afterwards(delivered=9_000, bounced={ReplyClass.HARD: 50, ReplyClass.SOFT: 9})
    assert kinds(after) == []


@pytest.mark.parametrize(
    ("complained", "accepted", "said"),
    [
        (1, 100, ""),
        (9, 10_000, ""),
        (10, 10_000, "want less than 0.1%"),
        (29, 10_000, "want less than 0.1%"),
        (30, 10_000, "refuse mail at 0.3% or more"),
        (2, 1, "refuse mail at 0.3% or more"),
    ],
)
def test_complaints_are_measured_by_what_arrived(complained: int, accepted: int, said: str) -> None:
    found = alerts([], QUIET, Afterwards(complained=complained), accepted)
    assert [each.kind for each in found] == (["complaints"] if said else [])
    assert all(said in each.text for each in found)


def test_bounced_mail_is_no_mail_that_could_be_complained_about() -> None:
    assert kinds(Afterwards(complained=9)) == []
    assert kinds(Afterwards(complained=9, bounced={ReplyClass.HARD: 2_000})) == ["complaints"]


def test_bounces_about_the_sender_are_one_and_about_readers_are_none() -> None:
    assert kinds(Afterwards(bounced={ReplyClass.BLOCK: 1})) == ["sender-bounced"]


def test_a_campaign_that_held_itself_says_why_and_one_paused_by_hand_does_not() -> None:
    by_hand = StateChange("sending", "paused", "nurse", "lunch", 1.0)
    held = StateChange("sending", "paused", "system", "3 replies reject us as a sender", 2.0)
    assert alerts([by_hand], QUIET, Afterwards(), 10) == []
    (once,) = alerts([by_hand, held], QUIET, Afterwards(), 10)
    assert (once.kind, "3 replies reject us" in once.text) == ("held", True)
    (twice,) = alerts([held, held], QUIET, Afterwards(), 10)
    assert "2 times" in twice.text
