"""The pages for newcomers name files and functions that exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROADS = [ROOT / "docs" / "architecture.md", *sorted((ROOT / "docs").glob("adding-*.md"))]
EXAMPLES = ("postmark", "/fr/", "about.html")
"""What a page shows how to add is not there yet."""
NAMED = re.compile(r"`((?:newsletter|templates|tests|docs)/[\w./*-]+?)(?::(\w+))?`")


@pytest.mark.parametrize("page", ROADS, ids=lambda page: page.name)
def test_what_a_page_names_is_there(page: Path) -> None:
    missing = []
    for path, name in NAMED.findall(page.read_text(encoding="utf-8")):
        if any(word in path for word in EXAMPLES):
            continue
        file = ROOT / path
        if not (file.exists() or ("*" in path and any(ROOT.glob(path)))):
            missing.append(path)
        elif name and name not in defined(file):
            missing.append(f"{path}:{name}")
    assert not missing


def defined(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in tree.body if isinstance(node, kinds)}
