"""Says what is wrong with a setting as a person would: which, where, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from newsletter.errors import InputError
from newsletter.settings.names import Path as Names
from newsletter.settings.names import similar_setting, variable

SEE = "see docs/operating.md"
_UNDOCUMENTED = {"", "memory"}
"""Values that tests use, or that stand for none at all."""
_EXAMPLES = {
    "name": "Dr. Lee’s newsletter",
    "from_name": "Dr. Lee’s newsletter",
    "from_address": "newsletter@clinic.example",
    "list_id": "newsletter.clinic.example",
    "public_url": "https://news.clinic.example",
    "postal_address": "Your Clinic, 1 Your Street, Your Town, CA 00000, USA",
    "label": "(800) 300-9300",
    "number": "+18003009300",
    "list": "readers",
    "title": "The newsletter, about once a month",
}
_PATTERNS = (
    ("#[0-9A-Fa-f]", "must be a color, like #0B6B6B"),
    (r"\+[0-9]", "must be a number in international form, like +18003009300"),
    ("[a-z0-9]+(-", "must be small letters, digits and single hyphens, like regenerative-medicine"),
    ("[A-Za-z]{2,3}", "must be a language, like es or es-MX"),
    (r"(\.[A-Za-z0-9-]+)+", "must be a domain, like clinic.example"),
    ("[A-Za-z0-9._-]*", "must be letters, digits, dots and hyphens, like news1"),
    ("[ !#-", "must be ASCII without quotation marks and backslashes"),
)
_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]#]+?)\s*\]")
_KEY = re.compile(r"""\s*([\w.'"-]+(?:\s*\.\s*[\w'"-]+)*)\s*=""")


def explain(error: ValidationError, text: str, config: Path, environment: Names) -> InputError:
    """The first problem, in words; a name that is unknown comes before what it left missing.

    Args:
        error: What the model says.
        text: The settings file, to find the line in.
        config: Its name.
        environment: The names of the variables that are set.
    """
    problems = error.errors(include_url=False, include_input=False)
    problem = min(problems, key=lambda each: each["type"] != "extra_forbidden")
    path = tuple(part for part in problem["loc"] if part != "[key]")
    source = _set_by(path, environment)
    if source:
        exactly = source == variable(path)
        message, fix = _words(problem, path, source if exactly else _shown(path))
        place = "in the environment" if exactly else f"in {source} of the environment"
        return InputError(f"{message}, {place}", fix=fix)
    message, fix = _words(problem, path, _shown(path))
    return InputError(message, file=config, line=line_of(path, text), fix=fix)


def line_of(path: Names, text: str) -> int | None:
    """The line of a setting in a TOML file, or of the nearest table around it.

    Found by reading headers and keys; what a program wrote in an unusual way may be missed.
    """
    found, depth = None, 0
    for number, place in _places(text):
        common = len(place) if tuple(path[: len(place)]) == place else 0
        if common > depth:
            found, depth = number, common
    return found


def unknown(path: Names, text: str, config: Path) -> InputError:
    """There is no such setting in the file."""
    message, fix = _words({"type": "extra_forbidden"}, path, _shown(path))
    return InputError(message, file=config, line=line_of(path, text), fix=fix)


def _set_by(path: Names, environment: Names) -> str:
    """The variable that a setting came from; empty where it is the file's."""
    names = [variable(path[:depth]) for depth in range(len(path), 0, -1)]
    return next((name for name in names if name in environment), "")


def _words(problem: Mapping[str, Any], path: Names, name: str) -> tuple[str, str]:
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "extra_forbidden":
        meant = similar_setting(path)
        return f"unknown setting '{name}'", f"did you mean {meant}?" if meant else SEE
    if kind == "missing":
        return f"{name} is missing", _line_to_add(path)
    if kind == "literal_error":
        return f"{name} must be {_allowed(context['expected'])}", SEE
    if kind == "value_error":
        return f"{name}: {context['error']}", SEE
    if kind == "string_pattern_mismatch":
        pattern = context["pattern"]
        known = (words for part, words in _PATTERNS if part in pattern)
        return f"{name} {next(known, f'must match {pattern}')}", SEE
    rule = _RULES.get(kind) or next((r for k, r in _RULES.items() if kind.startswith(k)), None)
    return f"{name} {rule(context)}" if rule else f"{name}: {problem['msg']}", SEE


_RULES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "greater_than_equal": lambda limit: f"must be at least {limit['ge']:g}",
    "greater_than": lambda limit: f"must be more than {limit['gt']:g}",
    "less_than_equal": lambda limit: f"must be at most {limit['le']:g}",
    "string_too_short": lambda _: "must not be empty",
    "string_too_long": lambda limit: f"must have at most {limit['max_length']} characters",
    "string": lambda _: "must be text, in quotation marks",
    "path": lambda _: "must be text, in quotation marks",
    "int": lambda _: "must be a whole number",
    "float": lambda _: "must be a number",
    "bool": lambda _: "must be true or false",
    "tuple": lambda _: "must be a list, in square brackets",
    "dict": lambda _: "must be a table of names and values",
    "model": lambda _: "must be a table of names and values",
}
"""By the kind of problem, or the beginning of it."""


def _line_to_add(path: Names) -> str:
    *table, name = path
    if name == "publication":
        return "add a table [publication]; newsletter.toml of the project shows one"
    example = _EXAMPLES.get(str(name), "…")
    return f'add to [{_shown(table)}]: {name} = "{example}"'


def _allowed(expected: str) -> str:
    values = [v for v in re.findall(r"'([^']*)'", expected) if v not in _UNDOCUMENTED]
    return f"{', '.join(values[:-1])} or {values[-1]}"


def _shown(path: Names) -> str:
    """A path for people: entries of a list are counted from 1."""
    words = [f", entry {part + 1}: " if isinstance(part, int) else f".{part}" for part in path]
    return "".join(words).replace(": .", ": ").strip(".")


def _places(text: str) -> Iterator[tuple[int, tuple[str | int, ...]]]:
    """Every header and key, with its path; what stands in a text of several lines is none."""
    table: tuple[str | int, ...] = ()
    counts: dict[tuple[str, ...], int] = {}
    quoted = False
    for number, line in enumerate(text.splitlines(), 1):
        header, key = _HEADER.match(line), _KEY.match(line)
        if quoted:
            pass
        elif header:
            name = _parts(header[2])
            table = name
            if header[1] == "[[":
                counts[name] = counts.get(name, -1) + 1
                table = (*name, counts[name])
            yield number, table
        elif key:
            yield number, (*table, *_parts(key[1]))
        quoted ^= (line.count('"""') + line.count("'''")) % 2 == 1


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part.strip(" '\"") for part in name.split("."))
