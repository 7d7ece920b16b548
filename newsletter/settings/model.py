"""Configuration as one model: every setting, its type and its default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SecretStr,
    StringConstraints,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from newsletter.loopback import is_loopback_url

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]
Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9A-Fa-f]{6}$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Phone(_Section):
    """A number a reader can tap: ``label`` is shown, ``number`` is dialled (RFC 3966)."""

    label: str
    number: Annotated[str, StringConstraints(pattern=r"^\+[0-9]{6,15}$")]


class Publication(_Section):
    """Who is writing, and where readers can find them."""

    name: str
    from_name: str
    from_address: str
    reply_to: str = ""
    list_id: str
    """RFC 2919 list identifier without angle brackets: ``news.clinic.example``."""
    public_url: Annotated[str, AfterValidator(lambda url: url.rstrip("/"))]
    """Where readers reach this program's pages, without a trailing slash."""
    postal_address: str
    join_url: str = ""
    """Where a person who was forwarded the mail can join; empty means our own page, if it is on."""
    language: Literal["en", "es"] = "en"
    """Of pages, where a reader's own language is none that we have."""
    phones: tuple[Phone, ...] = ()
    default_disclaimer: str = ""


class Palette(_Section):
    """Colours of one scheme, as ``#RRGGBB``."""

    page: Colour
    card: Colour
    ink: Colour
    secondary: Colour
    accent: Colour
    warm: Colour
    notice: Colour


class Theme(_Section):
    """Colours of mail and pages, light and dark."""

    light: Palette = Palette(
        page="#F6F3EC",
        card="#FFFFFF",
        ink="#1B2A2F",
        secondary="#4A5B60",
        accent="#0B6B6B",
        warm="#A8431F",
        notice="#FBEFE7",
    )
    dark: Palette = Palette(
        page="#12191B",
        card="#1A2427",
        ink="#E8EFEF",
        secondary="#A9B8BB",
        accent="#6FD0CB",
        warm="#F2A882",
        notice="#2B2320",
    )


class Smtp(_Section):
    """The relay that the `smtp` transport hands mail to (RFC 5321, RFC 6409)."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    """``none`` is accepted for loopback hosts only."""
    username: str = ""
    password: SecretStr = SecretStr("")
    connections: Annotated[int, Field(ge=1, le=100)] = 8
    messages_per_connection: Annotated[int, Field(ge=1)] = 1000
    timeout: Annotated[float, Field(gt=0)] = 60.0
    """Seconds to wait for one reply."""
    final_timeout: Annotated[float, Field(gt=0)] = 600.0
    """Seconds to wait for the reply to a whole message (RFC 5321 section 4.5.3.2.6: 10 minutes)."""
    ca_file: str = ""
    """A PEM file to trust besides the system's authorities."""


class Dkim(_Section):
    """Who signs the mail that goes over SMTP (RFC 6376). Without a domain it is not signed here."""

    domain: Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+)?$")] = ""
    selector: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]*$")] = ""
    """The public key stands in DNS at ``{selector}._domainkey.{domain}``."""
    key_file: str = ""
    """A private key in PEM, RSA or Ed25519, from the project's folder."""
    key: SecretStr = SecretStr("")
    """The same, in place of a file. Environment only."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        keys = bool(self.key_file) + bool(self.key.get_secret_value())
        if self.domain and not (self.selector and keys == 1):
            raise ValueError("with a domain go a selector, and either key_file or key")
        return self


def _encrypted(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback_url(url)):
        raise ValueError("must start with https:// (http:// on this machine only)")
    if not parts.hostname or parts.path or parts.query or parts.username:
        raise ValueError("must be scheme and host alone, without a trailing slash")
    return url


class Sendgrid(_Section):
    """The account that the `sendgrid` transport hands mail to (its v3 Mail Send API)."""

    host: Annotated[str, AfterValidator(_encrypted)] = "https://api.sendgrid.com"
    """EU regional subusers have ``https://api.eu.sendgrid.com``."""
    batch: Annotated[int, Field(ge=1, le=1000)] = 1000
    """Readers in one call; SendGrid takes 1,000 at most."""
    concurrency: Annotated[int, Field(ge=1, le=50)] = 4
    """Calls at once."""
    timeout: Annotated[float, Field(gt=0)] = 60.0
    """Seconds to wait for an answer."""
    sandbox: bool = False
    """SendGrid checks every call, and sends nothing."""
    webhook_key: str = ""
    """The public key that verifies its signed Event Webhook; empty: there is no such route."""


