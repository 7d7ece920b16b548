"""Samples for the rules of group `disclaimer`."""

from tests.unit.check.project import Sample, mail, text

BOTH = {
    "[disclaimers]": "[disclaimers]\n"
    'spanish = { es = "Esta carta informa.", en = "This letter informs." }'
}
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
    Sample("disclaimer/language", front={"lang": "es"}),
    Sample(
        "disclaimer/language",
        front={"disclaimer": "spanish", "lang": "cy"},
        at="disclaimer: spanish",
        settings=BOTH,
    ),
    Sample(
        "disclaimer/altered",
        front={"disclaimer": "spanish", "lang": "es"},
        at="disclaimer: spanish",
        settings=BOTH,
        templates={"article.txt": text(disclaimer="This letter informs.")},
    ),
)

NEAR_MISSES = (
    Sample("disclaimer/missing", settings=NONE, front={"disclaimer": "short"}),
    Sample("disclaimer/altered"),
    Sample("disclaimer/altered", front={"disclaimer": "spanish", "lang": "es"}, settings=BOTH),
    Sample("disclaimer/language", front={"lang": "en-GB"}),
    Sample("disclaimer/language", front={"disclaimer": "spanish", "lang": "es-MX"}, settings=BOTH),
    Sample(
        "disclaimer/language",
        front={"lang": "es"},
        settings={
            'default_disclaimer = "plain"\n': 'language = "es"\ndefault_disclaimer = "plain"\n'
        },
    ),
    Sample("disclaimer/altered", settings={"This letter informs.": "It’s “for you”.\\n\\nYes."}),
)
