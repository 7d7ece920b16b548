"""Jinja2 templates of the project: sandboxed, strict, with errors that name file and line."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Mapping
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateNotFound,
    TemplateSyntaxError,
)
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup

from newsletter.errors import InputError
from newsletter.i18n.catalog import Translator
from newsletter.render.mjml_lint import lint_mjml
from newsletter.render.wrap import underline, wrap

_UNSAFE = re.compile(r"[^\x20-\x7e]|\\")
_CONTROL = re.compile("[\x00-\x1f\x7f]")


def render_template(root: Path, name: str, values: Mapping[str, object], words: Translator) -> str:
    """Render one template.

    In ``.mjml`` templates values are escaped as plain ASCII with numeric references; elsewhere they
    are written unchanged. Besides Jinja2's own filters there are ``wrap`` and ``underline``, for
    plain text; ``_`` and ``ngettext`` translate.

    Args:
        root: The project's folder; templates are in its ``templates/``.
        name: The template's path in that folder.
        values: What the template may use.
        words: Translates into the mail's language.

    Raises:
        InputError: With the template's file and line.
    """
    folder = (root / "templates").resolve()
    mjml = name.endswith(".mjml")
    environment = _environment(folder, root.resolve(), mjml)
    translate = words.writing(_finalize, _finalize) if mjml else words
    together = {"_": translate, "ngettext": translate.ngettext, **values}
    try:
        return environment.get_template(name).render(together)
    except InputError:
        raise
    except TemplateSyntaxError as error:
        raise _wrong(error.message or "syntax error", error.filename, error.lineno, root) from None
    # Templates call filters and methods of values: any exception may come from a mistake in one.
    except Exception as error:
        missing = error.name if isinstance(error, TemplateNotFound) else ""
        message = f"template templates/{missing} does not exist" if missing else str(error)
        frames = traceback.extract_tb(error.__traceback__)
        inside = [frame for frame in frames if Path(frame.filename).is_relative_to(folder)]
        if not inside and not missing:
            raise  # a bug of ours, not of a template
        file, line = (inside[-1].filename, inside[-1].lineno) if inside else (None, None)
        raise _wrong(message, file, line, root) from None


# Cached, since an environment keeps its compiled templates.
@lru_cache(maxsize=16)
def _environment(folder: Path, root: Path, mjml: bool) -> Environment:
    environment = SandboxedEnvironment(
        loader=_TemplateLoader(folder, root),
        # A misspelled name must be an error, not an empty place in the mail.
        undefined=StrictUndefined,
        autoescape=mjml,
        finalize=_finalize if mjml else None,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["wrap"] = wrap
    environment.filters["underline"] = underline
    return environment


class _TemplateLoader(FileSystemLoader):
    """Reads only files inside the project, and lints MJML files as they are read."""

    def __init__(self, folder: Path, root: Path) -> None:
        super().__init__(folder)
        self.root = root

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        source, filename, uptodate = super().get_source(environment, template)
        path = Path(filename)
        if not path.resolve().is_relative_to(self.root):
            raise InputError(
                "the template is outside the project's folder",
                file=f"templates/{template}",
                fix="copy it into the folder, instead of linking to it",
            )
        if path.suffix == ".mjml":
            lint_mjml(source, _shown(path, self.root))
        return source, filename, uptodate


def _finalize(value: Any) -> Any:
    """Escape a value so that it survives MJML; Markup stays unchanged."""
    # mjml-python garbles quotes, backslashes and non-ASCII characters in attributes.
    if isinstance(value, Markup) or not isinstance(value, (str, int, float)):
        return value
    plain = _CONTROL.sub(" ", str(value))
    return Markup(_UNSAFE.sub(lambda found: f"&#{ord(found[0])};", escape(plain, quote=True)))  # noqa: S704


def _shown(path: Path, root: Path) -> Path:
    return path.relative_to(root) if path.is_relative_to(root) else path


def _wrong(message: str, file: str | None, line: int | None, root: Path) -> InputError:
    shown = _shown(Path(file), root.resolve()) if file else None
    return InputError(message, file=shown, line=line, fix="correct the template")
