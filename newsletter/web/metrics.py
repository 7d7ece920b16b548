"""``/metrics`` for Prometheus: what this process did, every campaign, and mail that waits.

Other processes send, too; their figures are read from the database when asked for, so that they
cover all of them. No label names a person.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from sqlalchemy import func, or_, select
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from newsletter.audience.lists import list_counts
from newsletter.campaign.status import Status, status
from newsletter.delivery.ledger.outcomes import TRIED, DeliveryState
from newsletter.delivery.ledger.tables import attempt, campaign
from newsletter.queues.outgoing import depth
from newsletter.web.http.middleware import is_loopback_host

if TYPE_CHECKING:
    from newsletter.store.engine import Store

FRESH_S = 5.0
"""Figures from the database are cached this long, or ten times as long as reading them took."""
DAY_S = 24 * 3600.0
MOST_CAMPAIGNS = 10
_MACHINE = ("127.0.0.1", "::1")


class Metrics:
    """The metrics of one application, its own and those read from the database."""

    def __init__(self, store: Store) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Database(store))
        self._requests = Counter(
            "newsletter_web_requests",
            "Requests by route and status.",
            ("route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "newsletter_web_request_seconds",
            "Time to answer, by route.",
            ("route",),
            registry=self._registry,
        )
        self._unsubscribes = Counter(
            "newsletter_unsubscribes",
            "Unsubscribes through links in mail; one-click is the mail program's button.",
            ("source",),
            registry=self._registry,
        )

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count one request; ``route`` is a template, never a path."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def unsubscribed(self, source: str) -> None:
        """Count one unsubscribe; ``source`` is ``one-click`` or ``page``."""
        self._unsubscribes.labels(source).inc()

    def route(self, *, public: bool) -> Route:
        """``/metrics``; unless ``public``, other machines get a 404."""

        async def scrape(request: Request) -> Response:
            # A reverse proxy on this machine forwards others, and names another host.
            near = request.client is not None and request.client.host in _MACHINE
            forwarded = {"forwarded", "x-forwarded-for"} & set(request.headers)
            ours = near and not forwarded and is_loopback_host(request.headers.get("host", ""))
            if not (public or ours):
                raise HTTPException(404)
            text = await run_in_threadpool(partial(generate_latest, self._registry))
            return Response(text, media_type=CONTENT_TYPE_LATEST)

        return Route("/metrics", scrape, methods=["GET"])


class _Database:
    """Gauges over campaigns, lists and the queue, read when asked for and seldom enough."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._kept: list[Metric] = []
        self._good_until = 0.0

    def describe(self) -> list[Metric]:
        """Nothing is read at registration."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The gauges, read now or a moment ago."""
        began = self._clock()
        if not self._kept or began >= self._good_until:
            self._kept = self._read()
            ended = self._clock()
            self._good_until = ended + max(FRESH_S, 10 * (ended - began))
        yield from self._kept

    def _read(self) -> list[Metric]:
        deliveries = GaugeMetricFamily(
            "newsletter_deliveries",
            "Deliveries by state, for campaigns that are running or ended within a day.",
            labels=("campaign", "issue", "state"),
        )
        attempts = GaugeMetricFamily(
            "newsletter_attempts",
            "Attempts by result, for the same campaigns.",
            labels=("campaign", "issue", "result"),
        )
        readers = GaugeMetricFamily(
            "newsletter_active_readers", "Active subscriptions by list.", labels=("list",)
        )
        for known, results in self._campaigns():
            names = (str(known.campaign_id), known.slug)
            for state in DeliveryState:
                deliveries.add_metric((*names, state.value), known.tally.of(state))
            for result, count in results.items():
                attempts.add_metric((*names, result), count)
        for name, count in list_counts(self._store).items():
            readers.add_metric((name,), count)
        return [deliveries, attempts, readers, *self._queue()]

    def _queue(self) -> list[Metric]:
        messages = GaugeMetricFamily(
            "newsletter_transactional_messages",
            "Confirmations, links and welcomes: waiting, being sent, and given up within a month.",
            labels=("kind", "state"),
        )
        oldest = GaugeMetricFamily(
            "newsletter_transactional_oldest_seconds",
            "How long ago the oldest of those that wait was asked for; 0 where none waits.",
        )
        with self._store.read() as connection:
            now = self._store.now(connection)
            found = depth(connection)
        for (kind, state), count in found.counts.items():
            messages.add_metric((kind, state), count)
        oldest.add_metric((), 0.0 if found.oldest_at is None else max(0.0, now - found.oldest_at))
        return [messages, oldest]

    def _campaigns(self) -> list[tuple[Status, dict[str, int]]]:
        with self._store.read() as connection:
            since = self._store.now(connection) - DAY_S
            recent = connection.execute(
                select(campaign.c.id)
                .where(or_(campaign.c.finished_at.is_(None), campaign.c.finished_at > since))
                .order_by(campaign.c.id.desc())
                .limit(MOST_CAMPAIGNS)
            )
            found = []
            for campaign_id in recent.scalars().all():
                results = connection.execute(
                    select(attempt.c.result, func.count())
                    .where(attempt.c.campaign_id == campaign_id)
                    .group_by(attempt.c.result)
                )
                by_result = {result: count for result, count in results if result in TRIED}
                found.append((status(connection, campaign_id), by_result))
            return found
