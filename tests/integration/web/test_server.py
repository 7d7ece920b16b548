"""A real server process, and a real POST over a socket."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from newsletter.errors import UnavailableError
from newsletter.web.http.server import background, free_port, serve
from newsletter.web.public.app import public_app
from tests.integration.web.conftest import KEYS, LEFT, PROJECT, Clinic

PROGRAM = """
import sys
from pathlib import Path
from newsletter.audience.keys import Keys
from newsletter.database.open import open_store
from newsletter.settings.load import load_settings
from newsletter.web.http.server import serve
from newsletter.web.public.app import public_app
settings = load_settings(Path("newsletter.toml"))
serve(public_app(open_store(settings), Keys(b"s" * 32, b"u" * 32), settings))
"""


@pytest.fixture
def server(clinic: Clinic, tmp_path: Path):
    environment = os.environ | {
        "NEWSLETTER_DATABASE_URL": clinic.settings.database_url,
        "NEWSLETTER_VAR_DIR": str(tmp_path),
        "PYTHONPATH": str(PROJECT),
    }
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_one_click_over_the_wire_then_a_graceful_stop(clinic: Clinic, server) -> None:
    line = server.stdout.readline()
    url = line.split()[1]
    assert url.startswith("http://127.0.0.1:")
    token = clinic.token()
    request = urllib.request.Request(f"{url}u/{token}", b"List-Unsubscribe=One-Click")
    with urllib.request.urlopen(request, timeout=120) as answer:
        assert answer.status == 200
        assert answer.url == f"{url}u/{token}"
        assert answer.headers["Set-Cookie"] is None
        assert answer.headers["Server"] is None
    assert clinic.standing()[0] == LEFT
    server.send_signal(signal.SIGINT)
    out, err = server.communicate(timeout=120)
    assert server.returncode == 0
    assert token not in out + err
    assert "Traceback" not in err


def test_a_taken_port_is_explained(clinic: Clinic) -> None:

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UnavailableError, match=f"port {port}"):
            serve(lambda *_: None, port=port)
        assert free_port() != port


def test_a_server_in_the_background_ends_with_its_context(clinic: Clinic) -> None:
    app = public_app(clinic.store, KEYS, clinic.settings)
    with background(app) as address, urllib.request.urlopen(f"{address}/health") as answer:
        assert answer.read() == b"ok"
    with background(app, int(address.rpartition(":")[2])) as again:
        assert again == address
