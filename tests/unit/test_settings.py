"""Settings: the file, the environment, and the table that documents them."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from newsletter.errors import InputError
from newsletter.settings.load import load_settings
from newsletter.settings.model import Settings
from newsletter.settings.names import SECRETS

ROOT = Path(__file__).parents[2]
MINIMAL = """
[publication]
name = "N"
from_name = "N"
from_address = "n@clinic.example"
list_id = "n.clinic.example"
public_url = "https://news.clinic.example"
postal_address = "1 Street"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "newsletter.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_example_publication_loads() -> None:
    settings = load_settings(ROOT / "newsletter.toml")
    assert settings.transport == "file"
    assert settings.publication.phones[0].number == "+18003009300"


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEWSLETTER_SMTP__PORT", "2525")
    monkeypatch.setenv("NEWSLETTER_TRANSPORT", "smtp")
    path = write(tmp_path, MINIMAL + '[smtp]\nhost = "relay.example"\nport = 25\n')
    settings = load_settings(path)
    assert (settings.transport, settings.smtp.host, settings.smtp.port) == (
        "smtp",
        "relay.example",
        2525,
    )
    assert settings.root == tmp_path.resolve()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense", "not valid TOML"),
        ("[publication]\nname = 3\n", "publication"),
        (MINIMAL + 'colour = "red"\n', "publication.colour"),
        (MINIMAL + '[theme.light]\ninky = "#000000"\n', "theme.light"),
        ('transport = "pigeon"\n' + MINIMAL, "transport"),
        ('secret_key = "x"\n' + MINIMAL, "secret"),
        (MINIMAL + '[smtp]\npassword = "x"\n', "secret"),
    ],
)
def test_an_invalid_file_is_named_with_the_cause(tmp_path: Path, text: str, says: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load_settings(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            'transprot = "smtp"\n' + MINIMAL,
            ":1: unknown setting 'transprot'  (did you mean transport?)",
        ),
        (
            MINIMAL.replace('postal_address = "1 Street"', ""),
            ":2: publication.postal_address is missing  (add to [publication]: postal_address =",
        ),
        (
            MINIMAL + "\n[publicaton]\n",
            ":10: unknown setting 'publicaton'  (did you mean publication",
        ),
        ('host = "a.example"\n' + MINIMAL, "did you mean smtp.host or sendgrid.host or imap.host?"),
        ('root = "/"\n' + MINIMAL, ":1: unknown setting 'root'"),
        (
            MINIMAL + '[smtp]\nsecurity = "ssl"\n',
            ":10: smtp.security must be starttls, tls or none",
        ),
        ('transport = "pigeon"\n' + MINIMAL, ":1: transport must be file, smtp or sendgrid"),
        ('log_level = "debug"\n' + MINIMAL, "log_level must be info, warning or error"),
        (MINIMAL + '[theme.light]\npage = "red"\n', ":10: theme.light.page must be a color"),
        (MINIMAL + "[smtp]\n# port = 1\nport = 0\n", ":11: smtp.port must be at least 1"),
        (
            MINIMAL + '[[join.topics]]\nlist = "a"\ntitle = "A"\n[[join.topics]]\nlist = "b"\n',
            ":12: join.topics, entry 2: title is missing",
        ),
        (
            MINIMAL + 'phones = [\n{ label = "x", number = "12" } ]\n',
            ":9: publication.phones, entry 1: number must be a number in international form",
        ),
        (MINIMAL + '[disclaimers]\n"Two Words" = "x"\n', "must be lowercase letters, digits and"),
        (MINIMAL + '[disclaimers]\na = """\nport = 1\n"""\n[smtp]\nport = "x"\n', ":14: smtp.port"),
        (
            MINIMAL + "[disclaimers]\na = 3\n",
            ":10: disclaimers.a: must be text, or a table of texts by language",
        ),
        (
            MINIMAL + '[disclaimers.a]\n"spanish!" = "x"\n',
            "must be a language, like es or es-MX",
        ),
        (MINIMAL + "[disclaimers.a]\nes = 3\n", ":10: disclaimers.a.es must be text"),
        (
            MINIMAL + 'language = "English (US)"\n',
            ":9: publication.language must be a language, like es or es-MX",
        ),
        ("smtp = 3\n" + MINIMAL, ":1: smtp must be a table"),
        (MINIMAL + "[smtp]\nport == 1\n", ":10: not valid TOML"),
        (MINIMAL + '[smtp]\npassword = "x"\n', ":10: smtp.password is a secret"),
        (MINIMAL + '[smtp]\npassword = "x"\n', "set NEWSLETTER_SMTP__PASSWORD in the environment"),
        ('SENDGRID_API_KEY = "x"\n' + MINIMAL, "set SENDGRID_API_KEY in the environment"),
    ],
)
def test_an_invalid_setting_is_explained_with_its_line(
    tmp_path: Path, text: str, says: str
) -> None:
    with pytest.raises(InputError) as caught:
        load_settings(write(tmp_path, text))
    assert says in str(caught.value)


