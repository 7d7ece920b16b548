"""What a journal proves, and when it proves nothing."""

import os
from pathlib import Path

import pytest

from newsletter.delivery.ledger import journal as module
from newsletter.delivery.ledger.journal import FileJournal, own_evidence, read_evidence, read_origin
from newsletter.delivery.model import Origin, Outcome, Result
from newsletter.errors import UnavailableError

ORIGIN = Origin(7, 1790000000.123456, 8)
REPLY = Outcome(2, Result.FAILED, 550, "5.1.1", 'no such "user" – Übung\n')


def written(path: Path) -> FileJournal:
    journal = FileJournal(path, ORIGIN)
    for position in (1, 2):
        journal.begun(position)
    journal.replied(REPLY)
    return journal


def test_the_journal_of_a_dead_process_tells_the_three_cases_apart(tmp_path: Path) -> None:
    written(tmp_path / "j").close(remove=False)
    evidence = read_evidence(tmp_path / "j")
    assert evidence is not None
    assert evidence.outcome(1) == Outcome(1, Result.UNCERTAIN)
    assert evidence.outcome(2) == REPLY
    assert evidence.outcome(3) == Outcome(3, Result.RETURNED)


def test_a_living_owner_is_not_read_over_the_shoulder(tmp_path: Path) -> None:
    journal = written(tmp_path / "j")
    assert read_evidence(tmp_path / "j") is None
    assert own_evidence(journal).outcome(3).result == Result.RETURNED
    journal.close(remove=True)
    assert not (tmp_path / "j").exists()


def test_after_a_reboot_only_replies_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "j").close(remove=False)
    monkeypatch.setattr(module, "_boot_id", lambda: "another-boot")
    evidence = read_evidence(tmp_path / "j")
    assert evidence is not None
    assert evidence.outcome(2) == REPLY
    assert evidence.outcome(3).result == Result.UNCERTAIN


def test_what_was_given_back_may_have_been_begun_again_in_a_line_that_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = written(tmp_path / "j")
    journal.replied(Outcome(1, Result.RETURNED))
    assert own_evidence(journal).outcome(1).result == Result.RETURNED
    journal.close(remove=False)
    monkeypatch.setattr(module, "_boot_id", lambda: "another-boot")
    evidence = read_evidence(tmp_path / "j")
    assert evidence is not None
    assert evidence.outcome(1).result == Result.UNCERTAIN


@pytest.mark.parametrize(
    "garbled", ["begun 3\0\0\0", 'reply [3, "acc\0\0', "reply 3", 'reply [3, "gone", 1, "", ""]']
)
def test_a_line_that_a_loss_of_power_garbled_proves_nothing(tmp_path: Path, garbled: str) -> None:
    written(tmp_path / "j").close(remove=False)
    with (tmp_path / "j").open("a") as file:
        file.write(f"{garbled}\nbegun 4\n")
    evidence = read_evidence(tmp_path / "j")
    assert evidence is not None
    assert evidence.outcome(2) == REPLY
    assert [evidence.outcome(n).result for n in (3, 4, 5)] == [Result.UNCERTAIN] * 3


def test_a_garbled_head_names_no_chunk(tmp_path: Path) -> None:
    for head in ("lease [1, 2", "lease [1]", "lease 7"):
        (tmp_path / "j").write_text(f"boot x\n{head}\nbegun 1\n")
        assert read_origin(tmp_path / "j") is None


def test_nothing_is_written_once_it_is_closed(tmp_path: Path) -> None:
    """The number of its descriptor may be that of another file by then."""
    journal = written(tmp_path / "j")
    journal.close(remove=False)
    with (tmp_path / "other").open("wb") as other:
        with pytest.raises(OSError, match="journal"):
            journal.replied(REPLY)
        assert other.tell() == 0


def test_a_missing_file_proves_nothing(tmp_path: Path) -> None:
    evidence = read_evidence(tmp_path / "j")
    assert evidence is not None
    assert evidence.outcome(1).result == Result.UNCERTAIN


@pytest.mark.parametrize("torn", ["begun 3", 'reply [1, "accep', "be"])
def test_a_torn_last_line_was_never_acted_upon(tmp_path: Path, torn: str) -> None:
    written(tmp_path / "j").close(remove=False)
    with (tmp_path / "j").open("a") as file:
        file.write(torn)
    evidence = read_evidence(tmp_path / "j")
    assert evidence is not None
    assert evidence.outcome(1).result == Result.UNCERTAIN
    assert evidence.outcome(3).result == Result.RETURNED


def test_a_failed_write_is_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = FileJournal(tmp_path / "j", ORIGIN)
    monkeypatch.setattr(os, "write", lambda _fd, raw: len(raw) - 1)
    with pytest.raises(OSError, match="no room"):
        journal.begun(1)
    monkeypatch.undo()
    with pytest.raises(OSError, match="broken"):
        journal.begun(2)
    journal.close(remove=False)


def test_a_journal_that_cannot_be_made_stops_the_sending(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnavailableError):
        FileJournal(tmp_path / "file" / "j", ORIGIN)
