"""What only PostgreSQL does."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, select, update

from newsletter.delivery.ledger.tables import rate
from newsletter.errors import UnavailableError
from newsletter.store import engine, postgres
from newsletter.store.engine import Store


def test_who_falls_silent_within_a_transaction_holds_up_nobody_for_ever(
    server: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "LONGEST_SILENCE_S", 1)
    silent = engine.connect(server.engine.url)
    with server.write() as connection:
        connection.execute(insert(rate).values(name="smtp", tat=0.0))
    with pytest.raises(UnavailableError, match="idle-in-transaction"):
        _fall_silent(silent, meanwhile=server)
    silent.close()
    with server.read() as connection:
        assert connection.execute(select(rate.c.tat)).scalar_one() == 2.0


def _fall_silent(silent: Store, meanwhile: Store) -> None:
    with silent.write() as held:
        held.execute(update(rate).values(tat=1.0))
        with meanwhile.write() as waiting:
            waiting.execute(update(rate).values(tat=2.0))
        held.execute(update(rate).values(tat=3.0))
