"""Rates between price currencies and assets, from the rates fixed by configuration."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from watcher.domain.money import rounded_down

RATE_DECIMALS = 18


def find_rate(fixed: Mapping[tuple[str, str], str], currency: str, symbol: str) -> str | None:
    """Price of one `symbol` in `currency` as decimal text, cut after 18 decimals.

    A currency is worth 1 of itself. Fixed pairs are used as they stand, turned round, and chained
    through others, by the shortest way; None where no way leads from one to the other, or where the
    rate is too small to write down.
    """
    currency, symbol = currency.upper(), symbol.upper()
    known = {symbol: Fraction(1)}
    frontier = [symbol]
    while frontier and currency not in known:
        reached = []
        for base in frontier:
            for other, rate in _neighbours(fixed, base):
                if other not in known:
                    known[other] = known[base] * rate
                    reached.append(other)
        frontier = reached
    text = rounded_down(known.get(currency, Fraction(0)), RATE_DECIMALS)
    return None if text == "0" else text


def _neighbours(fixed: Mapping[tuple[str, str], str], name: str) -> list[tuple[str, Fraction]]:
    """Currencies one fixed pair away from `name`, with the price of one `name` in each."""
    forward = [(quote, Fraction(rate)) for (base, quote), rate in fixed.items() if base == name]
    back = [(base, 1 / Fraction(rate)) for (base, quote), rate in fixed.items() if quote == name]
    return forward + back
