"""Money: assets, base units and decimal text, prices, and the one place that rounds.

Inside, an amount is `units`: an int of the smallest unit, 0 <= units < 2**256. Outside it is
decimal text. Between them stand exact `Fraction`s, never floats.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import NewType

Network = NewType("Network", str)  # "ethereum"
Family = NewType("Family", str)  # "evm", "tron"
Method = NewType("Method", str)  # "ethereum:usdt": what an invoice may be paid with
Address = NewType("Address", str)  # canonical: EVM lower-case 0x…, Tron base58 T…

MAX_UNITS = 2**256 - 1
PRICE_DIGITS, PRICE_DECIMALS = 18, 18
SENDABLE_DECIMALS = 8  # what every wallet's amount field takes
SENDABLE_DIGITS = 6  # … unless the amount is so small that more are needed to mean anything

_PLAIN = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)
_LONGEST = 200  # characters of an amount; 2**256 - 1 has 78 digits
_CURRENCY = re.compile(r"[A-Za-z0-9.]{1,20}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Asset:
    """A coin or token on one network."""

    network: Network
    symbol: str
    """For people and configuration; unique on its network."""
    decimals: int
    contract: Address | None = None
    """The token's contract; None for the native coin."""

    @property
    def method(self) -> Method:
        return Method(f"{self.network}:{self.symbol.lower()}")


@dataclass(frozen=True, slots=True)
class Price:
    """What an invoice asks for: plain decimal text and a currency in upper case."""

    amount: str
    currency: str

    @property
    def value(self) -> Fraction:
        return Fraction(self.amount)


def parse_price(amount: str, currency: str) -> Price:
    """Check a price that came from outside.

    Raises:
        ValueError: not plain decimal text, not above zero, more than 18 digits on either side of
            the point, or no name of a currency; the message says which.
    """
    if not _CURRENCY.fullmatch(currency):
        raise ValueError('a currency is 1 to 20 letters, digits or points, such as "EUR"')
    return Price(parse_amount(amount, what="a price"), currency.upper())


def parse_amount(text: str, *, what: str = "an amount") -> str:
    """Plain decimal text above zero, in its shortest spelling; raises ValueError."""
    if not _PLAIN.fullmatch(text):
        raise ValueError(f'{what} must be plain decimal text such as "49.99"')
    whole, _, part = text.partition(".")
    whole, part = whole.lstrip("0"), part.rstrip("0")
    if len(whole) > PRICE_DIGITS:
        raise ValueError(f"{what} must have at most {PRICE_DIGITS} digits before the point")
    if len(part) > PRICE_DECIMALS:
        raise ValueError(f"{what} must have at most {PRICE_DECIMALS} decimals")
    if not whole and not part:
        raise ValueError(f"{what} must be above zero")
    return f"{whole or '0'}.{part}" if part else whole


def parse_percent(text: str) -> str:
    """A tolerance, from "0" to below "100", in its shortest spelling; raises ValueError."""
    if not _PLAIN.fullmatch(text) or len(text) > 2 * PRICE_DECIMALS or Fraction(text) >= 100:
        raise ValueError('must be decimal text from "0" to below "100"')
    return "0" if Fraction(text) == 0 else parse_amount(text, what="a percentage")


def amount_of(units: int, decimals: int) -> str:
    """Units as decimal text, exact and without trailing zeros: (1500000, 6) -> "1.5"."""
    whole, part = divmod(units, power(decimals))
    digits = f"{part:0{decimals}d}".rstrip("0") if decimals else ""
    return f"{whole}.{digits}" if digits else str(whole)


def units_of(amount: str, decimals: int) -> int:
    """Decimal text as units, exact: ("1.5", 6) -> 1500000.

    Raises:
        ValueError: not plain decimal text, finer than the smallest unit, or above 2**256 - 1.
    """
    if len(amount) > _LONGEST or not _PLAIN.fullmatch(amount):
        raise ValueError(f"not plain decimal text: {amount[:40]!r}")
    units = Fraction(amount) * power(decimals)
    if units.denominator != 1:
        raise ValueError(f"more than {decimals} decimals: {amount[:40]}")
    if units.numerator > MAX_UNITS:
        raise ValueError("above 2**256 - 1 units")
    return units.numerator


def rounded_down(value: Fraction, places: int) -> str:
    """`value` as decimal text with at most `places` decimals, cut and not rounded up."""
    return amount_of(value.numerator * power(places) // value.denominator, places)


def power(places: int) -> int:
    """10**places, for places >= 0."""
    return int(10**places)


def decimals_of(amount: str) -> int:
    """How many decimals plain decimal text shows: "49.99" -> 2."""
    return len(amount.partition(".")[2])


def due_units(price: Fraction, rate: Fraction, decimals: int) -> int:
    """Units to pay for `price` at `rate` (price currency per one asset), rounded up.

    Rounded to what wallets can send: 8 decimals, more only where fewer than 6 digits would be left.
    A rate of exactly 1 is no conversion, so the price itself stays exact where the asset allows.
    """
    if price <= 0 or rate <= 0:
        raise ValueError("a price and a rate are above zero")
    return sendable_units(price / rate, decimals, converted=rate != 1)


def sendable_units(amount: Fraction, decimals: int, *, converted: bool) -> int:
    """An amount above zero as units, rounded up to what wallets can send if it was `converted`."""
    places = min(decimals, _sendable_places(amount)) if converted else decimals
    steps = -(-amount.numerator * power(places) // amount.denominator)
    return steps * power(decimals - places)


def sendable_step(decimals: int, *, converted: bool) -> int:
    """The units below which `sendable_units` rounds away, at most."""
    return power(max(0, decimals - SENDABLE_DECIMALS)) if converted else 1


def _sendable_places(amount: Fraction) -> int:
    """8, or as many decimals as it takes to show 6 significant digits of a small amount."""
    places = SENDABLE_DECIMALS
    while amount * power(places) < power(SENDABLE_DIGITS - 1):
        places += 1
    return places
