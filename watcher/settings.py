"""The sections and keys of the configuration and their defaults.

Nothing is read from outside except the admin token's file. Whether a network or an asset exists is
for the daemon to say, which knows them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from chains.base import EndpointSettings, Traces
from watcher import shapes

SHORTEST_TOKEN = 16


class Section(BaseModel):
    """A table: strict, closed, unchangeable, and silent about the values it refuses."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class Server(Section):
    """Where the API listens."""

    host: shapes.Text = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    public_url: shapes.PublicUrl | None = None
    trusted_proxies: list[shapes.IpBlock] = []
    cors_origins: list[shapes.Origin] = []


class Database(Section):
    """Where everything is kept."""

    url: shapes.DatabaseUrl = SecretStr("sqlite:///watcher.db")
    migrate: bool = True


class Admin(Section):
    """The administrator's token. `token` holds it, also where it came from `token_file`."""

    token_file: shapes.FilePath | None = None
    token: SecretStr = Field(default=SecretStr(""), validate_default=True)

    @field_validator("token")
    @classmethod
    def _find_token(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        token = value.get_secret_value()
        file: Path | None = info.data.get("token_file")
        if file is None and not token:
            raise ValueError("required, or token_file, or WATCHER_ADMIN__TOKEN in the environment")
        if file is not None and token:
            raise ValueError("set only one of token and token_file")
        return SecretStr(_strong(token if file is None else _read_token(file)))


def _read_token(file: Path) -> str:
    try:
        return file.read_text("ascii").strip()
    except OSError as error:
        raise ValueError(f"token_file {file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"token_file {file} must hold printable ASCII text") from None


def _strong(token: str) -> str:
    if not re.fullmatch(rf"[\x21-\x7e]{{{SHORTEST_TOKEN},}}", token):
        raise ValueError(f"must be at least {SHORTEST_TOKEN} ASCII characters without spaces")
    return token


class Secrets(Section):
    """What seals the signing secrets in the database."""

    key_file: shapes.FilePath


class Endpoint(Section):
    """One URL of a network. URL and headers may carry keys."""

    name: shapes.EndpointName
    url: shapes.EndpointUrl
    requests_per_second: shapes.AtLeastOne | None = None
    daily_requests: shapes.AtLeastOne | None = None
    headers: dict[shapes.HeaderName, shapes.HeaderValue] = {}
    solidity_url: shapes.EndpointUrl | None = None

    def reveal(self) -> EndpointSettings:
        """The same for a chain client, its secrets in the clear."""
        return EndpointSettings(
            name=self.name,
            url=self.url.get_secret_value(),
            requests_per_second=self.requests_per_second,
            daily_requests=self.daily_requests,
            headers={name: value.get_secret_value() for name, value in self.headers.items()},
            solidity_url=self.solidity_url.get_secret_value() if self.solidity_url else None,
        )


class Token(Section):
    """A token contract to watch beside the network's listed assets."""

    symbol: shapes.Text
    address: shapes.Text
    decimals: Annotated[int, Field(ge=0, le=77)]


class Tier(Section):
    """More confirmations for invoices with a higher price."""

    above: shapes.Amount
    currency: shapes.Currency
    confirmations: shapes.Confirmations


class NetworkSettings(Section):
    """One network. None stands for the network's own default."""

    enabled: bool = True
    endpoints: list[Endpoint] = Field(default=[], validate_default=True)
    chain_id: shapes.AtLeastOne | None = None
    genesis_hash: shapes.BlockHash | None = None
    confirmations: shapes.Confirmations | None = None
    confirmation_tiers: list[Tier] = []
    assets: list[shapes.Text] | None = None
    tokens: list[Token] = []
    poll_seconds: shapes.AtLeastOne | None = None
    start_block: shapes.StartBlock = "head"
    agreement: shapes.Agreement = "auto"
    reorg_limit: Annotated[int, Field(ge=2)] | None = None
    second_source: Literal["required", "preferred", "off"] | None = None
    finality_depth: shapes.AtLeastOne | None = None
    hedge_after_ms: Annotated[int, Field(ge=0)] = 0
    traces: Traces | None = None

    @field_validator("endpoints")
    @classmethod
    def _check_endpoints(cls, value: list[Endpoint], info: ValidationInfo) -> list[Endpoint]:
        if info.data.get("enabled") and not value:
            raise ValueError("an enabled network needs at least one endpoint")
        _refuse_twins([endpoint.name for endpoint in value])
        urls = [endpoint.url.get_secret_value().rstrip("/").lower() for endpoint in value]
        if len(set(urls)) < len(urls):  # one node would vouch for itself
            raise ValueError("two endpoints have one URL; a second one must be another node")
        return value

    @field_validator("assets")
    @classmethod
    def _check_assets(cls, value: list[str] | None) -> list[str] | None:
        _refuse_twins(value or [])
        return value

    @field_validator("tokens")
    @classmethod
    def _check_tokens(cls, value: list[Token], info: ValidationInfo) -> list[Token]:
        _refuse_twins([*(info.data.get("assets") or []), *(token.symbol for token in value)])
        return value

    @field_validator("agreement")
    @classmethod
    def _check_agreement(cls, value: int | str, info: ValidationInfo) -> int | str:
        endpoints = info.data.get("endpoints")
        if isinstance(value, int) and endpoints and value > len(endpoints):
            raise ValueError(f"asks for more than the {len(endpoints)} configured endpoints")
        return value


def _refuse_twins(names: list[str]) -> None:
    """Methods and metrics are told apart without regard to case."""
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            raise ValueError(f'lists "{name}" twice')
        seen.add(name.lower())


class Sandbox(Section):
    """The embedded nodes of an instance in which nothing is real."""

    folder: shapes.FilePath
    """Where their chains are kept."""
    seconds_per_block: shapes.AtLeastOne = 1


class Invoices(Section):
    """What holds for an invoice that does not say otherwise."""

    valid_for: shapes.Openness = 3600
    tolerance_percent: shapes.Percent = "0"
    late_policy: Literal["manual", "accept"] = "manual"
    payer_may_cancel: bool = True
    minimum: dict[shapes.Text, shapes.Amount] = {}


class Limits(Section):
    """How often one may ask."""

    per_key_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] = 300
    per_ip_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] = 60


