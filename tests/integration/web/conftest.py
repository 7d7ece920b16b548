"""A publication with one reader on two lists, and a way to ask its pages."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from sqlalchemy import select
from starlette.types import ASGIApp

from newsletter.audience.keys import Keys
from newsletter.audience.model import SubscriptionState, Token, TokenPurpose
from newsletter.audience.subscribers import Consent, add, subscribe
from newsletter.audience.tables import consent_event, subscription, suppression
from newsletter.audience.tokens import TokenSigner
from newsletter.database.open import open_store
from newsletter.settings.model import Publication, Settings
from newsletter.store.engine import Store

PROJECT = Path(__file__).parents[3]
KEYS = Keys(b"s" * 32, b"u" * 32)


class Browser:
    """Keeps cookies from one request to the next and follows no redirect by itself."""

    def __init__(self, app: ASGIApp, host: str = "news.clinic.example") -> None:
        self._runner = asyncio.Runner()
        transport = httpx.ASGITransport(app)
        self._client = httpx.AsyncClient(transport=transport, base_url=f"http://{host}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._runner.run(self._client.request(method, path, **options))

    def get(self, path: str) -> httpx.Response:
        return self.ask("GET", path)

    @property
    def cookies(self) -> dict[str, str]:
        return dict(self._client.cookies)


def ask(app: ASGIApp, method: str, path: str, **options: Any) -> httpx.Response:
    """One request to an application, as a reader's machine would make it."""
    with Browser(app) as browser:
        return browser.ask(method, path, **options)


@dataclass
class Clinic:
    """An open database, and the one reader in it."""

    settings: Settings
    store: Store
    signer: TokenSigner
    uid: int

    def token(self, *, proof: bool = False, uid: int | None = None) -> str:
        return self.signer.sign(Token(TokenPurpose.UNSUBSCRIBE, proof, uid or self.uid, 7))

    def standing(self) -> tuple[list[str], list[str], list[tuple[str, str]]]:
        """States of both subscriptions, reasons of suppression, consent events with source."""
        with self.store.read() as connection:
            states = connection.execute(select(subscription.c.state)).scalars().all()
            reasons = connection.execute(select(suppression.c.reason)).scalars().all()
            events = connection.execute(
                select(consent_event.c.action, consent_event.c.source).order_by(consent_event.c.id)
            )
            return list(states), list(reasons), [tuple(row) for row in events]


@pytest.fixture
def clinic(tmp_path: Path) -> Iterator[Clinic]:
    settings = Settings(
        publication=Publication(
            name="The Clinic’s letter",
            from_name="The Clinic",
            from_address="letter@clinic.example",
            reply_to="office@clinic.example",
            list_id="letter.clinic.example",
            public_url="https://news.clinic.example",
            postal_address="1 Sample Street, Sample Town",
        ),
        root=PROJECT,
        var_dir=tmp_path,
        database_url=f"sqlite:///{tmp_path / 'newsletter.db'}",
    )
    store = open_store(settings)
    with store.write() as connection:
        person = add(connection, "maria@reader.example", KEYS, at=1.0)
        for name in ("pain", "sleep"):
            subscribe(connection, person, name, Consent("form", 1.0))
    yield Clinic(settings, store, TokenSigner(KEYS), person.uid)
    store.close()


LEFT = [SubscriptionState.UNSUBSCRIBED] * 2
STAYED = [SubscriptionState.ACTIVE] * 2
