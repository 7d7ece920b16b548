"""Which hosts are this machine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.web.http.middleware import is_loopback_host


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:80", "localhost", "LOCALHOST:1", "[::1]", "[::1]:8025"]
)
def test_this_machine(host: str) -> None:
    assert is_loopback_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        ":80",
        "localhost.evil.example",
        "a@localhost",
        "localhost/x",
        "localhost#",
        "[::1",
        "::1",
    ],
)
def test_not_this_machine(host: str) -> None:
    assert not is_loopback_host(host)


@given(st.text(max_size=40))
def test_any_text_gets_an_answer(host: str) -> None:
    is_loopback_host(host)


@given(st.from_regex(r"[a-z0-9.-]{1,20}", fullmatch=True))
def test_no_name_in_front_of_or_behind_it_passes(name: str) -> None:
    assert not is_loopback_host(f"{name}.localhost.example")
    assert not is_loopback_host(f"127.0.0.1.{name}")
