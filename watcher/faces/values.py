"""Amounts and times as other systems write them, and JSON with exact numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

import msgspec

from watcher.domain.money import amount_of, decimals_of, power
from watcher.render import Json

PLAIN = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)


def encode(body: object) -> bytes:
    """Compact JSON; what `number` made stands in it digit for digit."""
    return msgspec.json.encode(body)


def number(amount: str) -> msgspec.Raw:
    """Plain decimal text as a JSON number, never passed through a binary one: "1.50" -> 1.5."""
    if not PLAIN.fullmatch(amount):
        raise ValueError(f"not plain decimal text: {amount[:40]!r}")
    whole, _, part = amount.partition(".")
    part = part.rstrip("0")
    return msgspec.Raw(f"{int(whole)}.{part}".encode() if part else str(int(whole)).encode())


def padded(amount: str, places: int) -> str:
    """With at least so many decimals: ("49.99", 6) -> "49.990000". None is cut."""
    whole, _, part = amount.partition(".")
    return f"{whole}.{part:0<{places}}" if places else whole


def rounded(amount: str, places: int) -> str:
    """Plain decimal text, rounded half up to so many decimals."""
    if decimals_of(amount) <= places:
        return amount
    return amount_of(int(Fraction(amount) * power(places) + Fraction(1, 2)), places)


def milliseconds(time: str | None) -> str | None:
    """A time of ours with three decimals: "…:00Z" -> "…:00.000Z"."""
    return None if time is None else time.replace("Z", ".000Z")


def missing(invoice: Json) -> str:
    """What the price lacks of confirmed money, as text; "0" once it is paid."""
    if invoice["status"] == "paid":
        return "0"
    confirmed, price = invoice["paid"]["confirmed"], invoice["price"]["amount"]
    places = max(2, decimals_of(price), decimals_of(confirmed))
    left = max(Fraction(0), Fraction(price) - Fraction(confirmed))
    return amount_of(int(left * power(places)), places)


def facts(invoice: Json) -> Mapping[str, str]:
    """Headers that say what a face has no words for."""
    return {
        "X-Watcher-Invoice": invoice["id"],
        "X-Watcher-Status": invoice["status"],
        "X-Watcher-Flags": ",".join(invoice["flags"]),
    }
