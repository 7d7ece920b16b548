"""Words and hosts that the rules look for. Add to them freely."""

from __future__ import annotations


def _each(text: str) -> frozenset[str]:
    return frozenset(text.split())


FREEMAIL = _each("""
    aol.com gmail.com googlemail.com gmx.com gmx.de gmx.net hotmail.com icloud.com live.com
    mail.com mail.ru me.com msn.com outlook.com proton.me protonmail.com web.de yahoo.com
    yahoo.co.uk yandex.com yandex.ru ymail.com zoho.com
""")
"""Domains whose DMARC policies reject mail that others send in their name."""

CONDITIONS = _each("""
    addiction adhd alzheimer anxiety arthritis asthma autism cancer copd dementia depression
    diabetes eczema epilepsy fibromyalgia headache hepatitis herpes hiv infertility lupus
    migraine obesity osteoporosis parkinson psoriasis schizophrenia sclerosis stroke
""")
"""The first letters of conditions that a list must not be named after."""

SHORTENERS = _each("""
    bit.ly buff.ly cutt.ly goo.gl is.gd lnkd.in ow.ly rb.gy rebrand.ly shorturl.at t.co t.ly
    tiny.cc tinyurl.com v.gd
""")
"""Hosts that hide where a link leads."""

VAGUE = frozenset(
    line.strip()
    for line in """
    click
    click here
    click this link
    here
    learn more
    link
    more
    more info
    read more
    see here
    tap here
    this
    this link
    this page
    website
""".strip().split("\n")
)
"""Link texts that make no sense by themselves."""
