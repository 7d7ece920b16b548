"""SIGKILL in the middle of sending, again and again: nobody lost, nobody mailed twice."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from newsletter.store.engine import Store
from tests.integration.delivery.campaigns import counts, freeze, owner_died
from tests.integration.delivery.killed_sender import CONNECTIONS

PEOPLE = 900
ROOT = Path(__file__).parents[3]


def start(url: str, folder: Path, campaign_id: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.integration.delivery.killed_sender"]
    return subprocess.Popen([*command, url, str(folder), str(campaign_id)], cwd=ROOT)


def taken(folder: Path) -> list[int]:
    path = folder / "taken"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def kill_after(url: str, folder: Path, campaign_id: int, more: int) -> bool:
    """Kill the sender once it has got this much further; False when it finished before."""
    enough = len(taken(folder)) + more
    sender = start(url, folder, campaign_id)
    while len(taken(folder)) < enough and sender.poll() is None:
        time.sleep(0.001)
    finished = sender.poll() is not None
    sender.kill()
    sender.wait()
    return not finished


@pytest.mark.parametrize("seed", [1, 2])
def test_kills_lose_nobody_and_double_nobody(
    store: Store, store_url: str, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    campaign_id = freeze(store, PEOPLE, chunk=250)
    kills = 0
    for _ in range(3):
        kills += kill_after(store_url, tmp_path, campaign_id, chance.randrange(1, 200))
        owner_died(store)
        result = counts(store, campaign_id)
        assert result.accepted <= len(taken(tmp_path))
    assert start(store_url, tmp_path, campaign_id).wait() == 0

    everybody = taken(tmp_path)
    result = counts(store, campaign_id)
    assert kills > 0
    assert len(everybody) == len(set(everybody))
    assert result.queued == 0
    assert result.accepted + result.uncertain == PEOPLE
    assert result.uncertain <= kills * CONNECTIONS
    missing = PEOPLE - len(everybody)
    assert missing <= result.uncertain
