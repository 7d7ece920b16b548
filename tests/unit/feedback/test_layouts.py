"""Details of reports and bounces: their recipients, and what they say about each."""

import pytest

from newsletter.feedback.classify import classify

BOUNCE = "From: MAILER-DAEMON@mta.example\nSubject: Undeliverable mail\n{}\n\n{}"
REPORT = BOUNCE.format("Content-Type: message/delivery-status", "{}")


def found(text: str) -> tuple[str, list[tuple[str, str]]]:
    report = classify(text.encode())
    return report.kind, [(each.address, each.verdict) for each in report.recipients]


def status_report(*fields: str) -> str:
    return REPORT.format("\n".join(("Final-Recipient: rfc822; anna@reader.example", *fields)))


def test_one_refusal_applies_to_all_listed_recipients():
    body = (
        "Could not be delivered because of\n\n550 5.1.1 User unknown\n\n"
        "These recipients were affected:\n    anna@reader.example\n    ben@reader.example\n"
    )
    expected = [("anna@reader.example", "hard"), ("ben@reader.example", "hard")]
    assert found(BOUNCE.format("X-Gateway: yes", body)) == ("bounce", expected)


def test_a_refusal_applies_only_to_its_own_recipient():
    body = (
        "anna@reader.example\n550 5.1.1 User unknown\n\n"
        "ben@reader.example\nNo more is known of this one.\n"
    )
    expected = [("anna@reader.example", "hard"), ("ben@reader.example", "unknown")]
    assert found(BOUNCE.format("X-Gateway: yes", body)) == ("bounce", expected)


def test_an_address_in_brackets_after_a_name_is_found():
    html = (
        "<p>Delivery has failed to these recipients:</p><p>Anna Example (anna@reader.example)</p>"
        "<p>#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##</p>"
    )
    text = BOUNCE.format("Content-Type: text/html", html)
    assert found(text) == ("bounce", [("anna@reader.example", "hard")])


def test_a_comment_after_an_address_is_not_part_of_it():
    report = REPORT.format(
        "Final-Recipient: rfc822; anna@reader.example (Anna Example)\nAction: failed\nStatus: 5.1.1"
    )
    assert found(report) == ("bounce", [("anna@reader.example", "hard")])


@pytest.mark.parametrize(
    ("action", "status", "kind"),
    [
        ("deliverable", "2.1.5", "delivered"),
        ("relayed", "2.0.0", "delivered"),
        ("expanded (to a list)", "2.0.0", "delivered"),
        ("failed", "2.0.0", "bounce"),
    ],
)
def test_success_is_not_a_bounce(action, status, kind):
    assert found(status_report(f"Action: {action}", f"Status: {status}"))[0] == kind


@pytest.mark.parametrize(
    ("category", "said", "verdict"),
    [
        ("bad-mailbox", "550 5.0.0 refused", "hard"),
        ("bad-domain", "no", "hard"),
        ("bad-mailbox", "552 mailbox full", "temporary"),
        ("inactive-mailbox", "554 refused", "temporary"),
        ("quota-issues", "550 refused", "temporary"),
        ("spam-related", "550 refused", "policy"),
        ("something-new", "550 refused", "unknown"),
    ],
)
def test_a_category_replaces_an_unspecific_status(category, said, verdict):
    report = status_report(
        "Action: failed",
        "Status: 5.0.0",
        f"Diagnostic-Code: smtp;{said}",
        f"X-PowerMTA-BounceCategory: {category}",
    )
    assert found(report) == ("bounce", [("anna@reader.example", verdict)])


def test_an_exact_status_outranks_a_category():
    report = status_report(
        "Action: failed", "Status: 4.4.1", "X-PowerMTA-BounceCategory: bad-mailbox"
    )
    assert found(report) == ("bounce", [("anna@reader.example", "temporary")])


def test_the_address_we_mailed_outranks_the_one_it_was_forwarded_to():
    report = status_report(
        "X-Actual-Recipient: rfc822; a99@inner.example",
        "Original-Recipient: rfc822;ann.a@reader.example",
        "Action: failed",
        "Status: 5.1.1",
    )
    assert found(report) == ("bounce", [("ann.a@reader.example", "hard")])


def test_a_local_name_is_not_an_address():
    report = REPORT.format(
        "Final-Recipient: LOCAL; anna\nX-Actual-Recipient: rfc822; anna@reader.example\n"
        "Action: failed\nStatus: 5.1.1"
    )
    assert found(report) == ("bounce", [("anna@reader.example", "hard")])
