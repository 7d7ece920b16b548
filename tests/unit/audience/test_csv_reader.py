"""Files as people have them, and files that are none."""

import codecs
import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.audience.importing.csv_reader import DELIMITERS, open_csv
from newsletter.errors import InputError

CsvFile = Callable[..., Path]
TEXT = "email,name\na@b.example,Zoë\n"


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (TEXT.encode(), "utf-8"),
        (codecs.BOM_UTF8 + TEXT.encode(), "utf-8-sig"),
        (TEXT.encode("utf-16"), "utf-16"),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "utf-16"),
        (TEXT.encode("utf-16-le"), "utf-16-le"),
        (TEXT.encode("utf-16-be"), "utf-16-be"),
        (TEXT.encode("cp1252"), "cp1252"),
    ],
)
def test_encodings(csv_file: CsvFile, data: bytes, encoding: str) -> None:
    file = open_csv(csv_file(data=data))
    assert file.encoding == encoding
    assert file.header == ["email", "name"]
    assert list(file.rows()) == [(2, ["a@b.example", "Zoë"], "")]


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends(csv_file: CsvFile, delimiter: str, newline: str) -> None:
    lines = [delimiter.join(["e-mail", "Vorname"]), delimiter.join(["a@b.example", '"x, ; | y"'])]
    file = open_csv(csv_file(data=newline.join([*lines, ""]).encode()))
    assert [cells for _, cells, _ in file.rows()] == [["a@b.example", "x, ; | y"]]


def test_the_delimiter_is_the_one_that_shows_our_columns(csv_file: CsvFile) -> None:
    assert open_csv(csv_file("email;a,b,c,d")).header == ["email", "a,b,c,d"]


@pytest.mark.parametrize("delimiter", DELIMITERS)
@settings(max_examples=25)
@given(
    rows=st.lists(
        st.tuples(st.from_regex(r"[a-z]{1,9}@b\.example", fullmatch=True), st.text(max_size=40)),
        min_size=1,
    )
)
def test_what_csv_writes_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, delimiter: str, rows: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "readers.csv"
    with path.open("w", encoding="utf-8", errors="replace", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([("email", "note"), *rows])
    read = list(open_csv(path).rows())
    assert [cells[0] for _, cells, _ in read] == [email for email, _ in rows]
    for (_, cells, problem), (_, note) in zip(read, rows, strict=True):
        assert problem or cells[1].split() == _without_controls(note).split()


def _without_controls(text: str) -> str:
    text = text.encode("utf-8", "replace").decode()
    return "".join(
        " " if c < " " or "\x7f" <= c <= "\x9f" or c in "\u2028\u2029" else c for c in text
    )


def test_lines_are_counted_where_records_begin(csv_file: CsvFile) -> None:
    file = open_csv(
        csv_file("", "email,note", 'a@b.example,"two', 'lines"', "", ",", "b@b.example,")
    )
    assert file.header_line == 2
    assert [(line, cells[0]) for line, cells, _ in file.rows()] == [
        (3, "a@b.example"),
        (7, "b@b.example"),
    ]


def test_control_characters_become_spaces(csv_file: CsvFile) -> None:
    (row,) = open_csv(csv_file("email,n", 'a@b.example,"x\ty\r\nz\x1b\u2028w"')).rows()
    assert row[1] == ["a@b.example", "x y z w"]


def test_a_row_in_another_encoding_is_a_problem_of_that_row(csv_file: CsvFile) -> None:
    data = "email,n\na@b.example,Zoë\n".encode() + "b@b.example,Zoë\nc@b.example,x\n".encode(
        "cp1252"
    )
    problems = [problem for _, _, problem in open_csv(csv_file(data=data)).rows()]
    assert problems == ["", "its encoding differs from the rest of the file", ""]


def test_huge_cells_and_open_quotes_are_problems_of_their_row(csv_file: CsvFile) -> None:
    huge = "a@b.example," + "x" * 100_000
    never = 'b@b.example,"' + "\nx" * 100_000
    rows = list(open_csv(csv_file("email,n", huge, never)).rows())
    assert rows[0][2] == "a cell has 100,000 characters; at most 10,000 are allowed"
    assert rows[1][2] == "a cell is never closed: check for a missing quotation mark"


def test_a_nul_byte_is_a_problem_of_its_row(csv_file: CsvFile) -> None:
    rows = list(open_csv(csv_file("email,n", "a@b.example,x\0y", "b@b.example,z")).rows())
    assert [problem for _, _, problem in rows] == ["it contains a NUL byte", ""]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"\n\n , \n", "the file is empty"),
        (b"PK\x03\x04rest", "this is a workbook"),
        (b"x" * (1 << 20), "not a CSV file"),
        (b"\xff\xfea\x00b", "not utf-16 throughout"),
        (b'"' + b"email\n" * 30_000, "first row cannot be read"),
    ],
)
def test_what_is_no_csv_is_refused(csv_file: CsvFile, data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_csv(csv_file(data=data))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nobody\.csv: cannot read the file: No such file"):
        open_csv(tmp_path / "nobody.csv")
    with pytest.raises(InputError, match="Is a directory"):
        open_csv(tmp_path)
