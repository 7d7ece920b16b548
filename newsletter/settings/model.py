"""Configuration as one model: every setting, its type and its default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SecretStr,
    StringConstraints,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from newsletter.loopback import is_loopback_url

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]
Color = Annotated[str, StringConstraints(pattern=r"^#[0-9A-Fa-f]{6}$")]
_TAG = r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*"
Language = Annotated[str, StringConstraints(pattern=f"^{_TAG}$")]
"""A language tag (RFC 5646): ``en``, ``es-MX``."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Phone(_Section):
    """A number readers can tap: ``label`` is shown, ``number`` is dialed (RFC 3966)."""

    label: str
    number: Annotated[str, StringConstraints(pattern=r"^\+[0-9]{6,15}$")]


class Publication(_Section):
    """Who publishes the newsletter, and where readers can find them."""

    name: str
    from_name: str
    from_address: str
    reply_to: str = ""
    list_id: str
    """RFC 2919 list identifier without angle brackets: ``news.clinic.example``."""
    public_url: Annotated[str, AfterValidator(lambda url: url.rstrip("/"))]
    """The public address of this program's pages, without a trailing slash."""
    postal_address: str
    join_url: str = ""
    """Where someone who was forwarded the mail can join. Empty: our own page, if there is one."""
    language: Language = "en"
    """The language of name, address and disclaimers, and of pages for readers whose own language
    is not available."""
    phones: tuple[Phone, ...] = ()
    default_disclaimer: str = ""


class Palette(_Section):
    """The colors of one scheme, as ``#RRGGBB``."""

    page: Color
    card: Color
    ink: Color
    secondary: Color
    accent: Color
    warm: Color
    notice: Color


class LightPalette(Palette):
    """The colors of the light scheme; each has its own default."""

    page: Color = "#F6F3EC"
    card: Color = "#FFFFFF"
    ink: Color = "#1B2A2F"
    secondary: Color = "#4A5B60"
    accent: Color = "#0B6B6B"
    warm: Color = "#A8431F"
    notice: Color = "#FBEFE7"


class DarkPalette(Palette):
    """The colors of the dark scheme; each has its own default."""

    page: Color = "#12191B"
    card: Color = "#1A2427"
    ink: Color = "#E8EFEF"
    secondary: Color = "#A9B8BB"
    accent: Color = "#6FD0CB"
    warm: Color = "#F2A882"
    notice: Color = "#2B2320"


class Theme(_Section):
    """The colors of mail and pages, light and dark."""

    light: LightPalette = LightPalette()
    dark: DarkPalette = DarkPalette()


class Smtp(_Section):
    """The relay that the `smtp` transport sends through (RFC 5321, RFC 6409)."""

    host: str = "127.0.0.1"
    # Submission (RFC 6409): many networks block port 25.
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    """``none`` is accepted for loopback hosts only."""
    username: str = ""
    password: SecretStr = SecretStr("")
    connections: Annotated[int, Field(ge=1, le=100)] = 8
    messages_per_connection: Annotated[int, Field(ge=1)] = 1000
    timeout: Annotated[float, Field(gt=0)] = 60.0
    """Seconds to wait for one reply."""
    # RFC 5321 section 4.5.3.2.6: giving up earlier makes a message `uncertain` that the server
    # may yet accept, after its spam filter.
    final_timeout: Annotated[float, Field(gt=0)] = 600.0
    """Seconds to wait for the reply to a complete message."""
    ca_file: str = ""
    """A PEM file of authorities to trust in addition to the system's."""


