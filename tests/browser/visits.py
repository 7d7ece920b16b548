"""Every page that a reader can come to, as a browser comes to it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from playwright.sync_api import Page
from sqlalchemy import insert

from newsletter.audience.address import address_hash
from newsletter.audience.consent.action_links import make_link
from newsletter.audience.model import LinkAction, LinkToken, SuppressionReason
from newsletter.audience.subscribers import Consent, add, subscribe
from newsletter.audience.suppression import suppress
from newsletter.campaign.build import build
from newsletter.campaign.tables import compiled_issue
from newsletter.delivery.ledger.tables import campaign
from newsletter.render.codec import serialize
from newsletter.settings.load import load_settings
from tests.integration.web.conftest import KEYS, PROJECT, Clinic

ISSUE = PROJECT / "issues" / "neck-muscles-and-migraine.md"
_FORM = """([path, fields]) => {
    const form = document.createElement("form");
    form.method = "post";
    form.action = path;
    for (const [name, value] of Object.entries(fields)) {
        const input = document.createElement("input");
        input.name = name;
        input.value = value;
        form.append(input);
    }
    document.documentElement.append(form);
    form.submit();
}"""


@dataclass
class Visitor:
    """One reader's browser at one address."""

    page: Page
    address: str
    clinic: Clinic

    def __post_init__(self) -> None:
        self._numbers = count()

    def visits(self) -> Iterator[str]:
        """Open one page after the other; gives the name of what is open."""
        for name, path in self._shown().items():
            self.page.goto(self.address + path)
            yield name
        for name, (path, fields) in self._sent().items():
            self.page.goto(f"{self.address}/join")
            self.post(self.address + path, fields)
            yield name
        self.page.goto("about:blank")
        self.post(f"{self.address}/join", {})
        yield "403"
        for _ in range(12):
            self.page.goto(f"{self.address}/join")
            self.post(f"{self.address}/join", {"email": "x@reader.example", "topic": "pain"})
        yield "429"

    def post(self, url: str, fields: dict[str, str]) -> None:
        """Send a form with the page that is open."""
        with self.page.expect_navigation():
            self.page.evaluate(_FORM, [url, fields])

    def _shown(self) -> dict[str, str]:
        mine = self._reader()
        proof = self.clinic.token(proof=True)
        return {
            "join": "/join",
            "sent": "/join/sent",
            **{f"ask to {action}": self._link(action, mine) for action in LinkAction},
            "forgotten": f"/confirm/{self.clinic.signer.sign_ticket(LinkToken(1, 1))}",
            "expired": self._link(LinkAction.JOIN, 0, over=True),
            "expired to move": self._link(LinkAction.MOVE, mine, over=True),
            "blocked": self._blocked(),
            "unsubscribe": f"/u/{self.clinic.token(uid=mine)}",
            "preferences": f"/p/{self.clinic.token(uid=mine)}",
            "sample link": f"/u/{proof}",
            "sample preferences": f"/p/{proof}",
            "cut-off link": "/u/cut-off",
            "archive": "/archive",
            "issue": "/archive/neck",
            "404": "/nowhere",
            "405": f"/u/{proof}/undo",
        }

    def _sent(self) -> dict[str, tuple[str, dict[str, str]]]:
        """Path and form of each page that answers a form."""
        mine, other = self._reader(), self._reader()
        link = f"/u/{self.clinic.token(uid=mine)}"
        preferences = f"/p/{self.clinic.token(uid=mine)}"
        new = {"email": f"new{next(self._numbers)}@reader.example"}
        spent = self._link(LinkAction.ERASE, other)
        return {
            "errors": ("/join", {"email": "new@"}),
            "413": ("/join", {"email": "x" * 70_000}),
            "saved": (preferences, {"do": "topics", "topic": "pain"}),
            "paused": (preferences, {"do": "pause"}),
            "asked": (preferences, {"do": "move"}),
            "unsubscribed": (link, {}),
            "preferences of who left": (preferences, {"do": "topics"}),
            "thanks": (f"{link}/reason", {"reason": "other"}),
            "undone": (f"{link}/undo", {}),
            "joined": (self._link(LinkAction.JOIN, 0), {}),
            "no new address": (self._link(LinkAction.MOVE, mine), {"email": "new@"}),
            "new address": (self._link(LinkAction.MOVE, mine), new),
            "moved": (self._link(LinkAction.ADDRESS, mine), {}),
            "address taken": (self._link(LinkAction.ADDRESS, other, "maria@reader.example"), {}),
            "erased": (spent, {}),
            "spent": (spent, {}),
        }

    def _reader(self) -> int:
        email = f"reader{next(self._numbers)}@reader.example"
        with self.clinic.store.write() as connection:
            person = add(connection, email, KEYS, at=1.0)
            for name in ("pain", "sleep"):
                subscribe(connection, person, name, Consent("form", 1.0))
        return int(person.uid)

    def _blocked(self) -> str:
        email = f"blocked{next(self._numbers)}@reader.example"
        with self.clinic.store.write() as connection:
            hashed = address_hash(email, KEYS)
            suppress(connection, hashed, SuppressionReason.COMPLAINED, "test", 1.0)
        return self._link(LinkAction.JOIN, 0, email)

    def _link(self, action: LinkAction, uid: int, email: str = "", *, over: bool = False) -> str:
        email = email or f"other{next(self._numbers)}@reader.example"
        consent = {"source": "page", "wording": "I ask for it.", "wording_version": "1"}
        details = {"lists": ["pain"], "language": "", **consent}
        at = time.time()
        with self.clinic.store.write() as connection:
            link = make_link(
                connection, action, email, at=at, lifetime=900.0, uid=uid, details=details
            )
        ticket = LinkToken(link.id, 1 if over else int(link.expires_at))
        return f"/confirm/{self.clinic.signer.sign_ticket(ticket)}"


def put_into_the_archive(clinic: Clinic) -> None:
    """The sample issue, as if it had been sent."""
    settings = load_settings(PROJECT / "newsletter.toml")
    compiled = build(ISSUE, settings).compiled
    values = {"digest": compiled.digest, "slug": "neck"}
    sent = {
        "audience": "pain",
        "state": "finished",
        "transport": "smtp",
        "created_by": "test",
        "created_at": 1.0,
    }
    payload = serialize(compiled)
    with clinic.store.write() as connection:
        connection.execute(insert(compiled_issue).values(**values, payload=payload, created_at=1.0))
        connection.execute(insert(campaign).values(**values, **sent))
