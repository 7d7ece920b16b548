"""Samples for the rules of group `references`."""

from tests.unit.check.project import REFERENCE, Sample

SECOND = "[^b]: Author B. Another study. *J Neck*. 2018. doi:10.1000/neck.2."


def _statistic(body: str, at: str = "") -> Sample:
    return Sample("references/uncited-statistic", f"{body}\n\nWords.[^a]\n\n{REFERENCE}", at=at)


FIRES = (
    Sample("references/missing", "Words.\n\nMore words.[^smith2001]", at="smith2001"),
    Sample("references/missing", f"Words.[^a][^b]\n\n{REFERENCE}", at="[^b]"),
    Sample(
        "references/duplicate-key",
        f"Words.[^a]\n\n{REFERENCE}\n\n[^a]: Second. 2018. PMID: 123.",
        at="Second.",
    ),
    Sample("references/malformed-doi", "Words.[^a]\n\n[^a]: A. doi:10.11/x.", at="10.11/x"),
    Sample("references/malformed-doi", "Words.[^a]\n\n[^a]: A. doi:10.1186/.", at="[^a]: A"),
    Sample("references/malformed-doi", "Words.[^a]\n\n[^a]: A. doi: pending", at="[^a]: A"),
    Sample("references/malformed-doi", "Words.[^a]\n\n[^a]: A. doi:10.1186/…", at="[^a]: A"),
    Sample("references/malformed-doi", "Words.[^a]\n\n[^a]: A. doi.org/s10194-017", at="[^a]: A"),
    Sample("references/unused", f"Words.[^a]\n\n{REFERENCE}\n\n{SECOND}", at="[^b]"),
    Sample("references/no-locator", "Words.[^a]\n\n[^a]: Author A. A study. 2017.", at="[^a]: A"),
    Sample(
        "references/duplicate",
        f"Words.[^a][^b]\n\n{REFERENCE}\n\n[^b]: Other words. doi:10.1000/NECK.1",
        at="Other words",
    ),
    Sample(
        "references/duplicate",
        "Words.[^a][^b]\n\n[^a]: First. PMID: 77.\n\n[^b]: Other. PMID: 77.",
        at="Other.",
    ),
    _statistic("Neck pain is common.\nIn all, 67 % had it.", at="67 %"),
    _statistic("First.[^a] Of them 7 of 9 had it.", at="7 of 9"),
    _statistic("Only 1 in 9 had it.", at="1 in 9"),
    _statistic("About one in nine had it.", at="one in nine"),
    _statistic("They asked 148 people.", at="148"),
    _statistic("They asked 52 healthy young women.", at="52"),
    _statistic("Fifty-two women were asked.", at="Fifty-two"),
    _statistic("One hundred forty-eight people were asked.", at="forty-eight"),
    _statistic("They were 2.5 times as likely to have it.", at="2.5"),
    _statistic("- Words.\n- Rose by 11 percent.", at="11 percent"),
    _statistic("| Who | Share |\n| --- | --- |\n| Women | 11% |", at="11%"),
    _statistic("::: glance Facts\n- Words.[^a]\n- It helped 30 %.\n:::", at="30 %"),
    _statistic("::: bars Of the readers\n- 67 % | had it\n:::", at="67 %"),
    _statistic("::: note Mind\nIt helped 30 %.\n:::", at="30 %"),
)

NEAR_MISSES = (
    Sample("references/missing", f"Words.[^a]\n\n{REFERENCE}"),
    Sample("references/duplicate-key", f"Words.[^a][^b]\n\n{REFERENCE}\n\n{SECOND}"),
    Sample("references/malformed-doi", f"Words.[^a]\n\n{REFERENCE}"),
    Sample("references/malformed-doi", "W.[^a]\n\n[^a]: A. doi: https://doi.org/10.1000/x(1)2."),
    Sample("references/malformed-doi", "W.[^a]\n\n[^a]: A. doi:10.1016/S2352-3026(17)30182-5."),
    Sample("references/malformed-doi", "W.[^a]\n\n[^a]: On the DOI system. PMID: 5."),
    Sample("references/unused", f"Words.[^a]\n\n{REFERENCE}"),
    Sample("references/unused", f"::: audience topic=neck\nWords.[^a]\n:::\n\n{REFERENCE}"),
    Sample("references/no-locator", "Words.[^a]\n\n[^a]: Author A. PMID: 28421374."),
    Sample("references/no-locator", "Words.[^a]\n\n[^a]: Clinic. https://www.nih.gov/neck"),
    Sample("references/duplicate", f"Words.[^a][^b]\n\n{REFERENCE}\n\n{SECOND}"),
    _statistic("In all, 67 % had it.[^a]"),
    _statistic("In all, 67 %[^a] had it. More words."),
    _statistic("In all, 67 % had it. Most were women.[^a]"),
    _statistic("Found by Dr. Gard et al. 67 % had it.[^a] More."),
    _statistic("They found:[^a]\n\n- 67 % had it.\n- 11 % had not."),
    _statistic("::: study Necks (2017)\n- Who | 148 people[^a]\n- Found | 67 % had it\n:::"),
    _statistic("| Who[^a] | Share |\n| --- | --- |\n| Women | 11% |"),
    _statistic("In 2017 patients asked us. In 2019 women did. Open 24 hours, 7 days."),
    _statistic("See page 2 of 5. The journal of August 9 of 2017. We moved 4 in 2018."),
    _statistic("In more than 20 years we have seen many patients."),
    _statistic("Call (800) 300-9300 or 911. It is one of two ways."),
    _statistic("Take version 2.0 of the form, at 10:30 in room 12."),
)
