"""Samples for the rules of group `text-part`."""

from tests.unit.check.project import REFERENCE, Sample, text

LONG = "https://www.nih.gov/" + "neck-" * 200
NO_ARTICLE = {"article.txt": text(article="")}
CITED = f"Words.[^a]\n\n{REFERENCE}"

TABLE = "Words.\n\n| Movement | How *often*[^a] |\n| --- | --- |\n| Turn | Ten times |\n| Lift | |"
WITHOUT_COLUMNS = {"article.txt": text(article="{{ article | replace('often', '') }}")}
BOX = f"::: note The neck\n## {'A very long heading about the neck ' * 4}\n\nWords.\n:::"

FIRES = (
    Sample(
        "text-part/empty",
        file="templates/email/article.txt",
        templates={"article.txt": "\n"},
    ),
    Sample("text-part/long-line", f"Words.\n\nSee [the neck]({LONG}).", at="neck-"),
    Sample(
        "text-part/missing-link",
        "Words.\n\nSee [the neck](https://www.nih.gov/neck).",
        at="nih.gov",
        templates=NO_ARTICLE,
    ),
    Sample("text-part/missing-heading", "## The neck\n\nWords.", at="## The", templates=NO_ARTICLE),
    Sample(
        "text-part/missing-column",
        TABLE.replace("*", "").replace("[^a]", ""),
        at="| Movement",
        templates=WITHOUT_COLUMNS,
    ),
    Sample(
        "text-part/missing-figure",
        "Words.\n\nOpen since 1987.",
        at="1987",
        templates=NO_ARTICLE,
    ),
    Sample(
        "text-part/missing-reference",
        CITED,
        at="[^a]: Author",
        templates={"article.txt": text(references="")},
    ),
)

NEAR_MISSES = (
    Sample("text-part/empty"),
    Sample("text-part/long-line", f"See [the neck]({LONG[:900]})."),
    Sample("text-part/missing-link", "See [the neck](https://www.nih.gov/neck)."),
    Sample("text-part/missing-link", "Write to [the office](mailto:office@clinic.example)."),
    Sample("text-part/missing-link", "Words.[^a]\n\n[^a]: A. 2017. doi:10.1000/x. PMID: 123."),
    Sample("text-part/missing-heading", f"## The *whole* neck[^a]\n\nWords.\n\n{REFERENCE}"),
    Sample("text-part/missing-heading", "## On [the neck](https://www.nih.gov/) and you\n\nWords."),
    Sample("text-part/missing-heading", "## " + "A very long heading about the neck " * 4),
    Sample("text-part/missing-heading", BOX),
    Sample("text-part/missing-column", f"{TABLE}\n\n{REFERENCE}"),
    Sample("text-part/missing-column", "| | [Neck](https://www.nih.gov/) |\n|--|--|\n| a | b |"),
    Sample("text-part/missing-column", "::: note\n| A | B |\n| --- | --- |\n| a | b |\n:::"),
    Sample("text-part/missing-figure", "Open since 1987, 1,200 visits, 6.5 days."),
    Sample("text-part/missing-figure", "| Who | Share |\n| --- | --- |\n| We | 12 |"),
    Sample("text-part/missing-reference", CITED),
)
