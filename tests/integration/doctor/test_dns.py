"""What the doctor says of records, asked of a real nameserver."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from newsletter.dns_checks import resolver as resolver_module
from newsletter.dns_checks.dkim import dkim_record
from newsletter.dns_checks.spf import SpfWalk
from newsletter.errors import InputError, UnavailableError
from newsletter.settings.model import Dkim
from tests.integration.doctor.sample import BOUNCES, IP, findings, sending

DNS_CHECKS = ("mx-from", "mx-bounces", "spf", "spf-address", "dmarc", "alignment", "ptr")
SPF = f"{BOUNCES} TXT"
DMARC = "_dmarc.clinic.example TXT"
KEY_NAME = "news1._domainkey.clinic.example"
KEYS = [rsa.generate_private_key(65537, 2048), ed25519.Ed25519PrivateKey.generate()]


def signing(key):
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return Dkim(domain="clinic.example", selector="news1", key=pem)


def quoted(record):
    return " ".join(f'"{record[at : at + 200]}"' for at in range(0, len(record), 200))


def test_a_correct_setup_is_fine():
    found = findings({f"{KEY_NAME} TXT": quoted(dkim_record(KEYS[0]))}, dkim=signing(KEYS[0]))
    assert {name: found[name].verdict for name in (*DNS_CHECKS, "dkim")} == dict.fromkeys(
        (*DNS_CHECKS, "dkim"), "ok"
    )


@pytest.mark.parametrize(
    ("changes", "check", "verdict", "says"),
    [
        ({SPF: ""}, "spf", "problem", f'{BOUNCES}. TXT "v=spf1 ip4:{IP} -all"'),
        ({SPF: '"v=spf1 -all"\n"v=spf1 ~all"'}, "spf", "problem", "2 SPF"),
        ({SPF: '"v=spf1 ipv4:192.0.2.1 -all"'}, "spf", "problem", "'ipv4:192.0.2.1'"),
        ({SPF: f'"v=spf1 ip4:{IP} +all"'}, "spf", "warning", "everybody"),
        ({SPF: '"v=spf1 include:x.x -all"', "x.x TXT": '"v=spf1 +all"'}, "spf", "warning", "every"),
        ({SPF: '"v=spf1 ip4:0.0.0.0/0 -all"'}, "spf", "warning", "everybody"),
        ({SPF: '"v=spf1 redirect=x.x"', "x.x TXT": '"v=spf1 -all"'}, "spf", "ok", "1 of 10"),
        ({SPF: f'"v=spf1 ip4:{IP} ?all"'}, "spf", "warning", "nothing about other"),
        ({SPF: f'"v=spf1 ip4:{IP}"'}, "spf", "warning", "nothing about other"),
        ({SPF: '"v=spf1 ptr -all"'}, "spf", "warning", "ptr is not to be used"),
        ({SPF: '"v=spf1 a:x.example a:y.example mx:z.example -all"'}, "spf", "problem", "3 of 2"),
        ({SPF: '"v=spf1 include:nobody.example -all"'}, "spf", "problem", "no SPF record"),
        ({SPF: '"v=spf1 redirect=nobody.example"'}, "spf", "problem", "no SPF record"),
        ({SPF: f'"v=spf1 include:{BOUNCES} -all"'}, "spf", "problem", "includes itself"),
        ({SPF: '"v=spf1 ip4:192.0.2.1 -all"'}, "spf-address", "problem", f"add ip4:{IP}"),
        ({SPF: '"v=spf1 ip4:192.0.2.1 ~all"'}, "spf-address", "problem", "softfail"),
        ({DMARC: ""}, "dmarc", "problem", '_dmarc.clinic.example. TXT "v=DMARC1; p=none; rua='),
        ({DMARC: '"v=DMARC1; p=none"'}, "dmarc", "warning", "rua=mailto:"),
        ({DMARC: '"v=DMARC1; p=nothing"'}, "dmarc", "problem", "p=nothing"),
        ({DMARC: '"v=DMARC1; sp=none"'}, "dmarc", "problem", "p= is missing"),
        ({DMARC: '"v=DMARC1; p=none"\n"v=DMARC1; p=reject"'}, "dmarc", "problem", "2 records"),
        ({DMARC: '"v=DMARC1; p=none; aspf=s"'}, "alignment", "warning", "not aligned"),
        ({f"{BOUNCES} MX": "0 ."}, "mx-bounces", "problem", "null MX"),
        ({f"{BOUNCES} MX": ""}, "mx-bounces", "problem", "no MX and no address"),
        ({f"{BOUNCES} MX": "", f"{BOUNCES} A": IP}, "mx-bounces", "warning", "no MX"),
        ({"clinic.example MX": "5 gone.example"}, "mx-from", "problem", "gone.example"),
        ({"25.2.0.192.in-addr.arpa PTR": ""}, "ptr", "problem", "25.2.0.192.in-addr.arpa. PTR"),
        ({"mail.clinic.example A": "192.0.2.1"}, "ptr", "problem", "mail.clinic.example. A"),
    ],
)
def test_a_wrong_record_is_reported_with_its_fix(changes, check, verdict, says):
    found = findings(changes)[check]
    assert found.verdict == verdict, found
    assert says in f"{found.seen} {found.fix}"


@pytest.mark.parametrize(
    ("record", "result"),
    [
        (f"v=spf1 ip4:{IP} -all", "pass"),
        ("v=spf1 ip4:192.0.2.0/24 -all", "pass"),
        ("v=spf1 ip6:2001:db8::/32 -all", "fail"),
        ("v=spf1 a:mail.clinic.example -all", "pass"),
        ("v=spf1 a:near.example/24 -all", "pass"),
        ("v=spf1 mx -all", "pass"),
        ("v=spf1 -a:mail.clinic.example +all", "fail"),
        ("v=spf1 ?mx -all", "neutral"),
        ("v=spf1 include:relay.example -all", "pass"),
        ("v=spf1 include:never.example -all", "fail"),
        ("v=spf1 redirect=relay.example", "pass"),
        ("v=spf1 exists:%{ir}.%{v}.list.example -all", "pass"),
        ("v=spf1 exists:%{i}.list.example -all", "fail"),
        ("v=spf1 ptr:clinic.example -all", "pass"),
        ("v=spf1 -all ip4:192.0.2.25", "fail"),
        ("v=spf1", "neutral"),
    ],
)
def test_spf_result_for_our_address(record, result):
    changes = {
        SPF: f'"{record}"',
        "near.example A": "192.0.2.99",
        "relay.example TXT": f'"v=spf1 ip4:{IP} -all"',
        "never.example TXT": '"v=spf1 -all"',
        "25.2.0.192.in-addr.list.example A": "127.0.0.2",
    }
    with sending(changes) as (sender, _):
        assert SpfWalk(sender.resolver, "b@x.example", sender.ip).walk(BOUNCES) == result
        with_ip = SpfWalk(sender.resolver, "b@x.example", sender.ip)
        without = SpfWalk(sender.resolver, "b@x.example")
        with_ip.walk(BOUNCES)
        without.walk(BOUNCES)
        assert with_ip.lookups == without.lookups, "the limit counts alike for every address"


def chain(length):
    zone = {SPF: '"v=spf1 include:s1.example -all"'}
    for n in range(1, length):
        zone[f"s{n}.example TXT"] = f'"v=spf1 include:s{n + 1}.example ~all"'
    return zone | {f"s{length}.example TXT": f'"v=spf1 ip4:{IP} ~all"'}


@pytest.mark.parametrize(("length", "verdict"), [(10, "ok"), (11, "problem"), (60, "problem")])
def test_lookups_count_through_includes(length, verdict):
    assert findings(chain(length))["spf"].verdict == verdict


def test_records_that_include_each_other_are_refused():
    loop = {
        "a.example TXT": '"v=spf1 redirect=b.example"',
        "b.example TXT": '"v=spf1 include:a.example"',
    }
    with sending(loop) as (sender, server):
        walk = SpfWalk(sender.resolver, "b@x.example", sender.ip)
        with pytest.raises(InputError, match="includes itself"):
            walk.walk("a.example")
        assert len(server.asked) == 2, "each question once"


@pytest.mark.parametrize("key", KEYS, ids=["rsa", "ed25519"])
def test_our_own_key_is_recognized(key):
    found = findings({f"{KEY_NAME} TXT": quoted(dkim_record(key))}, dkim=signing(key))["dkim"]
    assert (found.verdict, found.fix) == ("ok", "")


@pytest.mark.parametrize(
    ("record", "verdict", "says"),
    [
        ("", "problem", "no TXT record"),
        ("v=DKIM1; k=rsa; p=", "problem", "revoked"),
        ("v=DKIM1; k=rsa; p=AAAA", "problem", "no rsa key"),
        ("{other}", "problem", "not that of our key file"),
        ("{ours}; t=y", "warning", "t=y"),
        ("{ours}; h=sha1", "problem", "sha256"),
        ("{ours}; s=other", "problem", "s="),
        ("k=rsa; v=DKIM1; p=", "problem", "must come first"),
    ],
)
def test_an_unusable_key_record_is_reported(record, verdict, says):
    record = record.format(ours=dkim_record(KEYS[0]), other=dkim_record(KEYS[1]))
    zone = {f"{KEY_NAME} TXT": quoted(record)} if record else {}
    found = findings(zone, dkim=signing(KEYS[0]))["dkim"]
    assert found.verdict == verdict
    assert says in f"{found.seen} {found.fix}"
    if verdict == "problem":
        assert f'publish: {KEY_NAME}. TXT "{dkim_record(KEYS[0])}"' == found.fix


def test_alignment_needs_spf_or_dkim():
    elsewhere = {"bounces.other.example TXT": f'"v=spf1 ip4:{IP} -all"'}
    foreign = signing(KEYS[0]).model_copy(update={"domain": "other.example"})
    options = {"bounce_address": "b@bounces.other.example"}
    assert findings(elsewhere, **options, dkim=foreign)["alignment"].verdict == "problem"
    assert findings(elsewhere, **options)["alignment"].verdict == "warning"
    signed = findings(elsewhere, **options, dkim=signing(KEYS[0]))["alignment"]
    assert signed.verdict == "warning"
    assert "DKIM clinic.example aligned" in signed.seen


def test_a_policy_applies_to_subdomains():
    policy = '"v=DMARC1; p=reject; sp=none; rua=mailto:a@b.example"'
    above = {DMARC: "", "_dmarc.example TXT": policy}
    assert "p=none, from _dmarc.example" in findings(above)["dmarc"].seen
    registry = {"_dmarc.example TXT": '"v=DMARC1; p=reject; psd=y"'}
    found = findings(registry, bounce_address="b@other.example")
    assert "SPF other.example not aligned" in found["alignment"].seen


def test_helo():
    assert findings(helo="mail.clinic.example")["helo"].verdict == "ok"
    found = findings(helo="localhost.localdomain")["helo"]
    assert (found.verdict, "no address" in found.seen) == ("problem", True)


def test_without_an_address_its_checks_are_skipped():
    found = findings(ip="")
    assert {found[name].verdict for name in ("spf-address", "ptr", "helo")} == {"skipped"}
    assert found["spf"].verdict == "ok"


def test_sendgrid():
    names = {f"s{n}._domainkey.clinic.example CNAME": f"s{n}.u1.wl.sendgrid.net" for n in (1, 2)}
    keys = {f"s{n}.u1.wl.sendgrid.net TXT": quoted(dkim_record(KEYS[0])) for n in (1, 2)}
    assert findings(names | keys, transport="sendgrid")["sendgrid"].verdict == "ok"
    assert findings(names, transport="sendgrid")["sendgrid"].verdict == "problem"
    missing = findings(transport="sendgrid")
    assert missing["sendgrid"].verdict == "warning"
    assert missing["spf"].verdict == "skipped"


def test_a_truncated_answer_is_asked_for_again_over_tcp():
    with sending(faults={BOUNCES: "truncate"}) as (sender, server):
        assert sender.resolver.txt(BOUNCES)
        assert [over for name, _, over in server.asked if name == BOUNCES] == ["udp", "tcp"]


@pytest.mark.parametrize("fault", ["servfail", "silent"])
def test_a_dns_failure_is_unknown_and_never_fine(fault, monkeypatch):
    monkeypatch.setattr(resolver_module, "TIMEOUT_S", 0.2)
    monkeypatch.setattr(resolver_module, "LIFETIME_S", 0.5)
    names = ["clinic.example", BOUNCES, "_dmarc.clinic.example", "25.2.0.192.in-addr.arpa"]
    found = findings(faults=dict.fromkeys(names, fault))
    assert {found[name].verdict for name in DNS_CHECKS} == {"unknown"}


def test_a_dns_failure_inside_an_include_is_unknown():
    zone = {SPF: '"v=spf1 include:relay.example -all"'}
    assert findings(zone, faults={"relay.example": "servfail"})["spf"].verdict == "unknown"


def test_an_unreachable_nameserver_is_unknown(monkeypatch):
    monkeypatch.setattr(resolver_module, "LIFETIME_S", 0.5)
    with sending() as (sender, _):
        pass
    with pytest.raises(UnavailableError):
        sender.resolver.mx("clinic.example")


def test_without_a_bounce_address_there_is_a_warning():
    found = findings(bounce_address="")["mx-bounces"]
    assert found.verdict == "warning"
    assert "bounces@bounces.clinic.example" in found.fix
