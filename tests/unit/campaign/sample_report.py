"""A small report with something of everything, and hostile words wherever words come from."""

from pathlib import Path

from newsletter.campaign.report.build import CampaignReport
from newsletter.campaign.report.domains import DomainRow, Domains
from newsletter.campaign.report.events import Afterwards
from newsletter.campaign.report.model import Approval, DeliveryProblem, StateChange
from newsletter.campaign.status import Status
from newsletter.delivery.ledger.outcomes import DeliveryOutcome, OutcomeCounts
from newsletter.delivery.ledger.statistics import Refusals, Wait
from newsletter.settings.load import load_settings
from newsletter.settings.model import Settings
from newsletter.smtp_replies.classify import ReplyClass, classify

ROOT = Path(__file__).parents[3]
START = 1_777_885_800
"""4 May 2026, 09:10 UTC."""


def settings() -> Settings:
    return load_settings(ROOT / "newsletter.toml")


def problem(fate: DeliveryOutcome) -> DeliveryProblem:
    return DeliveryProblem(fate, classify(fate.code, fate.status, fate.reply))


def sample_report() -> CampaignReport:
    return CampaignReport(
        status=Status(
            3,
            "neck-muscles-and-migraine",
            "readers",
            "paused",
            "4f1d" * 16,
            OutcomeCounts(
                audience=1204,
                accepted=1169,
                deferred=9,
                failed=4,
                uncertain=1,
                queued=12,
                skipped={"bounced": 2, "unsubscribed": 7},
            ),
        ),
        title="Can your neck cause <migraine>?",
        transport="smtp",
        created_by="nurse",
        created_at=START - 240.0,
        finished_at=None,
        again_reason="",
        approvals=[Approval("doctor", START - 3600.0, {"reading/grade": "a <b>quote</b>"})],
        steps=[
            StateChange("approved", "sending", "nurse", "", START + 1.0),
            StateChange("sending", "paused", "nurse", "relay & <script>", START + 700.0),
            StateChange("paused", "sending", "nurse", "", START + 760.0),
            StateChange(
                "sending",
                "paused",
                "system",
                "3 replies reject us as a sender, the last with 550 5.7.1",
                START + 800.0,
            ),
        ],
        after=Afterwards(
            delivered=1102,
            bounced={
                ReplyClass.HARD: 9,
                ReplyClass.BLOCK: 2,
                ReplyClass.SOFT: 5,
                ReplyClass.UNKNOWN: 1,
            },
            complained=2,
            unsubscribed=6,
            unverified=3,
        ),
        domains=Domains(
            [
                DomainRow("mail.example", 900, 893, 0, 3, 0, 870, 11, 2),
                DomainRow("post.example", 290, 267, 9, 0, 1, 226, 5, 0),
            ],
            DomainRow("", 14, 9, 0, 1, 0, 6, 1, 0),
            7,
        ),
        minutes={
            START + 60 * minute: count
            for minute, count in enumerate((120, 210, 205, 198, 0, 0, 160, 190, 60, 26))
            if count
        },
        later={
            "delivered": {
                START + 60 * at: n for at, n in ((1, 300), (2, 402), (9, 250), (70, 150))
            },
            "bounced": {START + 60 * at: n for at, n in ((1, 8), (8, 4), (130, 3), (700, 2))},
            "complained": {START + 60 * 95: 1, START + 60 * 420: 1},
            "unsubscribed": {START + 60 * 40: 4, START + 60 * 300: 2},
        },
        attempts={1: 1171, 2: 12},
        waits=[Wait("post.example", 11, 95.0, 421.0)],
        refusals=Refusals(
            {ReplyClass.HARD: 3, ReplyClass.SOFT: 11, ReplyClass.BLOCK: 1},
            "550 5.7.1 Our <system> has detected that this message is likely unsolicited",
        ),
        problems=[
            problem(
                DeliveryOutcome(
                    17, "gone@mail.example", "failed", 550, "5.1.1", "5.1.1 No such user"
                )
            ),
            problem(DeliveryOutcome(204, "silent@post.example", "uncertain")),
            problem(
                DeliveryOutcome(
                    777,
                    "long.name.of.a.reader@a-rather-long-domain.post.example",
                    "failed",
                    550,
                    "5.7.1",
                    "5.7.1 Our <system> has detected that this message is likely unsolicited",
                )
            ),
        ],
    )
