"""Rates: what sources said things are worth, which of it is believed, and the way between two.

A price is an exact `Fraction`; `at` and `now` are epoch seconds.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby, pairwise

from watcher.domain.money import Address, rounded_down

Pair = tuple[str, str]
"""(base, quote): the price of one base in quote, both in upper case."""

RATE_DECIMALS = 18
_PLAIN = re.compile(r"[0-9]{1,40}(\.[0-9]{1,40})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Feed:
    """A contract that says what something is worth."""

    pair: Pair
    address: Address
    heartbeat_seconds: int
    """It says so again after as long, even where nothing changed."""


@dataclass(frozen=True, slots=True)
class Round:
    """What a feed says."""

    feed: Feed
    price: Fraction
    updated_at: int
    vouched: bool = False
    """Whether as many endpoints told the same as must agree; no block's hash proves it."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What one source said of one pair."""

    source: str
    pair: Pair
    price: Fraction
    at: int | None = None
    """When it was asked; None: it holds until the configuration changes."""
    updated_at: int | None = None
    """Since when it says so; None: it does not tell."""
    vouched: bool = True
    """False: not to be believed unless another source says about the same."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What rates must keep to."""

    max_age_seconds: int = 300
    max_spread_percent: str = "2"

    def agree(self, prices: Sequence[Fraction]) -> bool:
        """Whether they lie within the spread, as a part of their median."""
        allowed = Fraction(self.max_spread_percent) / 100 * median(prices)
        return max(prices) - min(prices) <= allowed

    def fresh(self, said: Observation, now: int) -> bool:
        """Whether it was asked for lately enough."""
        return said.at is None or now - said.at <= self.max_age_seconds


@dataclass(frozen=True, slots=True)
class Rate:
    """What one of something is worth, and who said so."""

    price: Fraction
    said: tuple[Observation, ...] = ()

    @property
    def text(self) -> str:
        """Decimal text, cut after 18 decimals."""
        return rounded_down(self.price, RATE_DECIMALS)

    @property
    def oldest(self) -> int | None:
        """When the oldest of what it rests on was asked for; None: nothing of it ages."""
        return min((each.at for each in self.said if each.at is not None), default=None)


@dataclass(frozen=True, slots=True)
class Market:
    """The rates of one moment."""

    rates: Mapping[Pair, Rate] = field(default_factory=dict)
    refused: Mapping[Pair, str] = field(default_factory=dict)
    """Why a pair that sources spoke of has no rate."""


def median(prices: Iterable[Fraction]) -> Fraction:
    """The middle one, or half-way between the middle two."""
    ordered = sorted(prices)
    return (ordered[len(ordered) // 2] + ordered[(len(ordered) - 1) // 2]) / 2


def parse_quotation(text: str) -> Fraction:
    """Plain decimal text above zero; raises ValueError."""
    price = Fraction(text) if _PLAIN.fullmatch(text) else Fraction(0)
    if price <= 0:
        raise ValueError(f"no price: {text[:40]!r}")
    return price


def settle(
    fixed: Mapping[Pair, str], said: Iterable[Observation], limits: Limits, now: int
) -> Market:
    """The median of what fresh sources say of each pair, refused where they disagree.

    A fixed pair stands alone: no source is heard of it, nor of its inverse.
    """
    rates = {
        pair: Rate(Fraction(price), (Observation("fixed", pair, Fraction(price)),))
        for pair, price in fixed.items()
    }
    refused: dict[Pair, str] = {}
    for pair, group in groupby(sorted(said, key=_by_pair), key=lambda each: each.pair):
        if pair in fixed or pair[::-1] in fixed:
            continue
        believed = _believed([each for each in group if limits.fresh(each, now)], limits)
        if isinstance(believed, str):
            refused[pair] = believed
        else:
            rates[pair] = Rate(median(each.price for each in believed), tuple(believed))
    return Market(rates, refused)


def _by_pair(said: Observation) -> tuple[Pair, str]:
    return said.pair, said.source


def _believed(fresh: Sequence[Observation], limits: Limits) -> list[Observation] | str:
    """What a rate may rest on, or why there is none."""
    if not fresh:
        return "every source is too old"
    vouched = [each for each in fresh if each.vouched]
    if not vouched:
        return "too few endpoints tell the same, and no other source confirms it"
    prices = [each.price for each in vouched]
    if not limits.agree(prices):
        told = ", ".join(f"{each.source} {rounded_down(each.price, 8)}" for each in vouched)
        return f"sources differ by more than {limits.max_spread_percent} %: {told}"
    return [each for each in fresh if each.vouched or limits.agree([*prices, each.price])]


def find_rate(market: Market, currency: str, symbol: str) -> Rate | None:
    """What one `symbol` is worth in `currency`.

    A currency is worth 1 of itself. Pairs are used as they stand, turned round, and chained through
    others, by the shortest way; None where no way leads from one to the other, or where the rate is
    too small to write down.
    """
    way = _shortest_way(market.rates, symbol.upper(), currency.upper())
    if way is None:
        return None
    found = Rate(Fraction(1))
    for base, quote in pairwise(way):
        step = _step(market.rates, base, quote)
        found = Rate(found.price * step.price, found.said + step.said)
    return None if found.text == "0" else found


def _shortest_way(rates: Iterable[Pair], start: str, end: str) -> list[str] | None:
    """The names from `start` to `end`, each a pair with the one before, in either direction.

    Pairs are read once however many names are passed: whoever asks may name any currency.
    """
    beside: dict[str, list[str]] = {}
    for base, quote in rates:
        beside.setdefault(base, []).append(quote)
        beside.setdefault(quote, []).append(base)
    if start != end and end not in beside:
        return None
    before, queue = {start: start}, deque([start])
    while queue and end not in before:
        name = queue.popleft()
        for other in beside.get(name, []):
            if other not in before:
                before[other] = name
                queue.append(other)
    if end not in before:
        return None
    way = [end]
    while way[-1] != start:
        way.append(before[way[-1]])
    return way[::-1]


def _step(rates: Mapping[Pair, Rate], base: str, quote: str) -> Rate:
    """The rate of a pair, as it stands or turned round."""
    if direct := rates.get((base, quote)):
        return direct
    turned = rates[quote, base]
    return Rate(1 / turned.price, turned.said)
