"""One live send from its request to its last count, as the command line and a page would ask."""

from __future__ import annotations

import asyncio
import quopri
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from newsletter.audience.lists import list_counts
from newsletter.campaign import approval, build, launch, mailer, preflight, run
from newsletter.campaign.build import BlockedError
from newsletter.campaign.launch import PendingCampaign
from newsletter.campaign.request import SendEnd, SendListener, SendRequest, SendResult
from newsletter.campaign.worker import Worker
from newsletter.delivery.ledger import outcomes, sending_lock
from newsletter.delivery.ledger.outcomes import OutcomeCounts
from newsletter.delivery.ledger.tables import campaign
from newsletter.errors import RefusedError
from newsletter.settings.model import MergeField
from newsletter.transports.memory import MEMORY
from tests.integration.campaign.conftest import READERS, Office

OTHERS = "others"


def everyone(pending: PendingCampaign) -> int:
    """Confirm whatever number it is."""
    return pending.mailable


class Told(SendListener):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.counts: list[OutcomeCounts] = []

    def imported(self, report: Any) -> None:
        self.events.append(f"imported {report.added}")

    def joined_since(self, pending: PendingCampaign, number: int) -> None:
        self.events.append(f"joined since {number}")

    def continuing(self, pending: PendingCampaign) -> None:
        self.events.append("continuing")

    @contextmanager
    def sending(self) -> Any:
        self.events.append("sending")
        yield self.counts.append
        self.events.append("sent")


@pytest.fixture
def send(office: Office, monkeypatch: pytest.MonkeyPatch) -> Callable[..., SendResult]:
    """Send the issue, to the list `readers` unless told otherwise."""
    monkeypatch.setattr(mailer, "open_transport", lambda *_: office.transport)

    def send(
        confirm: Callable[[PendingCampaign], int | None] = everyone,
        listener: SendListener | None = None,
        **wanted: Any,
    ) -> SendResult:
        request = SendRequest(**{"issue": office.issue, "list_name": "readers", **wanted})
        return run.send_live(
            office.app, request, confirm=confirm, listener=listener or SendListener()
        )

    return send


def campaigns(office: Office) -> int:
    with office.app.store.read() as connection:
        return connection.execute(select(func.count()).select_from(campaign)).scalar_one()


def count_calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count what must not be done twice in one send, wherever it is called from."""
    calls: Counter[str] = Counter()

    def count(name: str, original: Callable[..., Any], *places: Any) -> None:
        def counted(*args: Any, **kwargs: Any) -> Any:
            calls[name] += 1
            return original(*args, **kwargs)

        for place in places:
            monkeypatch.setattr(place, original.__name__, counted)

    from newsletter.campaign import completion, status
    from newsletter.delivery.runner import runner

    count("compile", build.compile_issue, build)
    count("approval", approval.require, approval)
    count("lock", sending_lock.sending_lock, launch, runner)
    # What is shown on the way, beside other senders, is counted as often as there is time for it.
    count("tally", outcomes.count_outcomes, status, runner, completion)
    return calls


@pytest.mark.parametrize("to_people", [False, True], ids=["reserved", "people"])
def test_a_live_send_does_nothing_twice(
    office: Office,
    send: Callable[..., SendResult],
    monkeypatch: pytest.MonkeyPatch,
    to_people: bool,
) -> None:
    if to_people:
        reach_people(office, monkeypatch)
        address = "12 Harbor Way, Springfield"
        with_settings(office, publication={"postal_address": address})
    office.approved()
    calls, told = count_calls(monkeypatch), Told()
    result = send(listener=told)
    assert (result.end, result.status.state) == (SendEnd.SENT, "finished")
    assert result.status.tally.accepted == 5
    assert calls == {"compile": 1, "approval": 1, "lock": 1, "tally": 1}
    assert told.events == ["sending", "sent"]


def with_settings(office: Office, **sections: dict[str, Any]) -> None:
    settings = office.app.settings
    changed = {
        name: getattr(settings, name).model_copy(update=values) for name, values in sections.items()
    }
    office.app = replace(office.app, settings=settings.model_copy(update=changed))


def reach_people(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the relay led out of this machine; the unsubscribe address answers."""
    kind = replace(MEMORY, reaches_outside=lambda _: True, reaches_people=lambda _: True)
    monkeypatch.setattr(preflight, "transport_kind", lambda _: kind)
    monkeypatch.setattr(preflight, "require_one_click", lambda *_: None)
    with_settings(office, publication={"public_url": "https://news.clinic.example"})


