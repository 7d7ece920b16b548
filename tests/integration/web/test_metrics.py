"""What Prometheus reads: this process's counters, and campaigns as the database has them."""

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert
from starlette.applications import Starlette

from newsletter.campaign.tables import compiled_issue
from newsletter.delivery.ledger.tables import campaign, delivery
from newsletter.queues.outgoing import NewMessage, enqueue
from newsletter.web.metrics import _Database
from newsletter.web.public.app import public_app
from tests.integration.web.conftest import KEYS, Browser, Clinic, ask

Samples = dict[tuple[str, tuple[str, ...]], float]
HERE = "http://127.0.0.1:8025/metrics"


@pytest.fixture
def app(clinic: Clinic) -> Starlette:
    return public_app(clinic.store, KEYS, clinic.settings)


def scrape(app: Starlette) -> Samples:
    answer = ask(app, "GET", HERE)
    assert answer.status_code == 200
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def freeze_campaign(clinic: Clinic, skipped: tuple[str, ...]) -> None:
    with clinic.store.write() as connection:
        connection.execute(
            insert(compiled_issue).values(digest="d", slug="neck", payload=b"", created_at=1.0)
        )
        connection.execute(
            insert(campaign).values(
                slug="neck",
                audience="pain",
                digest="d",
                state="sending",
                transport="smtp",
                created_by="nurse",
                created_at=1.0,
            )
        )
        rows = [
            {
                "campaign_id": 1,
                "position": position,
                "subscriber_uid": position,
                "email": f"r{position}@reader.example",
                "email_key": f"r{position}@reader.example",
                "address_hash": bytes([position]) * 32,
                "first_name": "",
                "last_name": "",
                "attributes": {},
                "variant": 0,
                "skipped": reason,
            }
            for position, reason in enumerate(skipped, start=1)
        ]
        connection.execute(insert(delivery), rows)


def test_requests_and_unsubscribes_are_counted_and_nobody_is_named(
    clinic: Clinic, app: Starlette
) -> None:
    token = clinic.token()
    ask(app, "POST", f"/u/{token}")
    ask(app, "POST", f"/u/{token}")
    ask(app, "POST", f"/u/{clinic.token(proof=True)}")
    ask(app, "GET", f"/nowhere/{token}")
    found = scrape(app)
    assert found["newsletter_unsubscribes_total", ("one-click",)] == 1
    assert found["newsletter_web_requests_total", ("/u/{token}", "200")] == 3
    assert found["newsletter_web_requests_total", ("(no route)", "404")] == 1
    assert found["newsletter_web_request_seconds_count", ("/u/{token}",)] == 3
    assert token not in str(found)
    assert "maria" not in str(found)


def test_campaigns_are_as_the_database_has_them(clinic: Clinic, app: Starlette) -> None:
    freeze_campaign(clinic, skipped=("", "", "", "bounced"))
    found = scrape(app)
    assert found["newsletter_deliveries", ("1", "neck", "queued")] == 3
    assert found["newsletter_deliveries", ("1", "neck", "skipped")] == 1
    assert found["newsletter_active_readers", ("pain",)] == 1


def test_mail_that_waits_is_counted_with_its_age(clinic: Clinic, app: Starlette) -> None:
    assert scrape(app)["newsletter_transactional_oldest_seconds", ()] == 0.0
    with clinic.store.write() as connection:
        at = clinic.store.now(connection) - 60.0
        for email in ("a@reader.example", "b@reader.example"):
            owed = NewMessage("join", email, email, "en", "smtp", at + 3600.0)
            enqueue(connection, owed, at)
    found = scrape(public_app(clinic.store, KEYS, clinic.settings))
    assert found["newsletter_transactional_messages", ("join", "waiting")] == 2
    assert found["newsletter_transactional_oldest_seconds", ()] >= 60.0
    assert "reader.example" not in str(found)


def test_the_database_is_asked_seldom(clinic: Clinic) -> None:
    now = 0.0
    gauges = _Database(clinic.store, lambda: now)

    def campaigns() -> int:
        return len(next(iter(gauges.collect())).samples)

    assert campaigns() == 0
    freeze_campaign(clinic, skipped=("",))
    now = 4.9
    assert campaigns() == 0
    now = 5.1
    assert campaigns() == 6


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("http://news.clinic.example/metrics", {}),
        (HERE, {"X-Forwarded-For": "192.0.2.1"}),
        (HERE, {"Forwarded": "for=192.0.2.1"}),
        (HERE, {"Host": "127.0.0.1.evil.example"}),
    ],
)
def test_others_find_no_metrics_unless_they_are_let_in(
    clinic: Clinic, app: Starlette, url: str, headers: dict[str, str]
) -> None:
    assert ask(app, "GET", url, headers=headers).status_code == 404
    open_to_all = clinic.settings.model_copy(update={"metrics": True})
    opened = public_app(clinic.store, KEYS, open_to_all)
    assert ask(opened, "GET", url, headers=headers).status_code == 200


def test_without_a_database_there_are_no_figures(clinic: Clinic, app: Starlette) -> None:
    clinic.store.close()
    database = clinic.settings.var / "newsletter.db"
    for file in database.parent.glob("newsletter.db*"):
        file.unlink()
    database.mkdir()
    with Browser(app, "127.0.0.1") as browser:
        assert browser.get("/metrics").status_code == 503
