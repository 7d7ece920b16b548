"""Reads the YAML front matter: every scalar is text, every mistake has its line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date as Date
from typing import Any, ClassVar, TypeAlias

import yaml
from pydantic import ValidationError

from newsletter.content.model import CallToAction, FrontMatter, Hero
from newsletter.content.source import CONTROL
from newsletter.content.suggest import did_you_mean
from newsletter.errors import InputError

MAX_CHARACTERS = 20_000
MAX_DEPTH = 4
"""Deepest nesting. Our keys need 2; PyYAML recurses, and would end in a RecursionError."""

MERGE_KEYS = frozenset(
    ("subject", "preheader", "standfirst", "hero.alt", "call_to_action.label", "call_to_action.url")
)
"""The keys that may contain merge fields; the others name files, settings and pages."""

_QUOTE = "put a value that starts with & * ! % @ ` or contains ': ' in quotation marks"
_KEYS: Mapping[str, tuple[str, ...]] = {
    "": tuple(FrontMatter.model_fields),
    "hero": tuple(Hero.model_fields),
    "call_to_action": tuple(CallToAction.model_fields),
}
_WORDS = {
    "string_type": "must be text",
    "tuple_type": "must be a list, like [one, two]",
    "model_type": "must be a group of keys, one per line, indented",
    "string_too_short": "must not be empty",
    "missing": "is missing",
}


YamlValue: TypeAlias = "str | list[YamlValue] | dict[str, YamlValue]"


@dataclass(frozen=True, slots=True)
class Head:
    """Front matter as written: values by key, and the line of each (nested: "hero.alt")."""

    values: Mapping[str, YamlValue]
    lines: Mapping[str, int]


class _YamlLoader(yaml.SafeLoader):
    """Composes plain trees: no anchors, aliases or tags, no implicit types, little nesting."""

    # Without resolvers every scalar stays text: YAML 1.1 would read ``lang: no`` as false.
    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # type: ignore[misc]

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        # A few nested aliases would expand to gigabytes ("billion laughs").
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
    """Read front matter without validating its keys.

    Args:
        front: The YAML, padded so that its line numbers are the file's.

    Raises:
        InputError: It is too long, not YAML, not a mapping, or uses an anchor, an alias, a tag or
            the same key twice.
    """
    if len(front) > MAX_CHARACTERS:
        raise InputError(
            f"the front matter is longer than {MAX_CHARACTERS:,} characters",
            line=1,
            fix="close it with --- before the article",
        )
    try:
        node = _YamlLoader(front).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise InputError(f"not valid YAML: {error.problem}", line=line, fix=_QUOTE) from None
    except (yaml.YAMLError, ValueError, OverflowError):
        # PyYAML lets chr() raise on an escape such as "\UFFFFFFFF".
        raise InputError(
            "not valid YAML: a character or escape is not allowed", line=1, fix="retype the value"
        ) from None
    if not isinstance(node, yaml.MappingNode):
        raise InputError("the front matter has no keys", line=1, fix="write subject: … and so on")
    lines: dict[str, int] = {}
    return Head(_mapping(node, "", lines), lines)


def validate(head: Head, stem: str, prefix: str) -> FrontMatter:
    """Check front matter against its model.

    Args:
        head: The result of `read_head`.
        stem: The file name without its suffix, the default for ``slug``.
        prefix: The prefix of this source's placeholders.

    Returns:
        The front matter. A missing title is "-", for the caller to replace.

    Raises:
        InputError: A key is unknown or missing, or its value has the wrong type.
    """
    for path, text in _texts(head.values, ""):
        if prefix in text and path not in MERGE_KEYS:
            raise InputError(
                f"{path} cannot contain a merge field",
                line=_line(path, head.lines),
                fix="merge fields are allowed in " + ", ".join(sorted(MERGE_KEYS)),
            )
    values: dict[str, object] = {"slug": stem, "title": "-", **head.values}
    if "date" in values:
        # pydantic alone would also take a Unix timestamp, or a time at midnight.
        try:
            written = str(values["date"])
            if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", written):
                raise ValueError(written)
            values["date"] = Date.fromisoformat(written)
        except ValueError:
            raise InputError(
                "date is not a valid date",
                line=head.lines["date"],
                fix="write it as year-month-day: 2026-03-31",
            ) from None
    try:
        return FrontMatter.model_validate(values)
    except ValidationError as error:
        problems = error.errors(include_url=False)
    # An unknown key comes first: "preheadr" is also why preheader is missing.
    problem = min(problems, key=lambda p: p["type"] != "extra_forbidden")
    keys = [str(part) for part in problem["loc"] if not isinstance(part, int)]
    path = ".".join(keys)
    words = _WORDS.get(problem["type"], f"is invalid: {problem['msg']}")
    message = f"{path} {words}"
    fix = "see docs/writing-an-issue.md"
    if problem["type"] == "extra_forbidden":
        known = _KEYS[".".join(keys[:-1])]
        message = f"unknown key {keys[-1]!r} in the front matter"
        fix = did_you_mean(keys[-1], known, otherwise="known keys: " + ", ".join(known))
    elif path == "slug" and "slug" not in head.lines:
        fix = "rename the file using lowercase letters, digits and hyphens, or set slug"
    raise InputError(message, line=_line(path, head.lines), fix=fix)


def _mapping(node: yaml.MappingNode, parent: str, lines: dict[str, int]) -> dict[str, YamlValue]:
    values: dict[str, YamlValue] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _error(key.start_mark, "a key must be one word", "write key: value")
        path = f"{parent}.{key.value}" if parent else key.value
        # YAML would silently keep the last one.
        if path in lines:
            raise _error(key.start_mark, f"the key {path} appears twice", "remove one")
        lines[path] = key.start_mark.line + 1
        values[key.value] = _plain(value, path, lines)
    return values


def _plain(node: yaml.Node, path: str, lines: dict[str, int]) -> YamlValue:
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, lines)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, path, lines) for item in node.value]
    # An escape such as "\x07" gets past the check of the raw source.
    if CONTROL.search(node.value):
        raise _error(node.start_mark, f"{path} contains a control character", "delete it")
    return str(node.value)


def _error(mark: yaml.Mark, message: str, fix: str) -> InputError:
    return InputError(message, line=mark.line + 1, fix=fix)


def _texts(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, path)
    elif isinstance(value, str):
        yield path, value


def _line(path: str, lines: Mapping[str, int]) -> int:
    # A missing key has no line; the group it belongs to has one.
    while path and path not in lines:
        path = path.rpartition(".")[0]
    return lines.get(path, 1)
