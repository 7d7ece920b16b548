"""Samples for the rules of group `compliance`."""

from tests.unit.check.project import ADDRESS, REFERENCE, Sample, mail, text

TOML = "newsletter.toml"


def _claim(body: str, at: str = "") -> Sample:
    return Sample("compliance/claim", f"{body}\n\nWords.[^a]\n\n{REFERENCE}", at=at)


FIRES = (
    Sample(
        "compliance/postal-address",
        file="templates/email/article.mjml",
        templates={"article.mjml": mail(address="Rivertown")},
    ),
    Sample(
        "compliance/postal-address",
        file="templates/email/article.mjml",
        templates={"article.mjml": mail(address=f'<i style="font-size:0">{ADDRESS}</i>')},
    ),
    Sample(
        "compliance/postal-address",
        file="templates/email/article.txt",
        templates={"article.txt": text(address="")},
    ),
    Sample(
        "compliance/postal-address",
        at="postal_address",
        file=TOML,
        settings={"Garden House, 4 Linden Lane, Rivertown, CA 94999": ""},
    ),
    Sample(
        "compliance/sample-address",
        at="postal_address",
        file=TOML,
        settings={"4 Linden Lane": "1 Sample Street"},
        live=True,
    ),
    Sample(
        "compliance/unsubscribe",
        file="templates/email/article.mjml",
        templates={"article.mjml": mail(way_out="")},
    ),
    Sample(
        "compliance/unsubscribe",
        file="templates/email/article.mjml",
        templates={"article.mjml": mail(way_out='<a href="{{ unsubscribe }}"></a>')},
    ),
    Sample(
        "compliance/unsubscribe",
        file="templates/email/article.txt",
        templates={"article.txt": text(way_out="")},
    ),
    Sample(
        "compliance/public-url",
        at="public_url",
        file=TOML,
        settings={"https://news": "http://news"},
    ),
    Sample(
        "compliance/public-url",
        at="public_url",
        file=TOML,
        settings={"https://news.clinic.example": "http://127.0.0.1:8025"},
        live=True,
    ),
    Sample(
        "compliance/freemail-sender",
        at="from_address",
        file=TOML,
        settings={"news@clinic.example": "garden@Gmail.com"},
    ),
    Sample(
        "compliance/sender-name",
        at="from_name",
        file=TOML,
        settings={'from_name = "Garden House"': 'from_name = "Re: your visit"'},
    ),
    Sample(
        "compliance/sender-name",
        at="from_name",
        file=TOML,
        settings={'from_name = "Garden House"': 'from_name = "Garden House 🌿"'},
    ),
    Sample(
        "compliance/condition-list",
        at="list_id",
        file=TOML,
        settings={'news.clinic.example"\npublic': 'migraine-news.clinic.example"\npublic'},
    ),
    Sample(
        "compliance/condition-list",
        at="name = ",
        file=TOML,
        settings={"Garden House News": "Living with Diabetes"},
    ),
    _claim("Words.\nThese injections cure migraine.", at="injections cure"),
    _claim("We guarantee relief.", at="guarantee"),
    _claim("Our FDA-approved treatment.", at="FDA-approved"),
    _claim("Relief is proven. A study looked at necks.[^a]", at="proven"),
    _claim("It will eliminate your pain.", at="eliminate"),
    _claim("It is 100 % safe.", at="100 %"),
    _claim("Not only pleasant but risk-free.", at="risk-free"),
    _claim("This is not new, but it is a breakthrough.", at="breakthrough"),
    Sample("compliance/claim", front={"subject": "A miracle for your neck"}, at="miracle"),
    Sample("compliance/claim", front={"title": "The neck cured"}, at="cured"),
    Sample(
        "compliance/claim",
        front={"call_to_action": "{label: Get guaranteed relief, url: https://www.nih.gov/}"},
        at="guaranteed",
    ),
)

NEAR_MISSES = (
    Sample("compliance/postal-address"),
    Sample(
        "compliance/postal-address",
        templates={"article.mjml": mail(address=f"{ADDRESS[:-3]} | replace(',', ' /') }}}}")},
    ),
    Sample("compliance/sample-address", live=True),
    Sample("compliance/sample-address", settings={"4 Linden Lane": "1 Sample Street"}),
    Sample("compliance/unsubscribe"),
    Sample(
        "compliance/public-url", settings={"https://news.clinic.example": "http://127.0.0.1:8025"}
    ),
    Sample("compliance/public-url", live=True),
    Sample("compliance/freemail-sender"),
    Sample(
        "compliance/freemail-sender", settings={"news@clinic.example": "gmail.com@clinic.example"}
    ),
    Sample(
        "compliance/sender-name",
        settings={'from_name = "Garden House"': 'from_name = "Garden Care®"'},
    ),
    Sample(
        "compliance/condition-list", front={"subject": "What helps with migraine, and what not"}
    ),
    _claim("These injections cured 2 of 9 people.[^a]"),
    _claim("There is no cure, and we give no guarantee."),
    _claim("It is not FDA approved. It has not been proven."),
    _claim("It isn’t proven, it’s unproven, and a secure site is a curious procedure."),
    _claim("A cure is not known. Guarantees are never given."),
    _claim("Nobody can promise a breakthrough or a miracle."),
    Sample("compliance/claim", front={"disclaimer": "plain"}),
)
