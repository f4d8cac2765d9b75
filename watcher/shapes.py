"""What single values of the configuration may be: types whose refusals are one clear sentence.

No sentence repeats the value: it may be a secret.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    StringConstraints,
    WithJsonSchema,
)

from watcher.domain.invoices import LONGEST, SHORTEST
from watcher.domain.money import parse_amount, parse_percent, parse_price
from watcher.durations import SECONDS, parse_duration


def _duration(value: object) -> int:
    return parse_duration(value if isinstance(value, str) else "")


def _retention(value: object) -> object:
    if value == "forever":
        return value
    with suppress(ValueError):
        seconds = parse_duration(value if isinstance(value, str) else "", LONGEST_KEPT)
        if seconds >= SHORTEST_KEPT:
            return seconds
    raise ValueError('must be "forever" or a duration of 30 to 36500 days, such as "365d"')


def _number_or(word: str, least: int, most: int | None = None) -> Callable[[object], object]:
    """One check for `int | word`, since a union would complain once per member."""
    limits = f"at least {least}" + (f" and at most {most}" if most else "")

    def check(value: object) -> object:
        if value == word or (type(value) is int and least <= value <= (most or value)):
            return value
        raise ValueError(f'must be "{word}" or a whole number, {limits}')

    return check


def _hash_or_any(value: str) -> str:
    text = value.lower().removeprefix("0x")
    if text != "any" and not re.fullmatch(r"[0-9a-f]{64}", text):
        raise ValueError('must be "any" or the 64 hex digits of a block hash')
    return text


def _openness(seconds: int) -> int:
    if not SHORTEST <= seconds <= LONGEST:
        raise ValueError(f"must be from {SHORTEST} seconds to {LONGEST // SECONDS['d']} days")
    return seconds


def _pair(value: str) -> str:
    if not re.fullmatch(r"[A-Z0-9.]{1,20}/[A-Z0-9.]{1,20}", value):
        raise ValueError('must be a pair in upper case such as "EUR/USD"')
    return value


def _one_way(rates: dict[str, str]) -> dict[str, str]:
    for pair in rates:
        base, _, quote = pair.partition("/")
        if f"{quote}/{base}" in rates:
            raise ValueError(f'"{pair}" must stand once, of two things, and not turned round, too')
    return rates


def _http_url(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("must start with http:// or https://")
    try:
        parts = urlsplit(value)
        complete = bool(parts.hostname) and parts.port != 0 and not re.search(r"\s", value)
    except ValueError:
        complete = False
    if not complete:
        raise ValueError('must name a host and no odd port, such as "https://example.org"')
    return value


def _public_url(value: str) -> str:
    if re.search(r"[?#@]", _http_url(value)):
        raise ValueError('must be the address of a site, such as "https://pay.example.org"')
    return value.rstrip("/")


def _ip_block(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        raise ValueError('must be an IP address, or a block of them such as "10.0.0.0/8"') from None


def _origin(value: str) -> str:
    if value != "*" and not re.fullmatch(r"https?://[a-z0-9.-]+(:\d{1,5})?", value):
        raise ValueError('must be "*" or an origin without a path, such as "https://example.org"')
    return value


def _database_url(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith(("sqlite:///", "postgresql://")):
        raise ValueError("must start with sqlite:/// or postgresql://")
    return value


def _secret_url(value: SecretStr) -> SecretStr:
    _http_url(value.get_secret_value())
    return value


def _header(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[\x20-\x7e]+", value.get_secret_value()):
        raise ValueError("must be printable ASCII text, and not empty")
    return value


# For the API's document; the validators decide.
CURRENCY, DURATION = r"^[A-Za-z0-9.]{1,20}$", r"^[1-9][0-9]{0,9}[smhd]$"
PERCENT = r"^[0-9]{1,2}(\.[0-9]{1,18})?$"

SHORTEST_KEPT = 30 * SECONDS["d"]  # well above what a delivery's retries take
LONGEST_KEPT = 36_500 * SECONDS["d"]

MOST_CONFIRMATIONS = 100_000  # two weeks of Ethereum: more is a slip of the finger

Text = Annotated[str, StringConstraints(min_length=1)]
Amount = Annotated[str, AfterValidator(lambda text: parse_amount(text, what="the amount"))]
Currency = Annotated[
    str,
    AfterValidator(lambda text: parse_price("1", text).currency),
    Field(json_schema_extra={"pattern": CURRENCY}),
]
AtLeastOne = Annotated[int, Field(ge=1)]
Confirmations: TypeAlias = Annotated[
    int | Literal["finalized"],
    BeforeValidator(_number_or("finalized", 1, MOST_CONFIRMATIONS)),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": MOST_CONFIRMATIONS},
                {"const": "finalized"},
            ]
        }
    ),
]
Agreement: TypeAlias = Annotated[int | Literal["auto"], BeforeValidator(_number_or("auto", 1))]
StartBlock: TypeAlias = Annotated[int | Literal["head"], BeforeValidator(_number_or("head", 0))]
Retention: TypeAlias = Annotated[int | Literal["forever"], BeforeValidator(_retention)]
NetworkName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*$")]
EndpointName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,40}$")]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]+$")]
Duration = Annotated[
    int,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": DURATION, "examples": ["1h"]}),
]
Openness = Annotated[Duration, AfterValidator(_openness)]
"""How long an invoice stays open, in seconds."""
BlockHash = Annotated[str, AfterValidator(_hash_or_any)]
Percent = Annotated[
    str, AfterValidator(parse_percent), Field(json_schema_extra={"pattern": PERCENT})
]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
PublicUrl = Annotated[str, AfterValidator(_public_url)]
Pair = Annotated[str, AfterValidator(_pair)]
IpBlock = Annotated[str, AfterValidator(_ip_block)]
Origin = Annotated[str, AfterValidator(_origin)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_database_url)]
EndpointUrl = Annotated[SecretStr, AfterValidator(_secret_url)]
HeaderValue = Annotated[SecretStr, AfterValidator(_header)]
FilePath: TypeAlias = Annotated[Path, Field(strict=False)]
FixedRates = Annotated[dict[Pair, Amount], AfterValidator(_one_way)]
