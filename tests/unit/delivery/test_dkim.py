"""DKIM: dkimpy verifies what is signed here, and refuses what is changed on the way."""

import asyncio
import base64
import re
from collections.abc import Sequence
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.delivery.model import Compose, Delivery, Journal, Outcome, Result
from newsletter.errors import InputError
from newsletter.render.model import Part, SlotKind
from newsletter.settings.model import Dkim
from newsletter.transports.dkim import DkimSigner, SigningTransport, load_signer
from tests.unit.delivery.issues import SENDER, compiled, composer, name, reader

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ED25519 = ed25519.Ed25519PrivateKey.generate()
Key = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
KEYS = pytest.mark.parametrize("key", [RSA, ED25519], ids=["rsa", "ed25519"])


def record(key: Key) -> bytes:
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return b"v=DKIM1; k=rsa; p=" + base64.b64encode(der)
    raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return b"v=DKIM1; k=ed25519; p=" + base64.b64encode(raw)


def verifies(data: bytes, key: Key) -> bool:
    def dns(where: bytes, timeout: int = 5) -> bytes:
        assert where == b"news1._domainkey.clinic.example."
        return record(key)

    return bool(dkim.verify(data, dnsfunc=dns))


def sign(data: bytes, key: Key) -> bytes:
    return DkimSigner("clinic.example", "news1", key)(data)


@KEYS
@settings(max_examples=60)
@given(first_name=st.text(max_size=90), subject=st.text(max_size=120), body=st.text(max_size=300))
def test_an_independent_verifier_accepts_any_content(
    key: Key, first_name: str, subject: str, body: str
) -> None:
    clean = re.sub("[\r\n\0\ud800-\udfff]", " ", subject)
    text = re.sub("[\ud800-\udfff]", "", body)
    issue = compiled(
        subject=Part((clean, "  !"), (name(SlotKind.TEXT),)),
        text=Part((text + "  \t", " \n .\n\n\n"), (name(SlotKind.TEXT),)),
        html=Part(("<p>" + text + " ", "  </p>\n\n\n"), (name(SlotKind.HTML),)),
    )
    data = composer(issue)(reader(first_name=first_name)).data
    signed = sign(data, key)
    assert signed.endswith(data)
    assert max(map(len, signed.split(b"\r\n"))) <= 998
    assert verifies(signed, key)


@KEYS
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Maria=", b"Marta="),
        (b"List-Unsubscribe: <https://clinic", b"List-Unsubscribe: <https://clinik"),
        (b"List-Unsubscribe-Post: List", b"List-Unsubscribe-Post: Last"),
        (b"Feedback-ID: ", b"Feedback-ID: x"),
        (b"To: reader1", b"To: reader2"),
        (b"Date: ", b"From: other@clinic.example\r\nDate: "),
    ],
)
def test_changes_on_the_way_break_the_signature(key: Key, old: bytes, new: bytes) -> None:
    signed = sign(composer(compiled())(reader()).data, key)
    assert verifies(signed, key)
    assert signed.count(old) >= 1
    assert not verifies(signed.replace(old, new, 1), key)


@KEYS
def test_every_important_field_is_signed(key: Key) -> None:
    signed = sign(composer(compiled())(reader()).data, key)
    listed = re.search(rb" h=([^;]*);", signed)
    assert listed
    names = re.sub(rb"\s", b"", listed.group(1)).decode().split(":")
    wanted = {
        *("from", "to", "subject", "date", "message-id", "mime-version", "content-type"),
        *("reply-to", "list-unsubscribe", "list-unsubscribe-post", "list-id", "feedback-id"),
    }
    assert set(names) == wanted
    assert names.count("from") == 2
    assert SENDER.reply_to


def pem(key: Key | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@KEYS
def test_the_key_comes_from_a_file_or_the_environment(key: Key, tmp_path: Path) -> None:
    (tmp_path / "dkim.pem").touch(0o600)
    (tmp_path / "dkim.pem").write_bytes(pem(key))
    from_file = Dkim(domain="clinic.example", selector="news1", key_file="dkim.pem")
    given = Dkim(domain="clinic.example", selector="news1", key=pem(key).decode())
    for wanted in (from_file, given):
        signer = load_signer(wanted, tmp_path)
        assert verifies(signer(composer(compiled())(reader()).data), key)
    assert "PRIVATE" not in repr(given)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot be read"),
        (b"no key", "not an unencrypted private key in PEM"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "neither RSA of 2,048 bits"),
        (pem(rsa.generate_private_key(65537, 1024)), "neither RSA of 2,048 bits"),
    ],
)
def test_unusable_keys_are_refused(tmp_path: Path, text: bytes | None, says: str) -> None:
    if text is not None:
        (tmp_path / "dkim.pem").touch(0o600)
        (tmp_path / "dkim.pem").write_bytes(text)
    wanted = Dkim(domain="clinic.example", selector="news1", key_file="dkim.pem")
    with pytest.raises(InputError, match=says):
        load_signer(wanted, tmp_path)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_keys_that_other_users_can_read_are_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "dkim.pem"
    path.write_bytes(pem(ed25519.Ed25519PrivateKey.generate()))
    path.chmod(mode)
    wanted = Dkim(domain="clinic.example", selector="news1", key_file="dkim.pem")
    with pytest.raises(InputError, match=rf"other users of this machine .*chmod 600 {path}"):
        load_signer(wanted, tmp_path)
    path.chmod(0o400)
    load_signer(wanted, tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"domain": "clinic.example", "key_file": "dkim.pem"},
        {"domain": "clinic.example", "selector": "news1"},
        {"domain": "clinic.example", "selector": "news1", "key_file": "k", "key": "k"},
        {"domain": "clinic.example; s=x", "selector": "news1", "key_file": "k"},
        {"domain": "clinic.example", "selector": "a b", "key_file": "k"},
    ],
)
def test_incomplete_settings_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"selector|String should match"):
        Dkim.model_validate(wrong)


class Keeper:
    """A transport that keeps its messages."""

    batch = 0

    def __init__(self) -> None:
        self.kept: list[bytes] = []
        self.closed = self.recalled = False

    def recall(self) -> None:
        self.recalled = True

    async def deliver(
        self, batch: Sequence[Delivery], compose: Compose, journal: Journal
    ) -> list[Outcome]:
        self.kept += [compose(delivery).data for delivery in batch]
        return [Outcome(delivery.position, Result.ACCEPTED) for delivery in batch]

    async def close(self) -> None:
        self.closed = True


class NoJournal:
    def begun(self, position: int) -> None:
        pass

    def replied(self, outcome: Outcome) -> None:
        pass


@KEYS
def test_a_transport_carries_signed_mail(key: Key) -> None:
    inside = Keeper()
    transport = SigningTransport(inside, DkimSigner("clinic.example", "news1", key))

    async def use() -> list[Outcome]:
        given = await transport.deliver([reader(1), reader(2)], composer(compiled()), NoJournal())
        transport.recall()
        await transport.close()
        return given

    assert [outcome.position for outcome in asyncio.run(use())] == [1, 2]
    assert [verifies(data, key) for data in inside.kept] == [True, True]
    assert inside.closed
    assert inside.recalled
