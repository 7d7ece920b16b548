"""The checks of the public URL, over real TLS."""

import datetime as dt
from dataclasses import replace

import pytest

from newsletter.dns_checks.model import CheckStatus
from newsletter.dns_checks.resolver import Resolver
from newsletter.doctor.checks import CHECKS, run_checks
from newsletter.doctor.public_url import plain_http
from newsletter.errors import InputError, UnavailableError
from tests.integration.doctor.sample import sending
from tests.support.https_server import Answer, web_server
from tests.support.smtp_server import certificate

URL_CHECKS = ("certificate", "plain-http", "one-click", "unsubscribe-page")


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("tls"), dt.timedelta(days=60))


def findings(port, path=""):
    with sending(public_url=f"https://127.0.0.1:{port}{path}") as (sender, _):
        found = run_checks(sender)
    return {name: found[name] for name in URL_CHECKS}


def test_a_correct_server_is_fine(tls, monkeypatch):
    context, pem = tls
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    asked = []

    def respond(method, path, body):
        asked.append((method, path, body))
        return Answer()

    with web_server(respond, context) as port:
        found = findings(port, "/news")
    assert [finding.verdict for finding in found.values()] == ["ok", "skipped", "ok", "ok"]
    assert "59 days" in found["certificate"].seen
    assert sorted(asked) == [
        ("GET", "/news/u/proof", b""),
        ("GET", "/news/u/proof", b""),
        ("POST", "/news/u/proof", b"List-Unsubscribe=One-Click"),
    ]


@pytest.mark.parametrize(
    ("method", "answer", "check", "says"),
    [
        ("POST", Answer(302, {"Location": "/login"}), "one-click", "302"),
        ("POST", Answer(200, {"Set-Cookie": "a=b"}), "one-click", "cookie"),
        ("POST", Answer(404), "one-click", "404"),
        ("GET", Answer(302, {"Location": "/login"}), "unsubscribe-page", "302"),
        ("GET", Answer(200, {"Set-Cookie": "a=b"}), "unsubscribe-page", "cookie"),
        ("GET", Answer(500), "unsubscribe-page", "500"),
    ],
)
def test_an_answer_that_prevents_unsubscribing_is_a_problem(
    tls, monkeypatch, method, answer, check, says
):
    context, pem = tls
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with web_server(lambda asked, *_: answer if asked == method else Answer(), context) as port:
        found = findings(port)
    assert {name for name in URL_CHECKS if found[name].verdict == "problem"} == {check}
    assert says in found[check].seen


def test_a_page_that_changes_between_two_requests_is_a_problem(tls, monkeypatch):
    context, pem = tls
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    answers = {"GET": iter([Answer(200), Answer(404)]), "POST": iter([Answer(200)])}
    with web_server(lambda method, *_: next(answers[method]), context) as port:
        found = findings(port)
    assert "answers 200, then 404" in found["unsubscribe-page"].seen


def test_an_untrusted_certificate_is_a_problem(tls):
    with web_server(lambda *_: Answer(), tls[0]) as port:
        found = findings(port)
    assert found["certificate"].verdict == "problem"
    assert "not trusted" in found["certificate"].seen
    assert found["one-click"].verdict == "problem"


def test_a_certificate_that_expires_soon_is_a_warning(tmp_path, monkeypatch):
    context, pem = certificate(tmp_path, dt.timedelta(days=3, hours=1))
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with web_server(lambda *_: Answer(), context) as port:
        found = findings(port)["certificate"]
    assert (found.verdict, "3 days" in found.seen) == ("warning", True)


def test_an_unreachable_server_is_a_problem():
    with web_server(lambda *_: Answer()) as port:
        pass
    found = findings(port)
    assert {name for name in URL_CHECKS if found[name].verdict == "problem"} == {
        *("certificate", "one-click", "unsubscribe-page")
    }


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (Answer(301, {"Location": "https://news.clinic.example/"}), CheckStatus.OK),
        (Answer(301, {"Location": "http://news.clinic.example/"}), CheckStatus.WARNING),
        (Answer(200), CheckStatus.WARNING),
    ],
)
def test_plain_http_redirects_to_https(answer, verdict):
    with web_server(lambda *_: answer) as port:
        assert plain_http("127.0.0.1", port).verdict is verdict
    assert plain_http("127.0.0.1", port).verdict is CheckStatus.OK, "no longer served"


@pytest.mark.parametrize("url", ["http://news.clinic.example", "http://127.0.0.1:8025"])
@pytest.mark.parametrize("named", [True, False])
def test_a_url_without_https_is_reported_once(url, named):
    with sending(public_url=url) as (sender, _):
        asked = sender if named else replace(sender, resolver=Resolver())
        found = {name: CHECKS[name](asked) for name in URL_CHECKS[1:]}
        with pytest.raises(InputError, match="only post to https"):
            CHECKS["certificate"](asked)
    assert {finding.verdict for finding in found.values()} == {"skipped"}
    assert {finding.seen for finding in found.values()} == {
        "not checked: see the check certificate"
    }


def test_a_reserved_name_is_reported_once():
    with sending(public_url="https://news.clinic.example") as (sender, _):
        asked = replace(sender, resolver=Resolver())
        with pytest.raises(UnavailableError, match="reserved for examples"):
            CHECKS["certificate"](asked)
        assert {CHECKS[name](asked).verdict for name in URL_CHECKS[1:]} == {"skipped"}
