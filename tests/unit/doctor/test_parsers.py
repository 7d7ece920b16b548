"""Whatever stands in DNS is read or refused with a reason; what we write reads back."""

import base64
from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from newsletter.dns_checks.dkim import dkim_record, parse_dkim
from newsletter.dns_checks.dmarc import is_dmarc, parse_dmarc
from newsletter.dns_checks.spf_record import expand, is_spf, parse_spf
from newsletter.dns_checks.tags import parse_tags
from newsletter.errors import InputError

ANYTHING = st.text(st.characters(codec="latin-1"), max_size=80)
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
VALUES = st.from_regex(r"([!-:<-~]([ !-:<-~]{0,10}[!-:<-~])?)?", fullmatch=True)
BLANKS = st.sampled_from(["", " ", "\t", "  "])
QUALIFIERS = st.sampled_from(["", "+", "-", "~", "?"])
MECHANISMS = st.one_of(
    st.sampled_from(["mx", "a", "a/24", "mx//64", "a:x.example/24//64", "ptr", "exists:%{i}.x"]),
    st.ip_addresses(v=4).map("ip4:{}".format),
    st.ip_addresses(v=6).map("ip6:{}/48".format),
    st.just("include:_spf.%{d2}"),
)


@given(st.dictionaries(NAMES, VALUES, min_size=1), BLANKS, st.booleans())
def test_tags_read_back(tags, blank, ends):
    text = ";".join(f"{blank}{name}{blank}={blank}{value}" for name, value in tags.items())
    assert parse_tags(text + (";" if ends else "")) == tags


@given(ANYTHING, st.sampled_from(["v=DKIM1; p=", "v=DMARC1; p=none;", "v=spf1 ", ""]))
@pytest.mark.parametrize("parse", [parse_tags, parse_dkim, parse_dmarc, parse_spf])
def test_any_text_is_read_or_refused(parse, text, start):
    with suppress(InputError):
        parse(start + text)


@given(ANYTHING)
def test_any_macro_is_expanded_or_refused(text):
    with suppress(InputError):
        assert "%{" not in expand(text, sender="a@b.example", domain="b.example", ip="192.0.2.1")


@given(st.lists(st.tuples(QUALIFIERS, MECHANISMS), max_size=6), QUALIFIERS)
def test_spf_terms_keep_their_order_and_end_with_all(terms, qualifier):
    words = [f"{sign}{mechanism}" for sign, mechanism in terms]
    record = parse_spf(" ".join(["v=spf1", *words, f"{qualifier}all", "mx", "redirect=x.example"]))
    assert [term.text for term in record.terms] == [*words, f"{qualifier}all"]
    assert record.redirect == "", "nothing after all counts"


@pytest.mark.parametrize(
    "wrong",
    [
        *(
            "a:",
            "include",
            "include:",
            "exists",
            "all:x",
            "all/8",
            "ip4",
            "ip4:1.2.3",
            "ip6:1.2.3.4",
        ),
        *("a/33", "mx//129", "include:x/8", "redirect=", "redirect=a redirect=b", "a;b", "ip4:::1"),
        *("a:x", "mx:1.2.3.4", "include:x.-y", "a:%{q}.x", "exp=", "x=%", "ip4:1.2.3.0/024", "é"),
    ],
)
def test_spf_mistakes(wrong):
    with pytest.raises(InputError):
        parse_spf(f"v=spf1 {wrong} -all")


@pytest.mark.parametrize(
    ("text", "yes"),
    [("v=spf1", True), ("V=SPF1 -all", True), ("v=spf10 -all", False), (" v=spf1", False)],
)
def test_spf_records_are_recognized(text, yes):
    assert is_spf(text) is yes


@pytest.mark.parametrize(
    ("text", "made"),
    [  # the examples of RFC 7208 section 7.4
        ("%{s}", "strong-bad@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l-}", "strong.bad"),
        ("%{lr-}", "bad.strong"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
        ("%%%_%-", "% %20"),
    ],
)
def test_macros(text, made):
    sender, domain = "strong-bad@email.example.com", "email.example.com"
    assert expand(text, sender=sender, domain=domain, ip="192.0.2.3") == made


@pytest.mark.parametrize("text", ["%", "%{x}", "%{d0}", "%{c}", "a%b", "%{d"])
def test_invalid_macros_are_refused(text):
    with pytest.raises(InputError):
        expand(text, sender="a@b.example", domain="b.example", ip="192.0.2.1")


@pytest.mark.parametrize(
    ("text", "yes"),
    [
        ("v=DMARC1; p=none", True),
        ("V = DMARC1 ;p=none", True),
        ("v=dmarc1; p=none", False),
        ("v=DMARC12; p=none", False),
        ("p=none; v=DMARC1", False),
    ],
)
def test_dmarc_records_are_recognized(text, yes):
    assert is_dmarc(text) is yes


def test_a_dmarc_record():
    text = "v=DMARC1; p=reject; adkim=s; rua=mailto:a@b.example!10m, mailto:c@d.example"
    record = parse_dmarc(text)
    assert (record.policy, record.subdomains) == ("reject", "reject")
    assert (record.strict_dkim, record.strict_spf) == (True, False)
    assert record.reports == ("mailto:a@b.example!10m", "mailto:c@d.example")


@pytest.mark.parametrize("wrong", ["pct=101", "pct=x", "sp=all", "aspf=x", "rua=a@b.example"])
def test_dmarc_mistakes(wrong):
    with pytest.raises(InputError, match=wrong.partition("=")[0]):
        parse_dmarc(f"v=DMARC1; p=none; {wrong}")


@given(st.binary(min_size=32, max_size=32))
def test_our_own_key_reads_back(seed):
    private = Ed25519PrivateKey.from_private_bytes(seed)
    record = parse_dkim(dkim_record(private))
    assert record.key == private.public_key()
    assert not record.testing


def test_a_key_may_be_written_in_pieces():
    private = Ed25519PrivateKey.generate()
    key = base64.b64encode(private.public_key().public_bytes_raw()).decode()
    record = parse_dkim(f"k=ed25519; p={key[:20]} \t{key[20:]}; t=y:s;")
    assert (record.key, record.testing) == (private.public_key(), True)