def test_each_color_has_its_own_default(tmp_path: Path) -> None:
    light = load_settings(write(tmp_path, MINIMAL)).theme.light
    for name in type(light).model_fields:
        text = f'{MINIMAL}[theme.light]\n{name} = "#123456"\n'
        theme = load_settings(write(tmp_path, text)).theme
        assert theme.light == light.model_copy(update={name: "#123456"})
        assert theme.dark == type(theme.dark)()


def test_a_disclaimer_is_a_text_or_one_for_each_language(tmp_path: Path) -> None:
    text = MINIMAL + '[disclaimers]\na = "A"\n[disclaimers.b]\nen = "B"\nes-MX = "Be"\n'
    found = load_settings(write(tmp_path, text)).disclaimers
    assert found == {"a": {"": "A"}, "b": {"en": "B", "es-MX": "Be"}}


def test_a_domain_rate_applies_to_every_spelling(tmp_path: Path) -> None:
    rates = '{ "Mail.Example" = 2, "mail.example" = 1, "@Bücher.example" = 3 }'
    settings = load_settings(write(tmp_path, f"{MINIMAL}[limits]\nper_domain = {rates}\n"))
    assert settings.limits.per_domain == {"mail.example": 1, "xn--bcher-kva.example": 3}
    with pytest.raises(InputError, match="is not a domain"):
        load_settings(write(tmp_path, f'{MINIMAL}[limits]\nper_domain = {{ "ü..x" = 1 }}\n'))


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--config"):
        load_settings(tmp_path / "newsletter.toml")


def test_secrets_are_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWSLETTER_SECRET_KEY", "very-secret-value")
    monkeypatch.setenv("NEWSLETTER_SMTP__PASSWORD", "very-secret-value")
    settings = load_settings(write(tmp_path, MINIMAL))
    assert "very-secret-value" not in repr(settings)


def test_secrets_are_recognized_by_their_type() -> None:
    assert sorted(SECRETS) == [
        "dkim.key",
        "imap.password",
        "old_secret_keys",
        "secret_key",
        "sendgrid_api_key",
        "smtp.password",
        "suppression_key",
    ]


def names(model: type[BaseModel], prefix: str = "") -> set[str]:
    found = set()
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found |= names(kind, f"{prefix}{name}.")
        else:
            found.add(f"{prefix}{name}")
    return found - {"root", "disclaimers", "merge_fields"}


def test_every_setting_is_documented_and_every_documented_setting_exists() -> None:
    table = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]+`) \|", table, flags=re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`([a-z_.A-Z]+)`", row)}
    placeholders = {"disclaimers.NAME", "merge_fields.NAME.sample"}
    assert documented - placeholders == names(Settings)
    assert placeholders <= documented


def test_the_former_name_of_the_file_transport_still_works(tmp_path: Path) -> None:
    path = tmp_path / "newsletter.toml"
    path.write_text('transport = "outbox"\n' + MINIMAL)
    settings = load_settings(path)
    assert settings.transport == "file"
    assert settings.notes == (
        'the transport "outbox" is now called "file": change newsletter.toml',
    )
