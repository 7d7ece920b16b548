from pathlib import Path

import pytest
from tests.unit.check.app import Desk


@pytest.fixture
def app(tmp_path: Path) -> Desk:
    return Desk(tmp_path)
