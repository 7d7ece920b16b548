"""Turns the model's complaint about a setting into words: which, where, and what to write."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from newsletter.errors import InputError
from newsletter.settings.names import SettingPath, similar_setting, variable

SEE = "see docs/operating.md"
_UNDOCUMENTED = {"", "memory"}
"""Values that only tests use, and the empty string that means "not set"."""
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
# By a part of the pattern that no other one has.
_PATTERNS = (
    ("#[0-9A-Fa-f]", "must be a color, like #0B6B6B"),
    (r"\+[0-9]", "must be a number in international form, like +18003009300"),
    (
        "[a-z0-9]+(-",
        "must be lowercase letters, digits and single hyphens, like regenerative-medicine",
    ),
    ("[A-Za-z]{2,3}", "must be a language, like es or es-MX"),
    (r"(\.[A-Za-z0-9-]+)+", "must be a domain, like clinic.example"),
    ("[A-Za-z0-9._-]*", "must be letters, digits, dots and hyphens, like news1"),
    ("[ !#-", "must be ASCII, without quotation marks or backslashes"),
)
_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]#]+?)\s*\]")
_KEY = re.compile(r"""\s*([\w.'"-]+(?:\s*\.\s*[\w'"-]+)*)\s*=""")


def explain(
    error: ValidationError, text: str, config: Path, environment: Sequence[str]
) -> InputError:
    """Return the first problem in words.

    Args:
        error: The model's errors.
        text: The content of the settings file, to find the line.
        config: The path of the settings file.
        environment: The names of the variables that are set, in capitals.
    """
    problems = error.errors(include_url=False, include_input=False)
    # An unknown name comes first: "postal_adress" is also why postal_address is missing.
    problem = min(problems, key=lambda each: each["type"] != "extra_forbidden")
    path = tuple(part for part in problem["loc"] if part != "[key]")
    # NEWSLETTER_SMTP may hold a whole table as JSON, so any beginning of the path may be set.
    variables = [variable(path[:depth]) for depth in range(len(path), 0, -1)]
    source = next((name for name in variables if name in environment), "")
    if source:
        exact = source == variable(path)
        message, fix = _words(problem, path, source if exact else _shown(path))
        place = "in the environment" if exact else f"in {source} of the environment"
        return InputError(f"{message}, {place}", fix=fix)
    message, fix = _words(problem, path, _shown(path))
    return InputError(message, file=config, line=line_of(path, text), fix=fix)


def line_of(path: SettingPath, text: str) -> int | None:
    """Return the line of a setting in a TOML file, or of the innermost table around it."""
    # tomllib tells no lines. Headers and keys are enough to find them in files written by hand;
    # in an unusual layout the line may be missing from the error, or be that of the table.
    found, depth = None, 0
    table: tuple[str | int, ...] = ()
    counts: dict[tuple[str, ...], int] = {}
    quoted = False
    for number, line in enumerate(text.splitlines(), 1):
        header, key = _HEADER.match(line), _KEY.match(line)
        place: tuple[str | int, ...] = ()
        # Inside a text of several lines nothing is a header or a key.
        if header and not quoted:
            name = _parts(header[2])
            table = name
            if header[1] == "[[":
                counts[name] = counts.get(name, -1) + 1
                table = (*name, counts[name])
            place = table
        elif key and not quoted:
            place = (*table, *_parts(key[1]))
        if len(place) > depth and tuple(path[: len(place)]) == place:
            found, depth = number, len(place)
        quoted ^= (line.count('"""') + line.count("'''")) % 2 == 1
    return found


def unknown(path: SettingPath, text: str, config: Path) -> InputError:
    """Return the error for a setting that does not exist."""
    message, fix = _words({"type": "extra_forbidden"}, path, _shown(path))
    return InputError(message, file=config, line=line_of(path, text), fix=fix)


def _words(problem: Mapping[str, Any], path: SettingPath, name: str) -> tuple[str, str]:
    kind, context = problem["type"], problem.get("ctx", {})
    fix = SEE
    match kind:
        case "extra_forbidden":
            message = f"unknown setting '{name}'"
            if meant := similar_setting(path):
                fix = f"did you mean {meant}?"
        case "missing":
            message = f"{name} is missing"
            *table, last = path
            example = _EXAMPLES.get(str(last), "…")
            fix = f'add to [{_shown(table)}]: {last} = "{example}"'
            if last == "publication":
                fix = "add a table [publication]; the project's newsletter.toml has an example"
        case "literal_error":
            expected = re.findall(r"'([^']*)'", context["expected"])
            values = [value for value in expected if value not in _UNDOCUMENTED]
            message = f"{name} must be {', '.join(values[:-1])} or {values[-1]}"
        case "value_error":
            message = f"{name}: {context['error']}"
        case "string_pattern_mismatch":
            pattern = context["pattern"]
            known = (words for part, words in _PATTERNS if part in pattern)
            message = f"{name} {next(known, f'must match {pattern}')}"
        case _:
            rule = _RULES.get(kind) or next(
                (rule for prefix, rule in _RULES.items() if kind.startswith(prefix)), None
            )
            message = f"{name} {rule(context)}" if rule else f"{name}: {problem['msg']}"
    return message, fix


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
"""By pydantic's type of error, or the beginning of it: "int" is for "int_parsing" and others."""


def _shown(path: SettingPath) -> str:
    # Entries of a list are counted from 1, as people do.
    words = [f", entry {part + 1}: " if isinstance(part, int) else f".{part}" for part in path]
    return "".join(words).replace(": .", ": ").strip(".")


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part.strip(" '\"") for part in name.split("."))
