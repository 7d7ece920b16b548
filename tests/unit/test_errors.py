"""Errors name the place, the cause and the next step."""

from newsletter.errors import InputError, NewsletterError, RefusedError, UsageError


def test_an_error_reads_like_a_compiler() -> None:
    error = InputError("unknown key `subjekt`", file="issues/x.md", line=3, fix="write `subject`")
    assert str(error) == "issues/x.md:3: unknown key `subjekt`  (write `subject`)"


def test_unknown_parts_are_left_out() -> None:
    assert str(RefusedError("no")) == "no"
    assert str(RefusedError("no", file="x.md")) == "x.md: no"


def test_exit_codes_follow_the_next_step() -> None:
    assert (NewsletterError.exit_code, UsageError.exit_code) == (1, 2)
