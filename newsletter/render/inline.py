"""Write the stylesheet into style attributes, and leave everything else unchanged.

premailer by default drops the doctype, strips ``!important`` from the dark mode rules, rewrites
image widths and fetches what ``@import`` names. The options here turn all of that off.
"""

from __future__ import annotations

import logging
import re
import sys
from functools import lru_cache, partial, update_wrapper
from types import ModuleType
from typing import Any, NoReturn

import cssutils

# premailer imports requests, 10 MB, to fetch what is never fetched here.
_requests = sys.modules.setdefault("requests", ModuleType("requests"))
try:
    from premailer import Premailer, merge_style
finally:
    if not hasattr(_requests, "__version__"):
        del sys.modules["requests"]

# premailer's ``disable_validation`` does not reach this function, and cssutils takes long to
# compile the grammar it validates with.
_pairs = merge_style.csstext_to_pairs
merge_style.csstext_to_pairs = update_wrapper(partial(_pairs, validate=False), _pairs)

_PARSER = cssutils.CSSParser(
    loglevel=logging.CRITICAL, fetcher=lambda _url: (None, b""), validate=False
)
_KEEP = ' data-premailer="ignore"'
_SAME_CONDITION = re.compile(r"<!\[endif\]-->\s*<!--\[if mso \| IE\]>")


class _NoNetwork:
    def get(self, *_args: object, **_options: object) -> NoReturn:
        raise RuntimeError("rendering must not fetch anything")


_OPTIONS: dict[str, Any] = {
    "allow_network": False,
    "session": _NoNetwork(),
    "strip_important": False,  # rules for dark mode need it to win over inlined styles
    "disable_validation": True,
    "disable_leftover_css": True,
    "align_floating_images": False,
    "remove_unset_properties": False,
    "include_star_selectors": True,
    # Else premailer changes the widths of images to 100%.
    "disable_basic_attributes": ["width", "height", "align", "valign", "bgcolor"],
}


class _QuietInliner(Premailer):  # type: ignore[misc]
    def _parse_css_string(self, css_body: str, validate: bool = True) -> Any:
        return _PARSER.parseString(css_body, validate=False)


class _Inliner(_QuietInliner):
    def _parse_style_rules(self, css_body: str, ruleset_index: int) -> Any:
        return _parsed(css_body, ruleset_index)


# Parsing takes most of premailer's time, and the stylesheet seldom changes.
@lru_cache(maxsize=8)
def _parsed(css: str, index: int) -> Any:
    return _QuietInliner("", **_OPTIONS)._parse_style_rules(css, index)


def inline_styles(html: str, css: str) -> str:
    """Apply a stylesheet to a page as style attributes.

    Args:
        html: A whole page; its own ``<style>`` elements stay unchanged.
        css: The rules to inline. Media queries and pseudo-classes belong in the page instead.
    """
    # premailer drops a lowercase doctype, and clients then render in quirks mode.
    html = re.sub(r"^\s*<!doctype html>", "<!DOCTYPE html>", html, flags=re.IGNORECASE)
    html = re.sub(r"<style(?=[\s>])", f"<style{_KEEP}", html)
    inlined: str = _Inliner(html, css_text=[css], **_OPTIONS).transform(pretty_print=False)
    return _SAME_CONDITION.sub("", inlined.replace(_KEEP, ""))
