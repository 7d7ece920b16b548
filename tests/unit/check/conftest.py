from pathlib import Path

import pytest

from tests.unit.check.project import Project


@pytest.fixture
def app(tmp_path: Path) -> Project:
    return Project(tmp_path)
