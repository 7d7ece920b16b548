"""Which addresses are taken, and which are the same."""

import email_validator
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.audience.address import address_hash, address_key, check_address, is_plain
from newsletter.audience.keys import Keys
from newsletter.errors import InputError

pieces = st.sampled_from([*"abzAZ019.-_+@ '\"!", "..", "xn--", "example", ".com", ".invalid", "é"])
nearly = st.lists(pieces, max_size=14).map("".join)
labels = st.text("aZ0-", min_size=1, max_size=64)
hosts = st.lists(labels, min_size=1, max_size=5).map(".".join)
addresses = st.builds("{}@{}".format, st.text("aZ9._+-'", max_size=70), hosts)


@given(nearly | addresses | st.emails())
@example("a" * 64 + "@clinic.example")
@example("a" * 65 + "@clinic.example")
@example("a@" + "b" * 63 + "." + "c" * 63 + "." + "d" * 63 + "." + "e" * 50 + ".example")
@example("a@ab--cd.example")
@example("a@xn--0.example")
@example("a@clinic.example\n")
def test_the_fast_path_is_a_subset_of_what_email_validator_accepts(email: str) -> None:
    if is_plain(email):
        judged = email_validator.validate_email(email, check_deliverability=False, strict=True)
        assert judged.ascii_email is not None
        assert judged.ascii_email.lower() == email.lower() == address_key(email)


def test_ordinary_addresses_take_the_fast_path() -> None:
    assert all(
        map(is_plain, ["Anna.Meyer+news@clinic.example", "a_b-c@mail.d1.invalid", "x@y.test"])
    )


@pytest.mark.parametrize(
    ("email", "reason"),
    [
        ("anna", "must have an @-sign"),
        ("anna@", "something after the @-sign"),
        ("@clinic.example", "something before the @-sign"),
        ("a b@clinic.example", "invalid characters"),
        ("a..b@clinic.example", "two periods in a row"),
        ("anna@clinic", "should have a period"),
        ("a" * 65 + "@clinic.example", "too long before the @-sign"),
        ("a@" + "b." * 125 + "example", "too long"),
        ("josé@clinic.example", "non-ASCII characters"),
        ('"a b"@clinic.example', "Quoting"),
        ("a@[192.0.2.1]", "bracketed IP"),
        ("Anna <a@clinic.example>", "display name"),
        ("a@printer.local", "special-use"),
        ("a@hidden.onion", "special-use"),
        ("a@clinic.example\r\nBcc: b@clinic.example", "invalid characters"),
    ],
)
def test_a_refused_address_comes_with_its_reason(email: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        check_address(email)


def test_an_address_is_kept_as_typed() -> None:
    assert check_address(" Anna.Meyer+News@Clinic.Example ") == "Anna.Meyer+News@Clinic.Example"
    assert check_address("O'Hara@clinic.example") == "O'Hara@clinic.example"


def test_an_international_domain_becomes_what_mail_servers_take() -> None:
    assert check_address("Anna@Bücher.example") == "Anna@xn--bcher-kva.example"
    assert address_key("ANNA@BÜCHER.EXAMPLE") == address_key("anna@xn--bcher-kva.example")


def test_dots_and_tags_make_a_different_address() -> None:
    assert len({address_key(f"{n}@mail.example") for n in ("ab", "a.b", "ab+x", "AB")}) == 3


@given(st.emails())
def test_the_key_of_a_key_is_the_key(email: str) -> None:
    assert address_key(address_key(email)) == address_key(email)


def test_hashes_depend_on_the_suppression_key_alone() -> None:
    mine = address_hash("a@b.example", Keys(b"s" * 32, b"x" * 32))
    assert len(mine) == 32
    assert mine == address_hash("a@b.example", Keys(b"t" * 32, b"x" * 32))
    assert mine != address_hash("a@b.example", Keys(b"s" * 32, b"y" * 32))
    assert mine != address_hash("b@b.example", Keys(b"s" * 32, b"x" * 32))
