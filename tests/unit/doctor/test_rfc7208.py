"""The published test suite of RFC 7208 (release 2014.04): 203 cases that others wrote."""

import ipaddress
from pathlib import Path

import dns.reversename
import pytest
import yaml

from newsletter.dns_checks.spf import MOST_LOOKUPS, MOST_VOID, SpfWalk
from newsletter.errors import InputError, UnavailableError

SUITE = Path(__file__).parent / "rfc7208" / "rfc7208-tests.yml"
MOST_LABEL = 63
OTHERWISE = {
    "spftimeout": "needs queries for type SPF, which RFC 7208 did away with",
    "p-macro-multiple": "%{p} is not to be used; it stays unknown",
    "hello-macro": "the greeting is not known to the record's check",
    "include-at-limit": "what stands behind the match counts here, too",
}
"""Where we say something else, on purpose."""


class Names:
    """The zone of a scenario, in place of a resolver."""

    def __init__(self, zone):
        self._zone = {_plain(name): entries for name, entries in zone.items()}

    def txt(self, name):
        found = self._ask(name, "TXT") or self._ask(name, "SPF")
        return ["".join(text) for text in found if text != "NONE"]

    def addresses(self, name):
        return {ipaddress.ip_address(ip) for ip in self._ask(name, "A") + self._ask(name, "AAAA")}

    def mx(self, name):
        return [_plain(host) for _, host in sorted(self._ask(name, "MX"))]

    def ptr(self, ip):
        name = dns.reversename.from_address(str(ip)).to_text()
        return [_plain(host) for host in self._ask(name, "PTR")]

    def _ask(self, name, kind):
        if not all(0 < len(label) <= MOST_LABEL for label in name.rstrip(".").split(".")):
            return []
        found = []
        for entry in self._zone.get(_plain(name), []):
            if entry == "TIMEOUT" or entry.get(kind) == "TIMEOUT":
                raise UnavailableError("no answer in time")
            found += [entry[kind]] if kind in entry else []
            found += self._ask(entry["CNAME"], kind) if "CNAME" in entry else []
        return found


def _plain(name):
    return str(name).lower().rstrip(".")


def cases():
    for scenario in yaml.safe_load_all(SUITE.read_text(encoding="utf-8")):
        for name, case in scenario["tests"].items():
            yield pytest.param(scenario["zonedata"], case, name, id=name)


def said(zone, case):
    """The verdict on a case; the greeting's name stands in for an empty envelope sender."""
    local, _, domain = (case.get("mailfrom") or case["helo"]).rpartition("@")
    walk = SpfWalk(
        Names(zone), f"{local or 'postmaster'}@{domain}", ipaddress.ip_address(case["host"])
    )
    try:
        result = walk.walk(domain.lower())
    except InputError:
        return "permerror"
    except UnavailableError:
        return "temperror"
    over = walk.lookups > MOST_LOOKUPS or walk.void > MOST_VOID
    return "permerror" if over else result


@pytest.mark.parametrize(("zone", "case", "name"), list(cases()))
def test_each_case_of_the_suite(zone, case, name):
    wanted = case["result"] if isinstance(case["result"], list) else [case["result"]]
    assert (said(zone, case) in wanted) is (name not in OTHERWISE)
