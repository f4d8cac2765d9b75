"""The currencies that KUNA Pay's clients may name, as its catalogue lists them."""

from __future__ import annotations

from watcher.domain.currencies import MINOR_UNITS
from watcher.domain.rates import find_rate
from watcher.policy import Policy
from watcher.render import Json

NAMES = {
    "BTC": "Bitcoin",
    "DAI": "Dai",
    "ETH": "Ether",
    "EUR": "Euro",
    "GBP": "Pound sterling",
    "POL": "Polygon",
    "TRX": "Tronix",
    "UAH": "Hryvnia",
    "USD": "US dollar",
    "USDC": "USD Coin",
    "USDT": "Tether",
}
USUAL_PRECISION = 8
"""Decimals of a coin that is not listed here itself."""


def assets(policy: Policy, now: int) -> list[Json]:
    """Every currency with a rate to some listed coin, in alphabetical order."""
    market = policy.rates.market(now)
    decimals = {
        asset.symbol.upper(): asset.decimals
        for network in policy.networks.values()
        for asset in network.assets.values()
    }
    spoken_of = {name.upper() for pair in market.rates for name in pair} | set(decimals)
    priced = sorted(
        code
        for code in spoken_of
        if any(find_rate(market, code, symbol) is not None for symbol in decimals)
    )
    return [
        {
            "code": code,
            "name": NAMES.get(code, code),
            "description": "",
            "position": position,
            "precision": MINOR_UNITS.get(code, decimals.get(code, USUAL_PRECISION)),
            "type": "fiat" if code in MINOR_UNITS else "crypto",
            "icons": {"svg": "", "png": ""},
        }
        for position, code in enumerate(priced, 1)
    ]
