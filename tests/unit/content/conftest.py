"""Articles for tests: valid front matter, with the test's own body or head."""

from pathlib import Path

import pytest

from newsletter.content.model import Issue
from newsletter.content.reader import read_issue
from newsletter.errors import InputError
from tests.unit.content.articles import HEAD, Read, Refuse


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write an article and read it."""

    def _read(body: str = "Text.\n", *, head: str = HEAD, name: str = "news.md") -> Issue:
        path = tmp_path / name
        path.write_bytes(f"---\n{head}---\n{body}".encode())
        return read_issue(path, root=tmp_path)

    return _read


@pytest.fixture
def refuse(read: Read, tmp_path: Path) -> Refuse:
    """Read an article that must be refused with an error that names its file and a fix."""

    def _refuse(body: str = "Text.\n", *, head: str = HEAD, name: str = "news.md") -> InputError:
        with pytest.raises(InputError) as caught:
            read(body, head=head, name=name)
        assert caught.value.file == tmp_path / name
        assert caught.value.fix
        return caught.value

    return _refuse
