"""Parses the Markdown of an article: CommonMark and the extensions it may use."""

from __future__ import annotations

from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.footnote.index import footnote_def

from newsletter.content.containers import container_plugin
from newsletter.content.markdown_rules import (
    MAX_NESTING,
    add_lines,
    check_limits,
    check_row_widths,
    check_values,
    citation,
    dashes,
)


def parse(body: str) -> list[Token]:
    """Parse Markdown into block tokens; every token, inline ones included, has a ``map``.

    CommonMark without HTML, plus tables, definition lists, footnotes (kept in place, whether
    defined or not), ``:::`` blocks, curly quotes, dashes and ellipses.

    Args:
        body: The Markdown, padded so that its line numbers are the file's.

    Raises:
        InputError: A block is malformed, nesting too deep, a paragraph too long, a table row too
            wide, an address has a scheme not allowed in mail, or an image contains a citation.
    """
    return _parser().parse(body, {})


@cache
def _parser() -> MarkdownIt:
    options = {"html": False, "typographer": True, "maxNesting": MAX_NESTING}
    # Of the typographer's rules only "smartquotes": "replacements" turns "(R)-ketamine" into
    # "®-ketamine".
    md = MarkdownIt("commonmark", options).enable(["table", "smartquotes"]).use(deflist_plugin)
    # `check_values` judges addresses, with their line; a link refused here would stay as text.
    md.validateLink = lambda url: True  # type: ignore[method-assign]
    # Only the plugin's rule for entries: its other rules would move them and number citations.
    md.block.ruler.before("reference", "footnote_def", footnote_def, {"alt": ["paragraph"]})
    md.inline.ruler.after("image", "citation", citation)
    md.use(container_plugin)
    # The limits come before inline parsing, since that is what takes too long beyond them.
    md.core.ruler.after("block", "limits", check_limits)
    md.core.ruler.after("limits", "row_widths", check_row_widths)
    # After inline parsing, so that dashes in code spans and addresses are already set apart.
    md.core.ruler.after("inline", "dashes", dashes)
    md.core.ruler.push("lines", add_lines)
    md.core.ruler.push("values", check_values)
    return md
