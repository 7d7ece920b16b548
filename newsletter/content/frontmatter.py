"""The YAML head of an article: every scalar is text, every mistake has its line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date as Date
from typing import Any, ClassVar

import yaml
from pydantic import ValidationError

from newsletter.content.model import CallToAction, FrontMatter, Hero
from newsletter.content.source import CONTROL
from newsletter.content.suggest import did_you_mean
from newsletter.errors import InputError

MAX_CHARACTERS = 20_000
MAX_DEPTH = 4

MERGE_KEYS = frozenset(
    ("subject", "preheader", "standfirst", "hero.alt", "call_to_action.label", "call_to_action.url")
)
"""The keys that may hold merge fields; the others name files, settings and pages."""

_QUOTE = "put a value that starts with & * ! % @ ` or holds ': ' in quotation marks"
_KEYS: Mapping[str, tuple[str, ...]] = {
    "": tuple(FrontMatter.model_fields),
    "hero": tuple(Hero.model_fields),
    "call_to_action": tuple(CallToAction.model_fields),
}
_WORDS = {
    "string_type": "must be text",
    "tuple_type": "must be a list, like [one, two]",
    "model_type": "must be a group of keys, one a line, indented",
    "string_too_short": "must not be empty",
    "missing": "is missing",
}


@dataclass(frozen=True, slots=True)
class Head:
    """Front matter as written: values by key, and the line of each ("hero.alt" for nested)."""

    values: Mapping[str, Any]
    lines: Mapping[str, int]


class _YamlLoader(yaml.SafeLoader):
    """Composes plain trees: no anchors, aliases or tags, no guessing of types, little depth.

    Untyped scalars keep ``lang: no`` Norwegian; without aliases nothing can grow.
    """

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # type: ignore[misc]

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _error(event.start_mark, "anchors and aliases (& and *) are not allowed", _QUOTE)
        if getattr(event, "tag", None):
            raise _error(event.start_mark, "tags (!) are not allowed", _QUOTE)
        if self.depth > MAX_DEPTH:
            raise _error(event.start_mark, "the front matter is nested too deeply", "flatten it")
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def read_head(front: str) -> Head:
    """Read front matter without judging its keys.

    Args:
        front: The YAML, padded so that its lines count as in the file.

    Raises:
        InputError: It is too long, no YAML, no mapping, or uses anchors, aliases, tags, or a key
            twice.
    """
    if len(front) > MAX_CHARACTERS:
        raise InputError(
            f"the front matter is longer than {MAX_CHARACTERS:,} characters",
            line=1,
            fix="close it with --- before the article",
        )
    node = _compose(front)
    if not isinstance(node, yaml.MappingNode):
        raise InputError("the front matter holds no keys", line=1, fix="write subject: … and so on")
    lines: dict[str, int] = {}
    values = _plain(node, "", lines)
    return Head(values, lines)


def validate(head: Head, stem: str, prefix: str) -> FrontMatter:
    """Judge front matter by its model.

    Args:
        head: What `read_head` found.
        stem: The file's name without suffix, the default of ``slug``.
        prefix: The prefix of this source's placeholders.

    Returns:
        The front matter; an absent title is still "-" and to be replaced.

    Raises:
        InputError: A key is unknown, missing, or has a value of the wrong kind.
    """
    _refuse_merges(head, prefix)
    values = {"slug": stem, "title": "-", **head.values}
    if "date" in values:
        values["date"] = _date(values["date"], head.lines["date"])
    try:
        return FrontMatter.model_validate(values)
    except ValidationError as error:
        raise _first_problem(error, head.lines) from None


def _compose(front: str) -> yaml.Node | None:
    try:
        return _YamlLoader(front).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise InputError(f"not valid YAML: {error.problem}", line=line, fix=_QUOTE) from None
    except (yaml.YAMLError, ValueError, OverflowError):
        raise InputError(
            "not valid YAML: a character or escape is not allowed", line=1, fix="retype the value"
        ) from None


def _plain(node: yaml.Node, place: str, lines: dict[str, int]) -> Any:
    if isinstance(node, yaml.MappingNode):
        return {key: _plain(value, path, lines) for key, path, value in _pairs(node, place, lines)}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, place, lines) for item in node.value]
    if CONTROL.search(node.value):
        raise _error(node.start_mark, f"{place} holds a control character", "delete it")
    return node.value


def _pairs(
    node: yaml.MappingNode, place: str, lines: dict[str, int]
) -> Iterator[tuple[str, str, yaml.Node]]:
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _error(key.start_mark, "a key must be one word", "write key: value")
        path = f"{place}.{key.value}" if place else key.value
        if path in lines:
            raise _error(key.start_mark, f"the key {path} stands here twice", "remove one")
        lines[path] = key.start_mark.line + 1
        yield key.value, path, value


def _error(mark: yaml.Mark, message: str, fix: str) -> InputError:
    return InputError(message, line=mark.line + 1, fix=fix)


def _date(value: object, line: int) -> object:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        try:
            return Date.fromisoformat(value)
        except ValueError:
            pass
    raise InputError("date is no date", line=line, fix="write it as year-month-day: 2026-03-31")


def _refuse_merges(head: Head, prefix: str) -> None:
    for path, value in _texts(head.values, ""):
        if prefix in value and path not in MERGE_KEYS:
            raise InputError(
                f"{path} cannot hold a merge field",
                line=_line(path, head.lines),
                fix="merge fields may stand in " + ", ".join(sorted(MERGE_KEYS)),
            )


def _texts(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, path)
    elif isinstance(value, str):
        yield path, value


def _first_problem(error: ValidationError, lines: Mapping[str, int]) -> InputError:
    problems = error.errors(include_url=False)
    problem = min(problems, key=lambda p: p["type"] != "extra_forbidden")
    place = [str(part) for part in problem["loc"] if not isinstance(part, int)]
    path = ".".join(place)
    line = _line(path, lines)
    if problem["type"] == "extra_forbidden":
        return _unknown(".".join(place[:-1]), place[-1], line)
    words = _WORDS.get(problem["type"], f"is wrong: {problem['msg']}")
    fix = "see docs/writing-an-issue.md"
    if path == "slug" and "slug" not in lines:
        fix = "rename the file in small letters, digits and hyphens, or set slug"
    return InputError(f"{path} {words}", line=line, fix=fix)


def _unknown(group: str, key: str, line: int) -> InputError:
    known = _KEYS[group]
    fix = did_you_mean(key, known, otherwise="known keys: " + ", ".join(known))
    return InputError(f"unknown key {key!r} in the front matter", line=line, fix=fix)


def _line(path: str, lines: Mapping[str, int]) -> int:
    while path and path not in lines:
        path = path.rpartition(".")[0]
    return lines.get(path, 1)
