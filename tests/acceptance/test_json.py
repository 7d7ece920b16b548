"""With --json, standard output is one JSON value or nothing: scripts read it."""

from __future__ import annotations

import json

import pytest

from tests.acceptance.conftest import GIVE_UP_S, Project

ISSUE = "issues/neck-muscles-and-migraine.md"
CSV = "subscribers.example.csv"
COMMANDS = {
    "check": ("check", ISSUE),
    "check against columns": ("check", ISSUE, "--csv", CSV),
    "check letters": ("check", "--letters"),
    "render": ("render", ISSUE, "--out", "build"),
    "approve": ("approve", ISSUE),
    "dry run": ("send", ISSUE, "--csv", CSV),
    "send": ("send", ISSUE, "--csv", CSV, "--live", "--confirm", "12"),
    "declined": ("send", ISSUE, "--csv", CSV, "--live", "--confirm", "11"),
    "nobody answers": ("send", ISSUE, "--csv", CSV, "--live"),
    "statuses": ("status",),
    "no such campaign": ("status", "7"),
    "import": ("subscribers", "import", CSV),
    "lists": ("subscribers", "lists"),
    "show": ("subscribers", "show", "reader01@mail.example"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("blocked", [False, True])
def test_only_json_is_printed(project: Project, command: str, blocked: bool) -> None:
    project.run("approve", ISSUE)
    if blocked:
        with project.issue.open("a", encoding="utf-8") as file:
            file.write("\n[^nobody-cites-this]: Author A. Title. doi:10.1000/1. {{ nothing }}\n")
    process = project.start(*COMMANDS[command], "--json")
    out, err = process.communicate("", timeout=GIVE_UP_S)
    assert process.returncode in {0, 1}, err
    assert "Traceback" not in err
    if out:
        json.loads(out)
    else:
        assert process.returncode == 1
        assert err.startswith("error: ") or "error: " in err