class Dkim(_Section):
    """The DKIM signature of mail over SMTP (RFC 6376). Without a domain it is not signed here."""

    domain: Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+)?$")] = ""
    selector: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]*$")] = ""
    """The public key is in DNS at ``{selector}._domainkey.{domain}``."""
    key_file: str = ""
    """A PEM file with an RSA or Ed25519 private key, relative to the project folder."""
    key: SecretStr = SecretStr("")
    """The PEM itself, instead of a file. Environment only."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        # Half a configuration would send unsigned mail that DMARC then has rejected.
        keys = bool(self.key_file) + bool(self.key.get_secret_value())
        if self.domain and not (self.selector and keys == 1):
            raise ValueError("a domain needs a selector, and either key_file or key")
        return self


class Sendgrid(_Section):
    """The account that the `sendgrid` transport sends through (v3 Mail Send API)."""

    host: str = "https://api.sendgrid.com"
    """EU regional subusers use ``https://api.eu.sendgrid.com``."""
    batch: Annotated[int, Field(ge=1, le=1000)] = 1000
    """Recipients per call; SendGrid accepts 1,000 at most."""
    concurrency: Annotated[int, Field(ge=1, le=50)] = 4
    """Concurrent calls."""
    timeout: Annotated[float, Field(gt=0)] = 60.0
    """Seconds to wait for a response. A call without one leaves its recipients `uncertain`."""
    sandbox: bool = False
    """SendGrid validates every call, and sends nothing."""
    webhook_key: str = ""
    """The public key that verifies the signed Event Webhook. Empty: the route does not exist."""

    @field_validator("host")
    @classmethod
    def _encrypted(cls, url: str) -> str:
        # Every call carries the API key and the addresses of readers.
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback_url(url)):
            raise ValueError("must start with https:// (http:// on this machine only)")
        if not parts.hostname or parts.path or parts.query or parts.username:
            raise ValueError("must be scheme and host only, without a trailing slash")
        return url


Folder = Annotated[str, StringConstraints(pattern=r"^[ !#-\[\]-~]+$", max_length=200)]


class Imap(_Section):
    """The mailbox that receives bounces and replies (RFC 9051, RFC 3501)."""

    host: str = ""
    port: Annotated[int, Field(ge=1, le=65535)] = 993
    security: Literal["tls", "starttls", "none"] = "tls"
    """``none`` is accepted for loopback hosts only."""
    username: str = ""
    password: SecretStr = SecretStr("")
    folder: Folder = "INBOX"
    """Folder names are spelled as the server lists them (modified UTF-7 if not ASCII)."""
    processed: Folder = "Processed"
    """Where to move mail that verifiably answers ours, and mail that nobody needs to see."""
    unverified: Folder = "Unverified"
    """Where to move mail that someone should look at: letters, and whatever proves nothing."""
    timeout: Annotated[float, Field(gt=0)] = 60.0
    """Seconds to wait for the server."""
    ca_file: str = ""
    """A PEM file of authorities to trust in addition to the system's."""

    @model_validator(mode="after")
    def _moves(self) -> Self:
        # Mail left in the folder would be read again and again.
        if self.folder in (self.processed, self.unverified):
            raise ValueError("processed and unverified must be other folders than folder")
        return self


class Topic(_Section):
    """A list that anyone may join: ``title`` is shown, ``titles`` in other languages."""

    list: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    title: str
    titles: dict[str, str] = {}


def _origin(url: str) -> str:
    # Compared with the Origin header, which has no path and no slash at its end.
    parts = urlsplit(url)
    if f"{parts.scheme}://{parts.netloc}" != url or not parts.hostname:
        raise ValueError("must be scheme and host only, as browsers send it: https://host")
    return url


class Join(_Section):
    """The sign-up page."""

    topics: tuple[Topic, ...] = ()
    """The lists to choose from. Without any there is no sign-up page."""
    allowed_origins: tuple[Annotated[str, AfterValidator(_origin)], ...] = ()
    """Other web sites whose pages may contain the form (RFC 6454 origins)."""
    welcome: bool = True
    """Whether new subscribers get a mail that says what to expect and how to unsubscribe."""


DomainRate = Annotated[float, Field(ge=0.02)]
"""Messages per second: at least one in 50 seconds, so that a campaign still ends."""


class Limits(_Section):
    """How fast mail may go out, over all workers together."""

    per_second: Annotated[float, Field(ge=0)] = 0.0
    """Messages per second over the transport. 0: no limit."""
    per_domain: dict[str, DomainRate] = {}
    """Messages per second to one recipient domain."""

    @field_validator("per_domain")
    @classmethod
    def _spelled_as_in_addresses(cls, rates: dict[str, float]) -> dict[str, float]:
        # Stored addresses have lowercase ASCII domains: any other spelling would never match.
        found: dict[str, float] = {}
        for written, rate in rates.items():
            domain = written.strip().removeprefix("@").lower()
            if not domain.isascii():
                import idna

                try:
                    domain = idna.encode(domain, uts46=True).decode("ascii")
                except idna.IDNAError:
                    raise ValueError(f"{written!r} is not a domain") from None
            # If two spellings are the same domain, the lower rate counts.
            found[domain] = min(rate, found.get(domain, rate))
        return found


