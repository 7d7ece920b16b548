"""What a person gets wrong is met with the place, the cause and the next step; nothing is lost."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.conftest import GIVE_UP_S, Project, Relay
from tests.support.smtp_server import Fault


def replace(old: str, new: str) -> Callable[[Project], None]:
    def change(project: Project) -> None:
        text = project.issue.read_text(encoding="utf-8")
        assert old in text
        project.issue.write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def write(data: bytes) -> Callable[[Project], None]:
    return lambda project: void(project.issue.write_bytes(data))


def void(_: object) -> None:
    return None


def bomb(project: Project) -> None:
    levels = "".join(f"k{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))
    project.issue.write_text(f"---\nk0: &a0 [lol]\n{levels}---\nText\n", encoding="utf-8")


def template(name: str, old: str, new: str) -> Callable[[Project], None]:
    def change(project: Project) -> None:
        path = project.folder / "templates" / "email" / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def hero(data: bytes | None) -> Callable[[Project], None]:
    def change(project: Project) -> None:
        path = project.issue.with_suffix("") / "hero.png"
        path.unlink() if data is None else path.write_bytes(data)

    return change


def hero_outside(project: Project) -> None:
    outside = project.folder.parent / "outside.png"
    shutil.copy(project.issue.with_suffix("") / "hero.png", outside)
    replace("neck-muscles-and-migraine/hero.png", "../../outside.png")(project)


def template_outside(project: Project) -> None:
    path = project.folder / "templates" / "email" / "footer.mjml"
    outside = project.folder.parent / "footer.mjml"
    shutil.move(path, outside)
    path.symlink_to(outside)


ARTICLES = {
    "front matter missing": (write(b"Just text.\n"), "front matter"),
    "unknown key": (replace("subject:", "subjekt:"), "subjekt"),
    "wrong type": (replace("date: 2026-11-24", "date: soon"), "date"),
    "YAML bomb": (bomb, "alias"),
    "not UTF-8": (write(b"---\nsubject: Gr\xfc\xdfe\n---\n"), "UTF-8"),
    "unknown MJML tag": (template("footer.mjml", "<mj-text", "<mj-foo /><mj-text"), "mj-foo"),
    "undefined variable": (
        template("masthead.mjml", "{{", "{{ nonsense_variable }}{{"),
        "nonsense_variable",
    ),
    "citation without entry": (replace("[^kroll2017]", "[^kroll2071]"), "kroll2071"),
    "undeclared merge field": (replace("{{ first_name", "{{ firstname"), "firstname"),
    "strange merge field": (replace("{{ first_name", "{{ first_name | upper"), "default"),
    "image missing": (hero(None), "hero.png"),
    "image of 20 MB": (hero(b"\x89PNG\r\n\x1a\n" + b"x" * 20_000_000), "MB"),
    "image outside the project": (hero_outside, "outside"),
    "template outside the project": (template_outside, "footer.mjml"),
}


@pytest.mark.parametrize("name", ARTICLES)
def test_a_wrong_article_is_refused_with_its_place(project: Project, name: str) -> None:
    spoil, says = ARTICLES[name]
    spoil(project)
    said = project.run("check", project.issue, exit_code=1)
    assert says.casefold() in said.casefold()


CSV_FILES = {
    "no email column": (b"name,town\nA,B\n", "email"),
    "zero rows": (b"email,first_name\n", "row"),
    "empty file": (b"", ""),
    "invalid address": (b"email\na@mail.example\nnot-an-address\n", ":3"),
    "mixed encodings": (
        "email,city\na@mail.example,Zürich\n".encode() + b"b@mail.example,Z\xfcrich\n",
        "",
    ),
    "a huge cell": (b"email,city\na@mail.example," + b"x" * 100_000 + b"\n", ":2"),
}


@pytest.mark.parametrize("name", CSV_FILES)
def test_a_wrong_csv_is_refused_whole(project: Project, name: str) -> None:
    data, says = CSV_FILES[name]
    project.csv.write_bytes(data)
    said = project.run("subscribers", "import", project.csv, "--list", "readers", exit_code=1)
    assert says in said
    assert project.csv.name in said
    assert project.json("subscribers", "lists") in ({}, {"readers": 0})


def test_a_refused_file_leaves_its_bad_rows_beside_it(project: Project) -> None:
    project.csv.write_text("email\na@mail.example\nnot-an-address\n")
    project.run("subscribers", "import", project.csv, "--list", "readers", exit_code=1)
    rejects = project.csv.with_suffix(".rejects.csv").read_text(encoding="utf-8")
    assert "not-an-address" in rejects


def test_rejected_rows_go_to_a_file_with_a_reason_each(project: Project) -> None:
    project.csv.write_text("email\na@mail.example\nnot-an-address\nA@mail.example\n")
    rejects = project.folder / "rejects.csv"
    project.run(
        "subscribers", "import", project.csv, "--list", "readers", "--skip-invalid",
        "--rejects", rejects,
    )  # fmt: skip
    assert project.json("subscribers", "lists") == {"readers": 1}
    lines = rejects.read_text(encoding="utf-8").splitlines()
    assert "not-an-address" in lines[1]
    assert "A@mail.example" in lines[2]


def test_formula_cells_stay_as_they_are_and_are_escaped_on_export(project: Project) -> None:
    project.csv.write_text('email,first_name\na@mail.example,"=1+1"\n', encoding="utf-8")
    project.run("subscribers", "import", project.csv, "--list", "readers")
    assert "first_name: =1+1" in project.run("subscribers", "show", "a@mail.example")
    assert "'=1+1" in project.run("subscribers", "export", "--list", "readers")


@pytest.mark.parametrize(
    "arguments",
    [
        ("send", "issues/x.md"),
        ("send",),
        ("nonsense",),
        ("check", "--nonsense"),
        ("send", "issues/x.md", "--list", "a", "--confirm", "3"),
        ("new", "Not A Slug"),
        *((command, "9" * 20) for command in ("status", "pause", "retry", "uncertain", "report")),
    ],
)
def test_wrong_usage_exits_2(project: Project, arguments: tuple[str, ...]) -> None:
    project.run(*arguments, exit_code=2)


def test_no_smtp_server_says_so_and_leaves_the_campaign_to_be_continued(
    project: Project, relay: Relay
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = str(unused.getsockname()[1])
    project.run("subscribers", "import", project.csv, "--list", "readers")
    project.run("approve", project.issue)
    send = ("send", project.issue, "--list", "readers", "--live", "--confirm", 12)
    port = project.environment["NEWSLETTER_SMTP__PORT"]
    project.environment["NEWSLETTER_SMTP__PORT"] = nobody
    assert nobody in project.run(*send, exit_code=1)
    project.environment["NEWSLETTER_SMTP__PORT"] = port
    project.run(*send)
    assert len(relay.recipients) == 12


def test_a_server_that_closes_mid_message_loses_and_doubles_nobody(
    project: Project, relay: Relay
) -> None:
    relay.server.faults = [Fault("body", drop="before", every=3, times=2, after_bytes=500)]
    project.run("subscribers", "import", project.csv, "--list", "readers")
    project.run("approve", project.issue)
    send = ("send", project.issue, "--list", "readers", "--live", "--confirm", 12)
    process = project.start(*send, "--json")
    print(process.communicate("", timeout=GIVE_UP_S))
    relay.server.faults = []
    status = project.json("status", 1, exit_code=process.returncode)
    assert status["accepted"] + status["uncertain"] + status["queued"] + status["deferred"] == 12
    assert status["accepted"] == len(relay.recipients) == len(set(relay.recipients))


def test_a_full_disk_ends_a_dry_run_with_a_clear_error(project: Project) -> None:
    said = project.run(
        "send", project.issue, "--csv", project.csv, "--out", "/dev/full/out", exit_code=1
    )
    assert "/dev/full" in said


def test_an_unknown_list_is_named(project: Project) -> None:
    said = project.run("send", project.issue, "--list", "nobody", exit_code=1)
    assert "nobody" in said
    assert "subscribers import" in said


def test_an_issue_that_is_no_file_is_named(project: Project) -> None:
    assert "missing.md" in project.run("check", Path("issues/missing.md"), exit_code=1)


def test_a_wrong_letter_is_named_at_the_start_and_keeps_nobody_on_the_list(
    project: Project,
) -> None:
    template("link.mjml", "{{ text }}", "{{ txt }}")(project)
    process = project.start("serve", "--port", "0")
    assert process.stdout
    assert "Serving" in process.stdout.readline()
    process.terminate()
    said = process.communicate(timeout=GIVE_UP_S)[1]
    assert "'txt' is undefined" in said
    assert "nobody can sign up" in said


def test_a_letter_that_misses_something_is_named_by_the_check_and_at_the_start(
    project: Project,
) -> None:
    assert "No problems found" in project.run("check", "--letters")
    template("welcome.mjml", 'href="{{ unsubscribe }}"', 'href="/u"')(project)
    finding = "templates/email/welcome.mjml:1: blocker: compliance/unsubscribe"
    assert finding in project.run("check", "--letters", exit_code=1)
    rules = {found["rule"] for found in project.json("check", "--letters", exit_code=1)["findings"]}
    assert {"compliance/unsubscribe", "letters/one-click", "links/relative"} <= rules
    process = project.start("serve", "--port", "0")
    assert process.stdout
    assert "Serving" in process.stdout.readline()
    process.terminate()
    said = process.communicate(timeout=GIVE_UP_S)[1]
    assert finding in said
    assert "check --letters" in said


@pytest.mark.parametrize("arguments", [(), ("--letters", "x.md"), ("--letters", "--csv", "x.csv")])
def test_check_takes_an_issue_or_the_letters(project: Project, arguments: tuple[str, ...]) -> None:
    assert "--letters alone" in project.run("check", *arguments, exit_code=2)
