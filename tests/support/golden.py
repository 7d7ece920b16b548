"""Golden files: what a person looks at, kept whole. `make golden` writes them anew."""

import os
from pathlib import Path

HERE = Path(__file__).parents[1] / "golden"


def check_golden(name: str, text: str) -> None:
    """Compare with (or, with GOLDEN=1 in the environment, write) one golden file.

    Args:
        name: Path below `tests/golden/`.
        text: What the program made, newlines as they are.
    """
    path = HERE / name
    if os.environ.get("GOLDEN") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    assert path.exists(), f"{path} is missing: run `make golden` and read the diff"
    assert text == path.read_bytes().decode(), f"{path} differs: `make golden`, then read the diff"
