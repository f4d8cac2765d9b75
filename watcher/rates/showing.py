"""The public JSON of rates and of methods with their rates."""

from __future__ import annotations

from collections.abc import Collection

from watcher.clock import rfc3339
from watcher.domain.money import Family, rounded_down
from watcher.domain.rates import RATE_DECIMALS, Market, Observation, find_rate
from watcher.policy import Policy
from watcher.render import Json


def show_methods(
    policy: Policy, families: Collection[Family], currency: str, now: int
) -> list[Json]:
    """A row for every listed asset; `families` are those for which there is a wallet."""
    market = policy.rates.market(now)
    return [
        {
            "method": asset.method,
            "network": asset.network,
            "asset": asset.symbol,
            "contract": asset.contract and network.spec.codec.show(asset.contract),
            "decimals": asset.decimals,
            "enabled": network.spec.family in families,
            **_rate(market, currency, asset.symbol, now),
        }
        for network in policy.networks.values()
        for asset in network.assets.values()
    ]


def show_rates(policy: Policy, currency: str, now: int) -> list[Json]:
    """A row for every listed asset and every currency that is spoken of, by name."""
    market = policy.rates.market(now)
    listed = {
        asset.symbol.upper()
        for network in policy.networks.values()
        for asset in network.assets.values()
    }
    spoken_of = {name for pair in (*market.rates, *market.refused) for name in pair}
    return [
        {"asset": name, **_rate(market, currency, name, now)} for name in sorted(listed | spoken_of)
    ]


def _rate(market: Market, currency: str, symbol: str, now: int) -> Json:
    """What it is worth, or why that is not known."""
    rate = find_rate(market, currency, symbol)
    oldest = rate.oldest if rate else None
    return {
        "currency": currency,
        "rate": rate.text if rate else None,
        "sources": [_source(each) for each in rate.said] if rate else [],
        "age_seconds": None if oldest is None else max(0, now - oldest),
        "reason": None if rate else _why_not(market, currency, symbol),
    }


def _source(said: Observation) -> Json:
    base, quote = said.pair
    return {
        "source": said.source,
        "base": base,
        "quote": quote,
        "price": rounded_down(said.price, RATE_DECIMALS),
        "at": None if said.at is None else rfc3339(said.at),
        "updated_at": None if said.updated_at is None else rfc3339(said.updated_at),
    }


def _why_not(market: Market, currency: str, symbol: str) -> str:
    about = [
        f"{'/'.join(pair)}: {reason}"
        for pair, reason in market.refused.items()
        if pair[0] in (currency, symbol.upper())  # sources give all in USD
    ]
    return "; ".join(about) or "no source speaks of it"