Folder = Annotated[str, StringConstraints(pattern=r"^[ !#-\[\]-~]+$", max_length=200)]


class Imap(_Section):
    """The mailbox that bounces and answers arrive in (RFC 9051, RFC 3501)."""

    host: str = ""
    port: Annotated[int, Field(ge=1, le=65535)] = 993
    security: Literal["tls", "starttls", "none"] = "tls"
    """``none`` is accepted for loopback hosts only."""
    username: str = ""
    password: SecretStr = SecretStr("")
    folder: Folder = "INBOX"
    """Folder names are written as the server lists them (modified UTF-7 where not ASCII)."""
    processed: Folder = "Processed"
    """Where mail goes that proved to answer ours, and what no person needs to see."""
    unverified: Folder = "Unverified"
    """Where mail goes that a person should look at: letters, and what proves nothing."""
    timeout: Annotated[float, Field(gt=0)] = 60.0
    """Seconds to wait for the server."""
    ca_file: str = ""
    """A PEM file to trust besides the system's authorities."""

    @model_validator(mode="after")
    def _moves(self) -> Self:
        if self.folder in (self.processed, self.unverified):
            raise ValueError("what was read needs another folder than the one that is read")
        return self


class Topic(_Section):
    """A list that anybody may join: ``title`` is shown, ``titles`` in other languages."""

    list: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    title: str
    titles: dict[str, str] = {}


def _origin(url: str) -> str:
    parts = urlsplit(url)
    if f"{parts.scheme}://{parts.netloc}" != url or not parts.hostname:
        raise ValueError("must be scheme and host alone, as browsers send it: https://host")
    return url


class Join(_Section):
    """The page on which readers join by themselves."""

    topics: tuple[Topic, ...] = ()
    """What can be joined; none: there is no such page."""
    allowed_origins: tuple[Annotated[str, AfterValidator(_origin)], ...] = ()
    """Other web sites whose pages may hold the form (RFC 6454 origins)."""
    welcome: bool = True
    """Whether who has just joined gets a letter that says what they will get, and how to leave."""


AtLeastSlowest = Annotated[float, Field(ge=0.02)]


def _as_in_addresses(rates: dict[str, float]) -> dict[str, float]:
    """Domains as addresses are kept: small letters, ASCII. Of two for one the slower counts."""
    found: dict[str, float] = {}
    for written, rate in rates.items():
        domain = written.strip().removeprefix("@").lower()
        if not domain.isascii():
            import idna

            try:
                domain = idna.encode(domain, uts46=True).decode("ascii")
            except idna.IDNAError:
                raise ValueError(f"{written!r} is no domain") from None
        found[domain] = min(rate, found.get(domain, rate))
    return found


class Limits(_Section):
    """How fast mail may go out, over all workers together."""

    per_second: Annotated[float, Field(ge=0)] = 0.0
    """Messages per second over the transport; 0: as fast as it goes."""
    per_domain: Annotated[dict[str, AtLeastSlowest], AfterValidator(_as_in_addresses)] = {}
    """Messages per second to one recipient domain."""


class Canary(_Section):
    """The first few of a large audience, who have their outcome before anybody else is mailed."""

    size: Annotated[int, Field(ge=0)] = 50
    """How many; 0: nobody goes first."""
    above: Annotated[int, Field(ge=0)] = 1000
    """Only in audiences of more than this."""


