"""Thousands of kills: ``make chaos KILLS=2000``."""

from __future__ import annotations

import argparse
import itertools
import secrets
import sys
import time

from tests.chaos.audit import Audit
from tests.chaos.scenarios import POSTGRES, SCENARIOS, SQLITE, Arena, arena
from tests.chaos.signups import SignupPlan, SignupStorm
from tests.chaos.storm import Blows

BLOWS = 40
SIGNUP_KILLS = 20
COLUMNS = "campaigns,people,received,kills,stops,restarts,full,lost,doubled,uncertain,at most"


class Sum:
    """What all storms of one scenario came to."""

    def __init__(self) -> None:
        self.figures = [0] * len(COLUMNS.split(","))

    def add(self, blows: Blows, audit: Audit) -> None:
        """Take in one campaign. Uncertain: those whom the receiver left without a reply apart."""
        struck = (blows.kills, blows.stops, blows.restarts, blows.full_disks)
        found = (audit.lost, audit.doubled, audit.cut_off, blows.most_cut_off)
        row = (1, audit.audience, audit.taken, *struck, *found)
        self.figures = [old + new for old, new in zip(self.figures, row, strict=True)]


def sign_up(ground: Arena, seed: int, people: int) -> list[str]:
    """Kill the public pages while people sign up, on either database; what must not be."""
    wrong: list[str] = []
    for database in (SQLITE, POSTGRES) if people else ():
        with ground.database(database) as (url, folder):
            plan = SignupPlan(seed, url, folder, people, SIGNUP_KILLS, database == POSTGRES)
            audit = SignupStorm(plan).run()
        print(f"{database}: sign-ups: {audit}", flush=True)
        wrong += [f"{database}: sign-ups, seed {seed}: {each}" for each in audit.wrong]
    return wrong


def line(name: object, cells: list[object]) -> str:
    """One line of the table."""
    return f"{name!s:<48}" + "".join(f"{cell!s:>11}" for cell in cells)


def main() -> int:
    """Run storms in turn until there were so many kills; print what came of it."""
    parser = argparse.ArgumentParser(prog="make chaos")
    parser.add_argument("--kills", type=int, default=2000)
    parser.add_argument("--signups", type=int, default=1000, help="people; 0: no such storm")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    options = parser.parse_args()
    sums: dict[str, Sum] = {}
    wrong: list[str] = []
    began = time.monotonic()
    print(f"CHAOS_SEED={options.seed}")
    with arena() as ground:
        wrong += sign_up(ground, options.seed, options.signups)
        for number, scenario in enumerate(itertools.cycle(SCENARIOS)):
            seed = options.seed + number
            blows, audit = ground.run(scenario, seed, BLOWS)
            sums.setdefault(str(scenario), Sum()).add(blows, audit)
            wrong += [f"{scenario}, seed {seed}: {each}" for each in audit.wrong]
            print(f"seed {seed}, {scenario}: {blows}, {audit}", flush=True)
            if sum(each.figures[3] for each in sums.values()) >= options.kills:
                break
    print(line("", list(COLUMNS.split(","))))
    for scenario, each in sorted(sums.items()):
        print(line(scenario, list(each.figures)))
    total = [sum(column) for column in zip(*(each.figures for each in sums.values()), strict=True)]
    print(line(f"all, in {time.monotonic() - began:.0f} s", list(total)))
    print("\n".join(wrong) or "Every row of the ledger agrees with the receiver.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
