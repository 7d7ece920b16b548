"""Who has a database open is known, by name, for exactly as long as they live."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url

from newsletter.database.open import open_url
from newsletter.database.restore_target import open_target
from newsletter.errors import NewsletterError, RefusedError, UnavailableError

PROJECT = Path(__file__).parents[3]
START = "import sys\nfrom sqlalchemy import make_url\nurl = make_url(sys.argv[1])\n"
WAIT = "print('there', flush=True)\n    sys.stdin.read()\n"
OPEN = f"""{START}
from contextlib import closing
from newsletter.database.open import open_url
with closing(open_url(url, "serve")):
    {WAIT}"""
FILL = f"""{START}
from newsletter.database.restore_target import open_target
with open_target(url, "db restore"):
    {WAIT}"""
GIVE_UP_S = 120


@contextmanager
def running(script: str, url: str | URL) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the database open, or fills it, until it is ended."""
    with subprocess.Popen(
        [sys.executable, "-c", script, str(url)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "there\n"
            yield process
        finally:
            process.kill()


def fill(url: str) -> None:
    with open_target(make_url(url), "db restore"):
        pass


def open_and_close(url: str) -> None:
    open_url(make_url(url), "status").close()


def until_it_works(act: Callable[[str], None], url: str) -> None:
    """A PostgreSQL server notices a moment later that a process was killed."""
    give_up = time.monotonic() + GIVE_UP_S
    while True:
        try:
            return act(url)
        except NewsletterError:
            if url.startswith("sqlite") or time.monotonic() > give_up:
                raise
            time.sleep(0.05)


def test_what_others_have_open_is_not_filled_and_they_are_named(store_url: str) -> None:
    open_and_close(store_url)
    with running(OPEN, store_url) as one, running(OPEN, store_url) as two:
        with pytest.raises(RefusedError, match="in use by") as caught:
            fill(store_url)
        for process in (one, two):
            assert f"serve (process {process.pid} on " in str(caught.value)
        open_and_close(store_url)
        one.communicate("")
        two.kill()
        two.wait()
        until_it_works(fill, store_url)


def test_what_is_being_filled_is_not_opened(store_url: str) -> None:
    with running(FILL, store_url) as filling:
        for act in (open_and_close, fill):
            with pytest.raises((UnavailableError, RefusedError)) as caught:
                act(store_url)
            assert f"db restore (process {filling.pid} on " in str(caught.value)
        filling.kill()
        filling.wait()
        until_it_works(open_and_close, store_url)
    until_it_works(fill, store_url)


def test_a_process_that_leaves_in_peace_leaves_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'newsletter.db'}"
    with running(OPEN, url) as process:
        process.communicate("")
    assert list((tmp_path / ".newsletter.db-open").iterdir()) == []


@pytest.mark.parametrize("existing", [True, False], ids=["empty", "missing"])
def test_nothing_stays_of_a_restore_that_was_killed(tmp_path: Path, existing: bool) -> None:
    path = tmp_path / "newsletter.db"
    url = f"sqlite:///{path}"
    if existing:
        open_and_close(url)
    with running(FILL, url) as filling:
        filling.kill()
        filling.wait()
        assert path.exists() is existing
        left = list((tmp_path / ".newsletter.db-open").rglob("newsletter.db"))
        assert len(left) == (not existing)
    fill(url)
    open_and_close(url)
    assert [each.name for each in (tmp_path / ".newsletter.db-open").iterdir()] == ["made"]


def test_names_of_the_dead_are_swept_and_not_told(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'newsletter.db'}"
    open_and_close(url)
    with running(OPEN, url) as dead, running(OPEN, url) as alive:
        dead.kill()
        dead.wait()
        with pytest.raises(RefusedError) as caught:
            fill(url)
        assert f"process {alive.pid} " in str(caught.value)
        assert f"process {dead.pid} " not in str(caught.value)
        open_and_close(url)
        names = [each.name for each in (tmp_path / ".newsletter.db-open").iterdir()]
    assert sorted(name.partition("-")[0] for name in names) == sorted(["made", str(alive.pid)])


def test_a_file_is_one_file_by_whatever_links(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "folder").symlink_to(tmp_path / "disk")
    (tmp_path / "link.db").symlink_to("folder/newsletter.db")
    urls = [f"sqlite:///{tmp_path / name}" for name in ("link.db", "folder/newsletter.db")]
    fill(urls[0])
    assert (tmp_path / "link.db").is_symlink()
    assert (tmp_path / "disk" / "newsletter.db").is_file()
    for opened, filled in (urls, reversed(urls)):
        with running(OPEN, opened), pytest.raises(RefusedError, match="in use by serve"):
            fill(filled)


def test_a_log_that_was_left_is_not_taken_into_what_is_restored(tmp_path: Path) -> None:
    path = tmp_path / "newsletter.db"
    log = tmp_path / "newsletter.db-wal"
    with running(OPEN, f"sqlite:///{path}"):
        before = log.read_bytes()
        assert before
        path.rename(tmp_path / "old.db")
    assert log.read_bytes() == before
    with pytest.raises(RefusedError, match=r"newsletter\.db-wal is here"):
        fill(f"sqlite:///{path}")
    assert log.read_bytes() == before
    log.rename(tmp_path / "old.db-wal")
    fill(f"sqlite:///{path}")


def test_what_root_makes_belongs_to_the_owner_of_the_database(tmp_path: Path) -> None:
    path = tmp_path / "newsletter.db"
    open_and_close(f"sqlite:///{path}")
    (tmp_path / ".newsletter.db-open").rmdir()
    owner = 65534 if os.geteuid() == 0 else os.geteuid()
    os.chown(path, owner, -1)
    store = open_url(make_url(f"sqlite:///{path}"))
    folder = tmp_path / ".newsletter.db-open"
    mine = [each for each in folder.iterdir() if each.name != "made"]
    assert {each.stat().st_uid for each in (folder, *mine)} == {owner}
    store.close()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / ".newsletter.db-open").write_text("in the way")
    with pytest.raises(UnavailableError, match="cannot be locked"):
        open_and_close(f"sqlite:///{tmp_path / 'newsletter.db'}")