class Hold(_Section):
    """When a campaign pauses by itself; each counts within one chunk."""

    failures: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of what went out that failed or is uncertain; 0: never."""
    minimum: Annotated[int, Field(ge=1)] = 40
    """How many must have gone out before the share means anything."""
    policy: Annotated[int, Field(ge=0)] = 10
    """Replies that refuse the sender, not the reader; 0: never."""


class MergeField(_Section):
    """A field an article may use, filled from the reader's column or attribute of that name."""

    sample: str = ""
    """Shown in previews and test mails."""


TransportName = Literal["file", "memory", "smtp", "sendgrid"]


class Settings(BaseSettings):
    """Everything that can be set, in `newsletter.toml` or the environment."""

    model_config = SettingsConfigDict(
        env_prefix="NEWSLETTER_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    publication: Publication
    theme: Theme = Theme()
    disclaimers: dict[Slug, str] = {}
    merge_fields: dict[str, MergeField] = {}
    join: Join = Join()
    archive: Literal["off", "unlisted", "public"] = "off"
    """Whether sent issues stand on the web: not, for who has the address, or for search engines."""
    transport: TransportName = "file"
    smtp: Smtp = Smtp()
    dkim: Dkim = Dkim()
    sendgrid: Sendgrid = Sendgrid()
    sendgrid_api_key: SecretStr = Field(SecretStr(""), validation_alias="SENDGRID_API_KEY")
    """Environment only, under the name that SendGrid's own documents use."""
    bounce_address: str = ""
    """Envelope sender for bounces, e.g. ``bounces@news.clinic.example``; each message adds its own
    ``+token`` to the local part (VERP). Empty: the From address receives bounces."""
    imap: Imap = Imap()
    approvals: Annotated[int, Field(ge=1, le=2)] = 1
    limits: Limits = Limits()
    canary: Canary = Canary()
    hold: Hold = Hold()
    undo_window: Annotated[float, Field(ge=0)] = 0.0
    """Seconds after the confirmation in which nothing goes out and calling off costs nothing."""
    schedule_grace: Annotated[float, Field(gt=0)] = 3600.0
    """Seconds that a scheduled campaign may be late; after that it waits for a person."""
    database_url: str = "sqlite:///var/newsletter.db"
    var_dir: Path = Path("var")
    log_file: str = ""
    """Where JSON lines of what happens go, from the project's folder; empty: standard error."""
    log_level: Literal["", "info", "warning", "error"] = ""
    """The least that is logged; empty: ``info`` in a file, ``warning`` on standard error."""
    metrics: bool = False
    """Whether `/metrics` answers others than this machine."""
    secret_key: SecretStr = SecretStr("")
    """Signs links. Environment only."""
    old_secret_keys: tuple[SecretStr, ...] = ()
    """Former signing keys: still verified, never signed with. Environment only."""
    suppression_key: SecretStr = SecretStr("")
    """Hashes suppressed addresses. Environment only; never changed."""
    _notes: tuple[str, ...] = PrivateAttr(())
    root: Path = Path()
    """The project's folder: where `newsletter.toml` lies. Set by `load_settings`."""

    @property
    def var(self) -> Path:
        """Where the database, keys, outbox and journals live."""
        return self.root / self.var_dir

    @property
    def join_url(self) -> str:
        """Where a person can join; empty where they cannot."""
        own = f"{self.publication.public_url}/join" if self.join.topics else ""
        return self.publication.join_url or own

    @property
    def templates(self) -> Path:
        """The folder of templates."""
        return self.root / "templates"

    @model_validator(mode="wrap")
    @classmethod
    def _accept_former_names(cls, given: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Take what release 0.1 called otherwise, and leave a note for whoever runs the command."""
        if not (isinstance(given, dict) and given.get("transport") == "outbox"):
            return handler(given)
        settings = handler({**given, "transport": "file"})
        settings._notes = ('the transport "outbox" is called "file" now: change newsletter.toml',)
        return settings

    @property
    def notes(self) -> tuple[str, ...]:
        """What should be changed in the settings, though it works."""
        return self._notes

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, so that a server can override a checkout."""
        return env_settings, init_settings
