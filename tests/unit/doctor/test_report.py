"""A report is read without color, and knows when all is well."""

import pytest

from newsletter.dns_checks.model import CheckResult, CheckStatus
from newsletter.dns_checks.resolver import Resolver
from newsletter.doctor.report import findings_object, format_findings, is_fine, summary
from newsletter.errors import UnavailableError, UsageError

FINDINGS = {
    "spf": CheckResult(CheckStatus.OK, "v=spf1 -all"),
    "dmarc": CheckResult(CheckStatus.PROBLEM, "no DMARC record", "publish: x"),
}


def test_a_table_with_the_next_step_below():
    assert format_findings(FINDINGS, color=False).splitlines() == [
        "ok       spf    v=spf1 -all",
        "problem  dmarc  no DMARC record",
        "                publish: x",
    ]
    assert "\x1b[31mproblem\x1b[0m" in format_findings(FINDINGS, color=True)
    assert summary(FINDINGS) == "1 ok, 1 problem"


@pytest.mark.parametrize(
    ("verdict", "fine"),
    [("ok", True), ("warning", True), ("skipped", True), ("problem", False), ("unknown", False)],
)
def test_unknown_is_not_fine(verdict, fine):
    found = {"spf": CheckResult(CheckStatus(verdict), "")}
    assert is_fine(found) is fine
    assert findings_object(found)["fine"] is fine


@pytest.mark.parametrize("wrong", ["dns.clinic.example", "127.0.0.1:x", "127.0.0.1:99999", "[::1"])
def test_an_invalid_nameserver_is_refused(wrong):
    with pytest.raises(UsageError, match="nameserver"):
        Resolver(wrong)


@pytest.mark.parametrize("right", ["9.9.9.9", "127.0.0.1:5353", "::1", "[::1]:5353"])
def test_a_nameserver_is_accepted(right):
    Resolver(right).require_checkable("clinic.example")


def test_public_dns_is_not_asked_about_reserved_names(monkeypatch):
    resolver = Resolver("127.0.0.1")
    monkeypatch.setattr(resolver, "_system", True)
    with pytest.raises(UnavailableError, match="RFC 2606"):
        resolver.txt("clinic.example")
