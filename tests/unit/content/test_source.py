import os
from pathlib import Path

import pytest

from newsletter.content.reader import read_issue
from newsletter.errors import InputError
from tests.unit.content.articles import HEAD, Read

ARTICLE = f"---\n{HEAD}---\nText.\n"


def problem(path: Path, root: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        read_issue(path, root=root)
    assert caught.value.file == path
    assert caught.value.fix
    return caught.value


def test_byte_order_mark_and_windows_line_ends_change_nothing(tmp_path: Path) -> None:
    (tmp_path / "plain.md").write_bytes(ARTICLE.encode())
    (tmp_path / "windows.md").write_bytes(b"\xef\xbb\xbf" + ARTICLE.replace("\n", "\r\n").encode())
    plain = read_issue(tmp_path / "plain.md", root=tmp_path)
    windows = read_issue(tmp_path / "windows.md", root=tmp_path)
    assert plain.source == windows.source
    assert plain.prefix == windows.prefix


def test_missing_file(tmp_path: Path) -> None:
    assert "no such article" in problem(tmp_path / "none.md", tmp_path).message


def test_a_folder_is_not_an_article(tmp_path: Path) -> None:
    assert "no such article" in problem(tmp_path, tmp_path).message


@pytest.mark.parametrize("name", ["a\0b.md", "x" * 5000 + ".md"])
def test_impossible_path(tmp_path: Path, name: str) -> None:
    problem(tmp_path / name, tmp_path)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_not_utf8_names_the_line(tmp_path: Path, mark: bytes) -> None:
    path = tmp_path / "latin.md"
    path.write_bytes(mark + ARTICLE.encode() + b"It\x92s here\n")
    error = problem(path, tmp_path)
    assert error.line == 7
    assert "0x92 at byte 3 of the line" in error.message


def test_larger_than_a_megabyte(tmp_path: Path) -> None:
    path = tmp_path / "big.md"
    path.write_bytes(ARTICLE.encode() + b"x" * 1024 * 1024)
    assert "larger than 1 MB" in problem(path, tmp_path).message


def test_too_many_lines(tmp_path: Path) -> None:
    path = tmp_path / "long.md"
    path.write_text(ARTICLE + "\n" * 10_000)
    assert "lines" in problem(path, tmp_path).message


def test_outside_the_root(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (tmp_path / "secret.md").write_text(ARTICLE)
    (root / "link.md").symlink_to(tmp_path / "secret.md")
    for path in (tmp_path / "secret.md", root / "../secret.md", root / "link.md"):
        assert "outside" in problem(path, root).message


def test_links_within_the_root_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real.md").write_text(ARTICLE)
    (tmp_path / "link.md").symlink_to("real.md")
    assert read_issue(tmp_path / "link.md", root=tmp_path).meta.slug == "link"


def test_symbolic_link_to_itself(tmp_path: Path) -> None:
    (tmp_path / "loop.md").symlink_to("loop.md")
    problem(tmp_path / "loop.md", tmp_path)


def test_named_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    problem(tmp_path / "pipe.md", tmp_path)


@pytest.mark.parametrize("character", ["\0", "\x07", "\x0c", "\x85", "\uffff"])
def test_control_characters(tmp_path: Path, character: str) -> None:
    path = tmp_path / "control.md"
    path.write_bytes(f"{ARTICLE}bell{character}\n".encode())
    assert problem(path, tmp_path).line == 7


@pytest.mark.parametrize("text", ["", "Text only\n", "\n---\nsubject: x\n---\n"])
def test_front_matter_missing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bare.md"
    path.write_text(text)
    assert "front matter is missing" in problem(path, tmp_path).message


def test_front_matter_without_end(tmp_path: Path) -> None:
    path = tmp_path / "open.md"
    path.write_text("---\nsubject: x\n\nText\n")
    assert "does not end" in problem(path, tmp_path).message


def test_reading_twice_gives_the_same(read: Read) -> None:
    body = '# T\n\n"a" {{ x }}[^a]\n\n[^a]: doi:10.1000/182\n'
    assert read(body) == read(body)
