"""Samples for the rules of group `disclaimer`."""

from tests.unit.check.project import Sample, mail, text

NONE = {'default_disclaimer = "plain"\n': ""}

FIRES = (
    Sample("disclaimer/missing", settings=NONE),
    Sample("disclaimer/missing", front={"disclaimer": "blank"}, at="blank", file="newsletter.toml"),
    Sample(
        "disclaimer/altered",
        front={"disclaimer": "short"},
        at="disclaimer: short",
        templates={"article.txt": text(disclaimer="{{ disclaimer | upper }}")},
    ),
    Sample(
        "disclaimer/altered",
        templates={"article.mjml": mail(disclaimer="See our site.")},
    ),
    Sample(
        "disclaimer/altered",
        templates={
            "article.mjml": mail(
                disclaimer='<div style="display:none">{{ pieces.disclaimer }}</div>'
            )
        },
    ),
)

NEAR_MISSES = (
    Sample("disclaimer/missing", settings=NONE, front={"disclaimer": "short"}),
    Sample("disclaimer/altered"),
    Sample("disclaimer/altered", settings={"This letter informs.": "It’s “for you”.\\n\\nYes."}),
)