class Rates(Section):
    """What an asset is worth."""

    sources: list[Literal["chainlink", "kraken", "coinbase"]] = ["chainlink", "kraken", "coinbase"]
    fixed: shapes.FixedRates = {}
    max_age_seconds: Annotated[int, Field(ge=5, le=3600)] = 300
    max_spread_percent: shapes.Percent = "2"
    kraken_url: shapes.HttpUrl = "https://api.kraken.com"
    coinbase_url: shapes.HttpUrl = "https://api.coinbase.com"

    @field_validator("sources")
    @classmethod
    def _check_sources(cls, value: list[str]) -> list[str]:
        _refuse_twins(value)
        return value


class Webhooks(Section):
    """Where webhooks may go, and how long an answer may take."""

    allow_private_addresses: bool = False
    timeout_seconds: Annotated[int, Field(ge=1, le=30)] = 10


class Compat(Section):
    """Which other systems' APIs are served, too."""

    enabled: list[Literal["billium", "kuna", "txcash", "payhubix", "bitgpt"]] = [
        "billium",
        "kuna",
        "txcash",
        "payhubix",
        "bitgpt",
    ]

    @field_validator("enabled")
    @classmethod
    def _check_enabled(cls, value: list[str]) -> list[str]:
        _refuse_twins(value)
        return value


class Events(Section):
    """The log of events."""

    keep_for: shapes.Retention = "forever"


class Settings(BaseSettings):
    """The whole configuration. Built from its arguments alone: `config.load` reads the rest."""

    model_config = SettingsConfigDict(
        env_prefix="WATCHER_",
        env_nested_delimiter="__",
        extra="forbid",
        strict=True,
        frozen=True,
        hide_input_in_errors=True,
    )

    server: Server = Server()
    database: Database = Database()
    admin: Admin
    secrets: Secrets
    networks: dict[shapes.NetworkName, NetworkSettings] = {}
    invoices: Invoices = Invoices()
    rates: Rates = Rates()
    webhooks: Webhooks = Webhooks()
    events: Events = Events()
    limits: Limits = Limits()
    compat: Compat = Compat()
    sandbox: Sandbox | None = None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """No file, no environment: a test or the sandbox builds exactly what it names."""
        return (init_settings,)
