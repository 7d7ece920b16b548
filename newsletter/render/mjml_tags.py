"""The MJML that templates may use: elements, their attributes and where they are allowed.

From the component reference at https://documentation.mjml.io/#components. Left out on purpose:
``mj-include`` (loses widths: use ``{% include %}``), ``mj-font`` (a web font tells a third party
who opens the mail), and the components that need scripts-in-CSS (accordion, carousel, navbar).
"""

from __future__ import annotations

_EVERYWHERE = "css-class mj-class"
_BOX = "padding padding-top padding-right padding-bottom padding-left"
_BACKGROUND = (
    "background-color background-url background-repeat background-size background-position "
    "background-position-x background-position-y"
)
_BORDER = "border border-top border-right border-bottom border-left border-radius"
_FONT = (
    "color font-family font-size font-style font-weight letter-spacing line-height "
    "text-decoration text-transform"
)
_SECTION = f"{_BOX} {_BACKGROUND} {_BORDER} direction full-width text-align text-padding"

_BODY = {
    "mj-wrapper": _SECTION,
    "mj-section": _SECTION,
    "mj-group": "background-color direction vertical-align width",
    "mj-column": (
        f"{_BOX} {_BORDER} background-color direction vertical-align width inner-background-color "
        "inner-border inner-border-top inner-border-right inner-border-bottom inner-border-left "
        "inner-border-radius"
    ),
    "mj-text": f"{_BOX} {_FONT} align height container-background-color vertical-align",
    "mj-button": (
        f"{_BOX} {_BORDER} {_FONT} align background-color container-background-color height href "
        "inner-padding name rel target text-align title vertical-align width"
    ),
    "mj-image": (
        f"{_BOX} {_BORDER} align alt container-background-color fluid-on-mobile font-size height "
        "href max-height name rel sizes src srcset target title usemap width"
    ),
    "mj-divider": (
        f"{_BOX} align border-color border-style border-width container-background-color width"
    ),
    "mj-spacer": f"{_BOX} container-background-color height",
    "mj-table": (
        f"{_BOX} {_FONT} align border cellpadding cellspacing container-background-color role "
        "table-layout width"
    ),
    "mj-raw": "",
}
_HEAD = {
    "mj-head": "",
    "mj-attributes": "",
    "mj-breakpoint": "width",
    "mj-preview": "",
    "mj-style": "inline",
    "mj-title": "",
}
_ANY = " ".join(_BODY.values())

ATTRIBUTES: dict[str, frozenset[str]] = {
    name: frozenset(f"{attributes} {_EVERYWHERE}".split())
    for name, attributes in {
        **_HEAD,
        **_BODY,
        "mj-all": _ANY,
        "mj-class": f"{_ANY} name",
        "mj-body": "background-color width id",
        "mjml": "lang dir owa",
    }.items()
}
"""Element name to its attributes."""

CONTENT = frozenset(
    {"mj-text", "mj-button", "mj-table", "mj-raw", "mj-style", "mj-title", "mj-preview"}
)
"""Elements that contain HTML or text and no further MJML."""

_COLUMN = frozenset({"mj-column"})
PARENTS: dict[str, frozenset[str]] = {
    "mj-head": frozenset({"mjml"}),
    "mj-body": frozenset({"mjml"}),
    "mj-attributes": frozenset({"mj-head"}),
    "mj-breakpoint": frozenset({"mj-head"}),
    "mj-preview": frozenset({"mj-head"}),
    "mj-style": frozenset({"mj-head"}),
    "mj-title": frozenset({"mj-head"}),
    "mj-all": frozenset({"mj-attributes"}),
    "mj-class": frozenset({"mj-attributes"}),
    "mj-wrapper": frozenset({"mj-body"}),
    "mj-section": frozenset({"mj-body", "mj-wrapper"}),
    "mj-group": frozenset({"mj-section"}),
    "mj-column": frozenset({"mj-section", "mj-group"}),
    "mj-text": _COLUMN,
    "mj-button": _COLUMN,
    "mj-image": _COLUMN,
    "mj-divider": _COLUMN,
    "mj-spacer": _COLUMN,
    "mj-table": _COLUMN,
}
"""Where an element is allowed, besides ``mj-attributes``, which takes any as defaults."""

VOID = frozenset(
    {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
)
"""HTML elements that are never closed."""
