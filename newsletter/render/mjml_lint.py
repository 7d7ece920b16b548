"""Find mistakes in an MJML template that mjml-python would hide.

The compiler ignores unknown elements and attributes, and reports other errors by byte offset in the
assembled page. Here each template file is read by itself, so that an error names file and line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from newsletter.errors import InputError
from newsletter.render.mjml_tags import ATTRIBUTES, CONTENT, PARENTS, VOID

_TEMPLATE_CODE = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<!--.*?-->", re.DOTALL)
_TAG = re.compile(
    r"""<(?P<close>/?)(?P<name>[A-Za-z][\w:-]*)(?P<rest>(?:[^"'<>]|"[^"]*"|'[^']*')*?)(?P<end>/?)>"""
)
_ATTRIBUTE = re.compile(r"""([^\s"'=<>/]+)(\s*=\s*(?:"[^"]*"|'[^']*'))?""")


def lint_mjml(source: str, file: Path | str) -> None:
    """Check one template file, except its Jinja2 code.

    Args:
        source: The file's text.
        file: Its name, for errors.

    Raises:
        InputError: An unknown element or attribute, one in the wrong place, or an unclosed element.
    """
    # Spaces in place of template code keep lines and offsets.
    text = _TEMPLATE_CODE.sub(lambda code: re.sub(r"[^\n]", " ", code[0]), source)
    _Lint(text, file).run()


class _Lint:
    def __init__(self, text: str, file: Path | str) -> None:
        self.text = text
        self.file = file
        self.open: list[tuple[str, int]] = []

    def run(self) -> None:
        tab = self.text.find("\t")
        if tab >= 0:
            raise self._wrong("MJML may not accept this tab", tab, "indent with spaces")
        end = 0
        for tag in _TAG.finditer(self.text):
            self._stray(end, tag.start())
            if not tag["close"]:
                self._open(tag)
            elif self.open and self.open[-1][0] == tag["name"]:
                self.open.pop()
            else:
                raise self._wrong(f"</{tag['name']}> does not close anything here", tag.start())
            end = tag.end()
        self._stray(end, len(self.text))
        if self.open:
            name, at = self.open[-1]
            raise self._wrong(f"<{name}> is never closed", at)

    def _stray(self, start: int, end: int) -> None:
        at = self.text.find("<", start, end)
        if at >= 0 and not (self.open and self.open[-1][0] in {"mj-style", "style"}):
            raise self._wrong(
                "this < does not start an element", at, "write &lt;, or close the quotes"
            )

    def _open(self, tag: re.Match[str]) -> None:
        name = tag["name"]
        parent = next((name for name, _ in reversed(self.open) if name in ATTRIBUTES), "")
        if name in ATTRIBUTES:
            allowed = PARENTS.get(name, frozenset())
            misplaced = parent and allowed and parent not in allowed | {"mj-attributes"}
            if parent in CONTENT or misplaced:
                choices = " or ".join(f"<{tag}>" for tag in sorted(allowed))
                fix = f"put it in {choices}" if choices else ""
                raise self._wrong(f"<{name}> is not allowed inside <{parent}>", tag.start(), fix)
            self._attributes(tag)
        # Other elements are HTML, which belongs in content, or in a partial that is included there.
        elif name.startswith("mj") or (self.open and parent not in CONTENT | {""}):
            raise self._wrong(f"unknown element <{name}>", tag.start(), _nearest(name, ATTRIBUTES))
        if not tag["end"] and name not in VOID:
            self.open.append((name, tag.start()))

    def _attributes(self, tag: re.Match[str]) -> None:
        seen = set()
        for attribute in _ATTRIBUTE.finditer(tag["rest"]):
            name, at = attribute[1], tag.start("rest") + attribute.start()
            if name not in ATTRIBUTES[tag["name"]]:
                fix = _nearest(name, ATTRIBUTES[tag["name"]])
                raise self._wrong(f'<{tag["name"]}> has no attribute "{name}"', at, fix)
            if name in seen or attribute[2] is None:
                raise self._wrong(
                    f'attribute "{name}" is given twice, or without a quoted value', at
                )
            seen.add(name)

    def _wrong(self, message: str, at: int, fix: str = "") -> InputError:
        line = self.text.count("\n", 0, at) + 1
        return InputError(message, file=self.file, line=line, fix=fix or "correct the template")


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]}?" if near else "see https://documentation.mjml.io/#components"
