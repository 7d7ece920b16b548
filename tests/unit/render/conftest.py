"""A project in its own folder: the real templates, small pictures, one article."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from newsletter.content.reader import read_issue
from newsletter.render.compile import compile_issue
from newsletter.render.model import CompiledIssue
from newsletter.settings.load import load_settings
from newsletter.settings.model import Settings

HERE = Path(__file__).parent
PROJECT = HERE.parents[2]

SETTINGS = """\
[publication]
name = "Ørsted & Sons “Letter”"
from_name = "The Letter"
from_address = "letter@clinic.example"
list_id = "letter.clinic.example"
public_url = "https://news.clinic.example"
postal_address = "1 Sample Street, Sample Town"
join_url = "https://news.clinic.example/join"
phones = [{ label = "800 300", number = "+18003009300" }]
default_disclaimer = "short"

[merge_fields.first_name]

[disclaimers]
short = "We give no advice. <b>Call</b> 911 & wait.\\n\\nThere is no guarantee."
"""

HEAD = "subject: News\npreheader: Soon\ndate: 2026-03-01\n"

Compile = Callable[..., CompiledIssue]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(PROJECT / "templates" / "email", tmp_path / "templates" / "email")
    shutil.copytree(PROJECT / "templates" / "locale", tmp_path / "templates" / "locale")
    shutil.copytree(HERE / "pictures", tmp_path / "pictures")
    (tmp_path / "newsletter.toml").write_text(SETTINGS, encoding="utf-8")
    return tmp_path


@pytest.fixture
def settings(root: Path) -> Settings:
    return load_settings(root / "newsletter.toml")


@pytest.fixture
def build(root: Path, settings: Settings) -> Compile:
    """Write an article and compile it."""

    def _build(body: str = "Text.\n", *, head: str = "") -> CompiledIssue:
        path = root / "news.md"
        path.write_text(f"---\n{HEAD}{head}---\n{body}", encoding="utf-8")
        return compile_issue(read_issue(path, root=root), settings)

    return _build


@pytest.fixture
def every_block(root: Path, settings: Settings) -> CompiledIssue:
    path = root / "every-block.md"
    shutil.copy(HERE / "every-block.md", path)
    return compile_issue(read_issue(path, root=root), settings)
