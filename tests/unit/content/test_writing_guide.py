"""The writing guide is correct: its examples can be read, its messages appear."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from newsletter.check.rules import RULES
from newsletter.content.model import AudienceBlock, Block, CallToAction, FrontMatter, Hero, Issue
from newsletter.content.reader import read_issue
from newsletter.errors import InputError

GUIDE = (Path(__file__).parents[3] / "docs" / "writing-an-issue.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```markdown\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
BLOCKS = [example for example in EXAMPLES if example.startswith(":::")]
HEAD = "---\nsubject: S\npreheader: P\ndate: 2026-12-08\ntitle: T\n---\n\n"
RULE_NAMES = {rule.name for rule in RULES}
MESSAGES = {
    "the front matter is missing": "Hello",
    "unknown key 'prehader' in the front matter": HEAD.replace("preheader", "prehader"),
    "subject is missing": HEAD.replace("subject: S\n", ""),
    "date is not a valid date": HEAD.replace("2026-12-08", "12/8/2026"),
    "not valid YAML: …": HEAD.replace("title: T", "title: Rest: how much"),
    "}} is not part of a merge field": HEAD + "Hello { first_name }},",
    "unknown block ::: bar": HEAD + "::: bar Of all\n- 67 % | words\n:::",
    "::: note Remember is never closed": HEAD + "::: note Remember\nThis",
    "::: closes a block that was never opened": HEAD + "This\n\n:::",
    "::: bars is inside ::: note": HEAD + "::: note This\n::: bars Of all\n- 1 % | x\n:::\n:::",
    "a row of ::: study has no |": HEAD + "::: study Of all\n- Who we asked\n:::",
    "a row of ::: bars has no percentage before the |": HEAD + "::: bars Of all\n- Most | x\n:::",
    "::: glance must contain one plain list and nothing else": HEAD + "::: glance This\nWords\n:::",
    "not UTF-8: …": HEAD + "Krøll",
}


def _read(folder: Path, source: str, encoding: str = "utf-8") -> Issue:
    path = folder / "example.md"
    path.write_bytes(source.encode(encoding))
    return read_issue(path, root=folder)


def _table(heading: str) -> list[str]:
    section = GUIDE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    keys = re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)
    return [key.replace(r"\|", "|") for key in keys if key not in RULE_NAMES]


def _kinds(blocks: tuple[Block | AudienceBlock, ...]) -> list[str]:
    return [type(block).__name__.lower().removesuffix("block") for block in blocks]


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_can_be_read(tmp_path: Path, example: str) -> None:
    issue = _read(tmp_path, example if example.startswith("---") else HEAD + example)
    assert issue.blocks


@pytest.mark.parametrize("example", BLOCKS)
def test_a_block_example_is_that_block(tmp_path: Path, example: str) -> None:
    kind = example.lstrip(":").split()[0]
    assert _kinds(_read(tmp_path, HEAD + example).blocks) == [kind]


def test_every_kind_of_block_is_shown() -> None:
    shown = {example.lstrip(":").split()[0] for example in BLOCKS}
    assert shown == {"glance", "bars", "study", "note", "audience"}


def test_every_key_of_the_front_matter_is_explained() -> None:
    assert set(_table("Front matter")) == set(FrontMatter.model_fields)


def test_the_nested_keys_shown_are_keys() -> None:
    (shown,) = re.findall(r"^```yaml\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
    values = yaml.safe_load(shown)
    assert Hero.model_validate(values["hero"])
    assert CallToAction.model_validate(values["call_to_action"])


def test_every_message_listed_is_tested() -> None:
    assert set(_table("When something is wrong")) == set(MESSAGES)


@pytest.mark.parametrize("message", MESSAGES)
def test_every_message_listed_appears(tmp_path: Path, message: str) -> None:
    encoding = "latin-1" if message.startswith("not UTF-8") else "utf-8"
    with pytest.raises(InputError) as caught:
        _read(tmp_path, MESSAGES[message], encoding)
    assert caught.value.message.startswith(message.rstrip("…").rstrip())
    assert caught.value.line


def test_every_rule_listed_is_a_rule() -> None:
    section = GUIDE.split("| rule | what to do |\n")[1]
    cells = re.findall(r"^\| (`[^|]+`) \|", section, re.MULTILINE)
    listed = [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]
    assert len(listed) > 10
    assert set(listed) <= RULE_NAMES
