"""What every test starts from, whoever starts it: one environment, one profile, heeded signals."""

from __future__ import annotations

import os
import signal
import time

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True, max_examples=40, deadline=None, print_blob=True)
settings.register_profile("random", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

# What a shell or a build server sets changes colors, widths, dates and the settings themselves.
OF_THE_SHELL = {"CI", "COLUMNS", "FORCE_COLOR", "GITHUB_ACTIONS", "LINES", "NO_COLOR"}
OF_THE_SHELL |= {"LANG", "LANGUAGE", "SENDGRID_API_KEY", "SSL_CERT_FILE"}
for name in list(os.environ):
    if name in OF_THE_SHELL or name.upper().startswith(("NEWSLETTER_", "LC_")):
        del os.environ[name]
os.environ |= {"LC_ALL": "C.UTF-8", "TERM": "dumb", "TZ": "UTC"}
time.tzset()
os.umask(0o022)

HANDLED = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGHUP)}
IGNORED = [each for each, handler in HANDLED.items() if handler is signal.SIG_IGN]


@pytest.fixture(autouse=True)
def _signals() -> None:
    """Let no process that a test starts inherit that signals are ignored.

    `nohup make test &` ignores both, and so would every child. A handler that does nothing spares
    the tests as well, and a new program starts with the default instead. Event loops take handlers
    away when they end, hence before each test.
    """
    for each in IGNORED:
        signal.signal(each, lambda *_: None)