def test_the_sample_address_goes_to_nobody_real(
    office: Office, send: Callable[..., SendResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    reach_people(office, monkeypatch)
    office.approved()

    def confirm(pending: PendingCampaign) -> int:
        raise AssertionError("nobody is asked about what cannot be sent")

    with pytest.raises(BlockedError) as refused:
        send(confirm)
    assert [each.rule for each in refused.value.blockers] == ["compliance/sample-address"]
    assert (office.mailed, campaigns(office)) == ([], 0)


@pytest.mark.parametrize("answer", [None, 4, 6])
def test_only_the_right_number_confirms(
    office: Office, send: Callable[..., SendResult], answer: int | None
) -> None:
    office.approved()
    with pytest.raises(RefusedError, match="not confirmed: 5 people"):
        send(lambda _: answer)
    assert (office.mailed, campaigns(office)) == ([], 0)
    assert send().status.tally.accepted == 5


def test_who_sends_while_another_is_asked_sends_alone(
    office: Office, send: Callable[..., SendResult]
) -> None:
    office.approved()
    inner: list[SendResult] = []

    def confirm_late(pending: PendingCampaign) -> int:
        inner.append(send())
        return pending.mailable

    with pytest.raises(RefusedError, match="meanwhile"):
        send(confirm_late)
    assert inner[0].status.tally.accepted == 5
    assert len(office.mailed) == len(set(office.mailed)) == 5


def test_without_an_approval_a_file_changes_no_list(
    office: Office, send: Callable[..., SendResult]
) -> None:
    file = office.folder / "new.csv"
    file.write_text("email\nnew@mail.example\n", encoding="utf-8")
    with pytest.raises(RefusedError, match="not approved"):
        send(list_name="new", csv_file=file)
    assert list_counts(office.app.store) == {"readers": 5}


def test_an_approval_for_one_list_opens_no_campaign_for_another(office: Office) -> None:
    office.on_list(OTHERS, ["new@mail.example"])
    approved = office.may_go_to(OTHERS)
    with pytest.raises(RefusedError, match="approved for others, not for readers"):
        launch.open_campaign(office.app, approved, READERS)


def test_the_first_send_to_a_file_may_use_its_columns(
    office: Office, send: Callable[..., SendResult]
) -> None:
    city = MergeField(sample="Vienna")
    office.app = replace(
        office.app, settings=office.app.settings.model_copy(update={"merge_fields": {"city": city}})
    )
    text = office.issue.read_text(encoding="utf-8")
    hello = 'In {{ city | default("your town") }}: hello'
    text = text.replace('Hello {{ first_name | default("there") }}', hello)
    office.issue.write_text(text, encoding="utf-8")
    office.approved()
    file = office.folder / "new.csv"
    file.write_text("email,city\nnew@mail.example,Graz\n", encoding="utf-8")
    told = Told()
    result = send(list_name="new", csv_file=file, listener=told)
    assert (result.status.tally.accepted, told.events[0]) == (1, "imported 1")
    assert b"In Graz: hello" in quopri.decodestring(office.transport.sent[0][1].data)


def test_a_finished_one_says_so_and_an_interrupted_one_goes_on_unasked(
    office: Office, send: Callable[..., SendResult]
) -> None:
    office.interrupted(office.open(), after=2)
    office.on_list("readers", ["late@mail.example"])

    def confirm(pending: PendingCampaign) -> int:
        raise AssertionError("it was confirmed before")

    told = Told()
    assert send(confirm, told).status.tally.accepted == 5
    assert told.events == ["joined since 1", "continuing", "sending", "sent"]
    if office.app.store.is_sqlite:  # beside others, what is told comes from the database, later
        assert (told.counts[-1].accepted, told.counts[-1].queued) == (5, 0)
    result = send(confirm)
    assert (result.end, result.status.tally.accepted) == (SendEnd.ALREADY_SENT, 5)
    assert len(office.mailed) == len(set(office.mailed)) == 5


def test_what_is_detached_is_sent_by_a_worker(
    office: Office, send: Callable[..., SendResult]
) -> None:
    office.approved()
    result = send(detach=True)
    assert (result.end, result.status.state) == (SendEnd.DETACHED, "sending")
    assert (result.status.tally.queued, office.mailed) == (5, [])

    async def work() -> None:
        await Worker(office.app, tell=lambda _: None, stop=asyncio.Event()).once()

    asyncio.run(work())
    again = send(detach=True)
    assert (again.end, again.status.tally.accepted) == (SendEnd.ALREADY_SENT, 5)
    assert len(office.mailed) == len(set(office.mailed)) == 5


def test_ctrl_c_while_it_waits_calls_off_only_what_has_no_time(
    office: Office, send: Callable[..., SendResult]
) -> None:
    office.approved()
    interrupted: list[bool] = []

    class Impatient(SendListener):
        def waiting(self, campaign_id: int, seconds: float) -> None:
            raise KeyboardInterrupt

        def interrupted(self, campaign_id: int, *, called_off: bool) -> None:
            interrupted.append(called_off)

    with office.app.store.read() as connection:
        later = office.app.store.now(connection) + 3600
    with pytest.raises(KeyboardInterrupt):
        send(listener=Impatient(), not_before=later)
    with pytest.raises(KeyboardInterrupt):
        send(listener=Impatient())
    assert (interrupted, states(office)) == ([False, False], ["scheduled"])

    office.on_list(OTHERS, ["new@mail.example"])
    office.issue.write_text(
        office.issue.read_text(encoding="utf-8").replace("date:", "slug: another\ndate:", 1),
        encoding="utf-8",
    )
    office.app = replace(
        office.app, settings=office.app.settings.model_copy(update={"undo_window": 60.0})
    )
    office.approved()
    with pytest.raises(KeyboardInterrupt):
        send(list_name=OTHERS, listener=Impatient())
    assert (interrupted[-1], states(office)) == (True, ["scheduled", "paused"])
    assert office.mailed == []


def states(office: Office) -> list[str]:
    with office.app.store.read() as connection:
        rows = connection.execute(select(campaign.c.state).order_by(campaign.c.id))
        return list(rows.scalars())


def test_a_dry_run_tells_what_would_happen_and_leaves_no_trace(office: Office) -> None:
    file = office.folder / "new.csv"
    file.write_text("email\nnew@mail.example\nreader1@mail.example\n", encoding="utf-8")
    request = SendRequest(office.issue, "new", csv_file=file)
    out: Path = office.folder / "out"
    told = Told()
    result = run.dry_run(office.app, request, listener=told, out=out)
    assert (result.status.dry_run, result.status.tally.accepted) == (True, 2)
    assert (result.pending.variants, result.folder) == ({0: 2}, out)
    assert len(list(out.glob("*.eml"))) == 2
    assert told.events == ["imported 2", "sending", "sent"]
    assert campaigns(office) == 0
    assert list_counts(office.app.store) == {"readers": 5}
