"""Opening a session: TLS, login, extensions, and clear errors."""

import asyncio
import os
import socket
from dataclasses import replace

import pytest

from newsletter.delivery.model import Result
from newsletter.errors import InputError, RefusedError, UnavailableError
from newsletter.settings.model import Smtp
from newsletter.transports.smtp.transport import SmtpTransport
from tests.integration.smtp.sending import bench, deliveries, results
from tests.support.smtp_server import Fault, Server, certificate

LOGIN = {"username": "press@clinic.example", "password": "correct horse"}


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("tls"))


def send(server, batch=None, **settings):
    async def run():
        async with server:
            return await bench(server, **settings).send(batch or deliveries(5))

    return asyncio.run(run())


def refused(server, **settings):
    with pytest.raises(UnavailableError) as caught:
        send(server, **settings)
    assert f"127.0.0.1:{server.port}" in caught.value.message
    assert not server.received
    return f"{caught.value.message} {caught.value.fix}"


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize("mechanisms", ["PLAIN LOGIN", "LOGIN", "XOAUTH2 PLAIN"])
def test_tls_and_login_end_to_end(tls, security, mechanisms):
    context, pem = tls
    server = Server(
        tls=context,
        implicit_tls=security == "tls",
        login=(LOGIN["username"], LOGIN["password"]),
        mechanisms=mechanisms,
    )
    outcomes = send(server, security=security, ca_file=str(pem), **LOGIN)
    assert results(outcomes) == {"accepted": 5}
    assert set(server.logins) == {"PLAIN" if "PLAIN" in mechanisms else "LOGIN"}


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_faults_under_tls_have_the_same_outcomes(tls, security):
    context, pem = tls
    faults = [
        Fault("dot", drop="after", to="reader5@"),
        Fault("rcpt", "550 5.1.1 no such user", to="reader3@"),
        Fault("rcpt", drop="before", to="reader7@", times=1),
        Fault("body", after_bytes=100, to="reader9@"),
    ]
    server = Server(faults=faults, tls=context, implicit_tls=security == "tls")
    outcomes = send(server, deliveries(20), security=security, ca_file=str(pem))
    assert results(outcomes) == {"accepted": 17, "uncertain": 2, "failed": 1}


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_an_untrusted_certificate_is_refused_at_once(tls, security):
    server = Server(tls=tls[0], implicit_tls=security == "tls")
    message = refused(server, security=security)
    assert "not trusted" in message
    assert "smtp.ca_file" in message
    assert server.connections <= 1


def test_a_certificate_for_another_name_is_refused(tls):
    context, pem = tls

    async def run():
        async with Server(tls=context) as server:
            test = bench(server, host="localhost", security="starttls", ca_file=str(pem))
            with pytest.raises(UnavailableError, match="not trusted"):
                await test.send(deliveries(1))

    asyncio.run(run())


def test_a_server_without_starttls_gets_neither_mail_nor_password():
    server = Server(login=(LOGIN["username"], LOGIN["password"]))
    assert "STARTTLS" in refused(server, security="starttls", **LOGIN)
    assert not server.logins


def test_a_refused_starttls_ends_the_session(tls):
    server = Server([Fault("starttls", "454 4.7.0 not now")], tls=tls[0])
    assert "not now" in refused(server, security="starttls", **LOGIN)
    assert not server.logins


def test_replies_injected_before_tls_are_refused(tls):
    ahead = "220 2.0.0 go ahead\r\n250 injected"
    server = Server([Fault("starttls", ahead)], tls=tls[0])
    assert "before it was asked" in refused(
        server, security="starttls", ca_file=str(tls[1]), timeout=1.0
    )


@pytest.mark.parametrize("mechanisms", ["PLAIN", "LOGIN"])
def test_a_wrong_password_is_reported_at_once_with_the_setting(tls, mechanisms):
    context, pem = tls
    server = Server(tls=context, login=("press@clinic.example", "other"), mechanisms=mechanisms)
    message = refused(server, security="starttls", ca_file=str(pem), **LOGIN)
    assert "535" in message
    assert "NEWSLETTER_SMTP__PASSWORD" in message
    assert "correct horse" not in message
    assert server.connections == 1


def test_a_login_that_the_server_does_not_offer():
    assert "smtp.username" in refused(Server(), **LOGIN)


def test_a_server_that_rejects_us_is_contacted_once():
    server = Server([Fault("connect", "554 5.7.1 no service for you")])
    assert "no service for you" in refused(server)
    assert server.connections == 1


def test_an_unreachable_server_is_reported_with_host_port_and_cause():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    async def run():
        transport = SmtpTransport(Smtp(port=port, security="none"), backoff=0.001)
        with pytest.raises(UnavailableError) as caught:
            await transport.deliver(deliveries(3), lambda one: None, None)
        await transport.close()
        return caught.value

    error = asyncio.run(run())
    assert f"127.0.0.1:{port}" in error.message
    assert "smtp.port" in error.fix


def test_mail_never_leaves_the_machine_unencrypted():
    for host in ("relay.clinic.example", "192.0.2.1", "localhost.clinic.example"):
        with pytest.raises(RefusedError, match="unencrypted"):
            SmtpTransport(Smtp(host=host, security="none"))
    for host in ("127.0.0.1", "localhost", "::1"):
        SmtpTransport(Smtp(host=host, security="none"))


def test_an_invalid_ca_file(tmp_path):
    with pytest.raises(InputError, match="ca_file"):
        SmtpTransport(Smtp(host="relay.clinic.example", ca_file=str(tmp_path / "none.pem")))
    (tmp_path / "odd.pem").write_text("no certificate")
    with pytest.raises(InputError, match="ca_file"):
        SmtpTransport(Smtp(host="relay.clinic.example", ca_file=os.fspath(tmp_path / "odd.pem")))


def test_a_message_larger_than_the_server_accepts_fails_without_being_announced():
    server = Server(size=20_000)
    assert results(send(server)) == {"accepted": 5}
    server = Server(size=5_000)
    outcomes = send(server)
    assert {(one.result, one.status) for one in outcomes.values()} == {(Result.FAILED, "5.3.4")}
    assert not [verb for _, verb in server.commands if verb == "MAIL"]


@pytest.mark.parametrize("smtputf8", [True, False])
def test_an_international_local_part_needs_smtputf8(smtputf8):
    first, second = deliveries(2)
    server = Server(smtputf8=smtputf8)
    outcomes = send(server, [replace(first, email="müller@clinic.example"), second])
    assert outcomes[2].result is Result.ACCEPTED
    if smtputf8:
        assert ["müller@clinic.example"] in [one.rcpt_to for one in server.received]
    else:
        assert (outcomes[1].result, outcomes[1].status) == (Result.FAILED, "5.6.7")
        assert "SMTPUTF8" in outcomes[1].reply


def test_an_international_domain_is_sent_as_ascii():
    (one,) = deliveries(1)
    server = Server()
    outcomes = send(server, [replace(one, email="reader@bücher.example")])
    assert results(outcomes) == {"accepted": 1}
    assert server.received[0].rcpt_to == ["reader@xn--bcher-kva.example"]


@pytest.mark.parametrize(
    "address",
    ["a@b.example>\r\nRCPT TO:<c@d.example", "a b@c.example", "a@b@c.example", "none", "a@", ""],
)
def test_an_invalid_address_never_reaches_the_server(address):
    first, second = deliveries(2)
    server = Server()
    outcomes = send(server, [replace(first, email=address), second])
    assert outcomes[1].result is Result.FAILED
    assert outcomes[2].result is Result.ACCEPTED
    assert len(server.received) == 1
