"""Samples for the rules of group `accessibility`."""

from tests.unit.check.project import REFERENCE, Sample, mail

TEMPLATE = "templates/email/article.mjml"


def _footer(rule: str, more: str) -> Sample:
    return Sample(
        f"accessibility/{rule}",
        file=TEMPLATE,
        templates={"article.mjml": mail(more=more)},
    )


def _dark(accent: str) -> dict[str, str]:
    """The default dark colors, except for one."""
    table = f"""
[theme.dark]
page = "#12191B"
card = "#1A2427"
ink = "#E8EFEF"
secondary = "#A9B8BB"
accent = "{accent}"
warm = "#F2A882"
notice = "#2B2320"
"""
    return {"[disclaimers]": f"{table}\n[disclaimers]"}


FIRES = (
    Sample(
        "accessibility/contrast",
        at="#0B6B6B",
        file="newsletter.toml",
        settings=_dark("#0B6B6B"),
    ),
    Sample(
        "accessibility/language",
        file=TEMPLATE,
        templates={"article.mjml": mail(head='lang="xx" dir="ltr"')},
    ),
    Sample(
        "accessibility/direction",
        file=TEMPLATE,
        templates={"article.mjml": mail(head='lang="en" dir="rtl"')},
    ),
    Sample("accessibility/heading-order", "## Neck\n\nWords.\n\n#### Muscles\n\nWords.", at="####"),
    Sample("accessibility/heading-order", "### Neck\n\nWords.", at="###"),
    Sample(
        "accessibility/heading-order",
        file=TEMPLATE,
        templates={"article.mjml": mail(more="<h1>News</h1>")},
    ),
    Sample("accessibility/empty-heading", "Words.\n\n##\n\nWords.", at="##"),
    _footer("table-role", "<table><tr><td>Open daily</td></tr></table>"),
    _footer("small-text", '<p style="font-size:11px">Open daily</p>'),
    _footer("small-text", '<div style="font-size:75%">Open daily</div>'),
    Sample(
        "accessibility/ambiguous-links",
        "[Our page](https://www.nih.gov/a)\n\n[Our page](https://www.nih.gov/b)",
        at="gov/b",
    ),
)

NEAR_MISSES = (
    Sample("accessibility/contrast"),
    Sample("accessibility/contrast", settings=_dark("#7F8F92")),
    Sample("accessibility/language", front={"lang": "de"}),
    Sample("accessibility/direction", front={"dir": "rtl"}),
    Sample("accessibility/heading-order", "## A\n\n### B\n\n#### C\n\n## D\n\nWords."),
    Sample("accessibility/heading-order", "::: glance Facts\n- Words.\n:::\n\n## A\n\nWords."),
    Sample("accessibility/empty-heading", "## A\n\nWords."),
    Sample("accessibility/table-role", "| Who | What |\n| --- | --- |\n| We | ask |"),
    Sample("accessibility/table-role", f"::: bars Who\n- 67 % | all [^a]\n:::\n\n{REFERENCE}"),
    Sample("accessibility/small-text", f"Words.[^a]\n\n{REFERENCE}"),
    _footer("small-text", '<p style="font-size:10.5pt">Open daily</p>'),
    _footer("small-text", '<p style="font-size:1px;display:none">Open daily</p>'),
    Sample(
        "accessibility/ambiguous-links",
        "[Our page](https://www.nih.gov/a)\n\n[our page](https://www.nih.gov/a)",
    ),
)
