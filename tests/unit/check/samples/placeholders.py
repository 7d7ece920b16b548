"""Samples for the rules of group `placeholders`."""

from tests.unit.check.project import REFERENCE, Sample, text

FIRES = (
    Sample("placeholders/filler", "Words.\n\nLorem ipsum dolor.", at="Lorem"),
    Sample("placeholders/filler", "Words.\n\nTODO ask the doctor.", at="TODO"),
    Sample("placeholders/filler", "Words.\n\n- It helps XXX people.", at="XXX"),
    Sample("placeholders/filler", front={"standfirst": "TBD"}, at="TBD"),
    Sample(
        "placeholders/filler",
        settings={"This letter informs.": "TO BE WRITTEN"},
        at="TO BE WRITTEN",
        file="newsletter.toml",
    ),
    Sample(
        "placeholders/merge-marks",
        'Hello {{ first_name | default("there") }},',
        file="templates/email/article.mjml",
        templates={"article.txt": text(way_out="{{ '{{ x }}' }}")},
    ),
    Sample(
        "placeholders/merge-marks",
        settings={'name = "Garden House News"': 'name = "News for {{ town }}"'},
        at="town",
        file="newsletter.toml",
    ),
    Sample("placeholders/citation-marks", "Words.\n\nMore `[^a]` words.", at="`[^a]`"),
    Sample("placeholders/citation-marks", "Words.\n\nMore [^words", at="[^words"),
)

NEAR_MISSES = (
    Sample("placeholders/filler", "Nothing to do. Todo in Spanish is all. Karyotype 47,XXX."),
    Sample("placeholders/merge-marks", 'Hello {{ first_name | default("there") }},'),
    Sample("placeholders/citation-marks", f"Words.[^a]\n\n{REFERENCE}"),
    Sample("placeholders/citation-marks", "Words.[^unknown]"),
    Sample("placeholders/citation-marks", "A range [a^2] of values."),
)
