"""Samples for the rules of group `merge-fields`."""

from tests.unit.check.project import Sample

GREETING = 'Words.\n\nHello {{ first_name | default("there") }},'

FIRES = (
    Sample("merge-fields/undeclared", 'Words.\n\nIn {{ town | default("town") }}.', at="town"),
    Sample(
        "merge-fields/unknown-column",
        'Words.\n\nOn {{ plan | default("none") }}.',
        at="plan",
        columns=frozenset({"town"}),
    ),
    Sample("merge-fields/unknown-column", GREETING, at="first_name", columns=frozenset()),
    Sample("merge-fields/no-default", "Words.\n\nHello {{ first_name }},", at="first_name"),
    Sample(
        "merge-fields/no-default", 'Words.\n\nHello {{ first_name | default("") }},', at="Hello"
    ),
    Sample(
        "merge-fields/no-default",
        front={"subject": '"News for {{ first_name }}"'},
        at="subject",
    ),
)

NEAR_MISSES = (
    Sample("merge-fields/undeclared", GREETING),
    Sample("merge-fields/unknown-column", GREETING),
    Sample("merge-fields/unknown-column", GREETING, columns=frozenset({"first_name"})),
    Sample(
        "merge-fields/unknown-column",
        'On {{ plan | default("none") }}.',
        columns=frozenset({"plan"}),
    ),
    Sample("merge-fields/no-default", GREETING),
)
