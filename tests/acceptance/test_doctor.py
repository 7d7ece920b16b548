"""`send.py doctor` as a process, with its own nameserver and web server."""

from __future__ import annotations

import datetime as dt
import http.client
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from newsletter.dns_checks.dkim import dkim_record
from tests.acceptance.conftest import GIVE_UP_S, Project
from tests.integration.doctor.sample import BOUNCES, IP, ZONE, zone_text
from tests.support.dns_server import dns_server
from tests.support.https_server import Answer, Respond, web_server
from tests.support.smtp_server import certificate


def test_the_sample_publication_cannot_be_checked(project: Project) -> None:
    said = project.run("doctor", exit_code=1)
    assert "clinic.example is reserved for examples (RFC 2606)" in said
    assert said.count("public_url is http://127.0.0.1:8025: mail programs only") == 1
    assert "unknown" in said
    assert "\x1b[" not in said


def test_wrong_usage(project: Project) -> None:
    assert "not an IP address" in project.run("doctor", "--ip", "mail", exit_code=2)
    assert "not a nameserver" in project.run("doctor", "--nameserver", "mail", exit_code=2)


def front(served: str) -> Respond:
    """A reverse proxy in front of `send.py serve`."""
    address = urlsplit(served).netloc

    def respond(method: str, path: str, body: bytes) -> Answer:
        connection = http.client.HTTPConnection(address, timeout=GIVE_UP_S)
        connection.request(method, path, body or None)
        answer = connection.getresponse()
        page = answer.read()
        connection.close()
        cookie = answer.headers["Set-Cookie"]
        return Answer(answer.status, {"Set-Cookie": cookie} if cookie else {}, page)

    return respond


def ready(project: Project, folder: Path) -> dict[str, str]:
    """Settings for a real sender, and its zone."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (project.folder / "dkim.pem").touch(0o600)
    (project.folder / "dkim.pem").write_bytes(pem)
    project.environment.update(
        {
            "NEWSLETTER_TRANSPORT": "smtp",
            "NEWSLETTER_BOUNCE_ADDRESS": f"b@{BOUNCES}",
            "NEWSLETTER_DKIM": '{"domain": "clinic.example", "selector": "news1",'
            ' "key_file": "dkim.pem"}',
        }
    )
    return {**ZONE, "news1._domainkey.clinic.example TXT": f'"{dkim_record(key)}"'}


def test_a_correct_sender_is_fine(project: Project, tmp_path: Path) -> None:
    zone = ready(project, tmp_path)
    context, pem = certificate(tmp_path, dt.timedelta(days=60))
    serving = project.start("serve", "--port", "0")
    assert serving.stdout
    served = serving.stdout.readline().split()[1]
    try:
        with web_server(front(served), context) as port, dns_server(zone_text(zone)) as names:
            project.environment["SSL_CERT_FILE"] = str(pem)
            text = (project.folder / "newsletter.toml").read_text(encoding="utf-8")
            url = f"https://127.0.0.1:{port}"
            changed = text.replace("http://127.0.0.1:8025", url)
            (project.folder / "newsletter.toml").write_text(changed, encoding="utf-8")
            options = ("--ip", IP, "--helo", "mail.clinic.example", "--nameserver", names.address)
            result = project.json("doctor", *options)
            assert result["fine"]
            verdicts = {found["check"]: found["verdict"] for found in result["checks"]}
            assert {name for name, verdict in verdicts.items() if verdict != "ok"} == {
                *("sendgrid", "plain-http")
            }
            assert "12 ok, 2 skipped" in project.run("doctor", *options)
    finally:
        serving.terminate()
        serving.communicate(timeout=GIVE_UP_S)


def test_a_problem_exits_with_1(project: Project, tmp_path: Path) -> None:
    zone = ready(project, tmp_path) | {f"{BOUNCES} TXT": '"v=spf1 +all"'}
    del zone["_dmarc.clinic.example TXT"]
    with dns_server(zone_text(zone)) as names:
        result = project.json("doctor", "--nameserver", names.address, exit_code=1)
    found = {entry["check"]: entry for entry in result["checks"]}
    assert found["spf"]["verdict"] == "warning"
    assert found["dmarc"]["fix"].startswith('publish: _dmarc.clinic.example. TXT "v=DMARC1;')