class Canary(_Section):
    """The first recipients of a large audience: the rest are mailed once these have an outcome."""

    size: Annotated[int, Field(ge=0)] = 50
    """How many. 0: no canary."""
    above: Annotated[int, Field(ge=0)] = 1000
    """Only for audiences larger than this."""


class Hold(_Section):
    """When a campaign pauses automatically; each is counted within one chunk."""

    failures: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of attempted deliveries that failed or are uncertain. 0: never."""
    minimum: Annotated[int, Field(ge=1)] = 40
    """Attempted deliveries before the share counts: of three, one is no sign of anything."""
    policy: Annotated[int, Field(ge=0)] = 10
    """Replies that reject the sender rather than the recipient. 0: never."""


def _by_language(written: object) -> object:
    # A text without a language is in the publication's own.
    if isinstance(written, str):
        return {"": written}
    if isinstance(written, dict):
        return written
    raise ValueError("must be text, or a table of texts by language: en, es")


Disclaimer = Annotated[
    dict[Annotated[str, StringConstraints(pattern=f"^({_TAG})?$")], str],
    BeforeValidator(_by_language),
]
"""A disclaimer's text by language; "" is the publication's own."""


class MergeField(_Section):
    """A field that articles may use, filled from the subscriber's attribute of that name."""

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
    disclaimers: dict[Slug, Disclaimer] = {}
    merge_fields: dict[str, MergeField] = {}
    join: Join = Join()
    archive: Literal["off", "unlisted", "public"] = "off"
    """Whether sent issues are on the web: no, only with the address, or open to search engines."""
    transport: TransportName = "file"
    smtp: Smtp = Smtp()
    dkim: Dkim = Dkim()
    sendgrid: Sendgrid = Sendgrid()
    sendgrid_api_key: SecretStr = Field(SecretStr(""), validation_alias="SENDGRID_API_KEY")
    """Environment only, under the name that SendGrid's own documentation uses."""
    bounce_address: str = ""
    """Envelope sender, e.g. ``bounces@news.clinic.example``; each message adds its own ``+token``
    to the local part (VERP). Empty: bounces go to the From address."""
    imap: Imap = Imap()
    approvals: Annotated[int, Field(ge=1, le=2)] = 1
    limits: Limits = Limits()
    canary: Canary = Canary()
    hold: Hold = Hold()
    undo_window: Annotated[float, Field(ge=0)] = 0.0
    """Seconds after confirmation in which nothing is sent yet, and `cancel` costs nothing."""
    schedule_grace: Annotated[float, Field(gt=0)] = 3600.0
    """Seconds that a scheduled campaign may start late; after that someone has to resume it."""
    database_url: str = "sqlite:///var/newsletter.db"
    var_dir: Path = Path("var")
    log_file: str = ""
    """The log, as JSON lines, relative to the project folder. Empty: standard error."""
    log_level: Literal["", "info", "warning", "error"] = ""
    """The lowest level logged. Empty: ``info`` in a file, ``warning`` on standard error."""
    metrics: bool = False
    """Whether `/metrics` answers requests from other machines."""
    secret_key: SecretStr = SecretStr("")
    """Signs links. Environment only."""
    old_secret_keys: tuple[SecretStr, ...] = ()
    """Former signing keys, used to verify only. Environment only."""
    suppression_key: SecretStr = SecretStr("")
    """Hashes suppressed addresses. Environment only; must never change."""
    _notes: tuple[str, ...] = PrivateAttr(())
    root: Path = Path()
    """The project folder, which contains `newsletter.toml`. Set by `load_settings`."""

    @property
    def var(self) -> Path:
        """The folder of the database, keys, written messages and journals."""
        return self.root / self.var_dir

    @property
    def join_url(self) -> str:
        """Where someone can join; empty if nobody can."""
        own = f"{self.publication.public_url}/join" if self.join.topics else ""
        return self.publication.join_url or own

    @property
    def templates(self) -> Path:
        """The folder of templates."""
        return self.root / "templates"

    @model_validator(mode="wrap")
    @classmethod
    def _accept_former_names(cls, given: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Accept names from release 0.1, and leave a note for the operator."""
        if not (isinstance(given, dict) and given.get("transport") == "outbox"):
            return handler(given)
        settings = handler({**given, "transport": "file"})
        settings._notes = ('the transport "outbox" is now called "file": change newsletter.toml',)
        return settings

    @property
    def notes(self) -> tuple[str, ...]:
        """Settings that still work but should be changed."""
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
