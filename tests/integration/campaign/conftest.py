"""A campaign on either database: the example publication, its readers, no command line."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from newsletter.audience.importing.importer import import_csv
from newsletter.audience.keys import Keys
from newsletter.campaign import approval, launch, mailer, run, schedule
from newsletter.campaign.build import BuiltIssue, build
from newsletter.campaign.context import AppContext
from newsletter.campaign.snapshot import AudienceSelection
from newsletter.campaign.status import Status
from newsletter.delivery.model import Delivery, Outcome
from newsletter.errors import UnavailableError
from newsletter.settings.load import load_settings
from newsletter.store.engine import Store
from newsletter.transports.memory import MemoryTransport, accept

ROOT = Path(__file__).parents[3]
READERS = AudienceSelection("readers")


class Office:
    """Two people at one database: what one of them does between two steps of the other."""

    def __init__(self, folder: Path, store: Store) -> None:
        settings = load_settings(folder / "newsletter.toml")
        settings = settings.model_copy(update={"transport": "memory"})
        keys = Keys(signing=b"signing key of the tests, 32 byte", suppression=b"suppression " * 3)
        self.folder = folder
        self.app = AppContext(settings, store, keys, "ann")
        self.transport = MemoryTransport()

    @property
    def issue(self) -> Path:
        return self.folder / "issues" / "neck-muscles-and-migraine.md"

    @property
    def mailed(self) -> list[str]:
        """Every address that got a message, once for each."""
        return [message.rcpt_to for _, message in self.transport.sent]

    def on_list(self, name: str, people: Sequence[str]) -> None:
        file = self.folder / f"{name}.csv"
        file.write_text("\n".join(["email", *people, ""]), encoding="utf-8")
        import_csv(self.app.store, self.app.keys, file, list_name=name, source="csv")

    def edit(self) -> None:
        text = self.issue.read_text(encoding="utf-8")
        self.issue.write_text(text.replace("lasting relief", "relief that lasts"), encoding="utf-8")

    def approved(self) -> BuiltIssue:
        prepared = build(self.issue, self.app.settings)
        approval.approve(self.app, prepared)
        return prepared

    def open(
        self, audience: AudienceSelection = READERS, again: str = ""
    ) -> launch.PendingCampaign:
        approved = self.may_go_to(audience.list_name)
        return launch.open_campaign(self.app, approved, audience, again_reason=again)

    def may_go_to(self, list_name: str) -> approval.ApprovedIssue:
        compiled = self.approved().compiled
        with self.app.store.read() as connection:
            return approval.require(connection, self.app.settings, compiled, list_name)

    def run(self, opened: launch.PendingCampaign) -> Status:
        """What `run.send_live` does once it is confirmed."""
        launch.begin(self.app, opened)
        schedule.wait(self.app.store, self.app.settings, opened.status.campaign_id)
        return self.send(opened)

    def send(self, opened: launch.PendingCampaign) -> Status:
        number = opened.status.campaign_id
        outfit = mailer.open_mailer(self.app, opened.compiled, number, transport=self.transport)
        return run.send(self.app, number, outfit)

    def interrupted(self, opened: launch.PendingCampaign, after: int) -> None:
        """Send to some; then the relay goes away, and the others stay queued."""

        def script(delivery: Delivery, tries: int) -> Outcome:
            if delivery.position > after:
                raise UnavailableError("the relay went away")
            return accept(delivery, tries)

        whole, self.transport = self.transport, MemoryTransport(script)
        with pytest.raises(UnavailableError):
            self.run(opened)
        whole.sent += self.transport.sent
        self.transport = whole


@pytest.fixture
def office(tmp_path: Path, store: Store) -> Office:
    project = tmp_path / "project"
    project.mkdir()
    shutil.copy(ROOT / "newsletter.toml", project)
    for name in ("templates", "issues"):
        shutil.copytree(ROOT / name, project / name)
    office = Office(project, store)
    office.on_list("readers", [f"reader{n}@mail.example" for n in range(5)])
    return office
