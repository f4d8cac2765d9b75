"""What may be paid with, and how much of it."""

from __future__ import annotations

from collections.abc import Sequence

import storage
from storage import Conn
from watcher.clock import rfc3339
from watcher.domain.currencies import too_fine
from watcher.domain.deposits import Depth, deepest
from watcher.domain.invoices import Quote
from watcher.domain.money import (
    MAX_UNITS,
    Asset,
    Family,
    Method,
    Network,
    Price,
    due_units,
    rounded_down,
)
from watcher.domain.rates import RATE_DECIMALS, Market, Observation, find_rate
from watcher.policy import Policy
from watcher.refused import BadField


async def offered_assets(
    conn: Conn, policy: Policy, merchant_id: str, methods: Sequence[str] | None
) -> list[Asset]:
    """The assets of `methods`, or all those for which the merchant has a wallet."""
    wallets = await storage.wallets.listing(conn, merchant_id)
    families = {wallet.family for wallet, _ in wallets}
    if methods is None:
        listed = [
            asset
            for network in policy.networks.values()
            if network.spec.family in families
            for asset in network.assets.values()
        ]
        if not listed:
            raise BadField("the merchant has no wallet yet; add one first", field="methods")
        return listed
    if not methods:
        raise BadField("must name at least one method", field="methods")
    assets = [_named_asset(policy, families, name, place) for place, name in enumerate(methods)]
    return list(dict.fromkeys(assets))


def _named_asset(policy: Policy, families: set[Family], name: str, place: int) -> Asset:
    asset = policy.listed(Method(name.lower()))
    if asset is None:
        known = ", ".join(m for network in policy.networks.values() for m in network.assets)
        raise BadField(
            f"there is no method {name[:60]!r}; there are {known}", field=f"methods.{place}"
        )
    family = policy.networks[asset.network].spec.family
    if family not in families:
        raise BadField(f"the merchant has no {family} wallet", field=f"methods.{place}")
    return asset


def check_price(price: Price) -> None:
    """Refuse a price that nobody could name in its currency.

    Raises:
        BadField: it has more decimals than the currency.
    """
    if reason := too_fine(price):
        raise BadField(reason, field="price.amount")


def quote_asset(
    policy: Policy, market: Market, price: Price, asset: Asset, confirmations: Depth | None
) -> Quote | None:
    """What `price` comes to in `asset` by the market's rates; None where there is none.

    `confirmations` is the invoice's own rule; None leaves it to the network's. Tiers may add.

    Raises:
        BadField: the price comes to nothing, or to more than the asset can hold.
    """
    rate = find_rate(market, price.currency, asset.symbol)
    if rate is None:
        return None
    units = due_units(price.value, rate.price, asset.decimals)
    if not 0 < units <= MAX_UNITS:
        raise BadField(f"comes to more than {asset.method} can hold", field="price.amount")
    return Quote(
        method=asset.method,
        network=asset.network,
        symbol=asset.symbol,
        contract=asset.contract,
        decimals=asset.decimals,
        rate=rate.text,
        sources=tuple(map(show_source, rate.said)),
        units=units,
        required=required_depth(policy, market, price, asset.network, confirmations),
    )


def show_source(said: Observation) -> str:
    """Who said what and when, as a quote keeps it: "kraken TRX/USD 0.25 2026-11-22T10:00:00Z"."""
    price = rounded_down(said.price, RATE_DECIMALS)
    words = [said.source, "/".join(said.pair), price]
    when = said.updated_at or said.at
    return " ".join([*words, rfc3339(when)] if when is not None else words)


def required_depth(
    policy: Policy, market: Market, price: Price, network: Network, own: Depth | None
) -> Depth:
    """The network's confirmations, or an invoice's `own` in their place; its tiers add to either.

    A tier in a currency to which no rate leads from the price's applies: what cannot be compared
    may be above it.
    """
    rules = policy.networks[network].rules
    tiers = [tier.confirmations for tier in rules.tiers if _may_exceed(market, price, tier.above)]
    return deepest([own or rules.confirmations, *tiers])


def _may_exceed(market: Market, price: Price, limit: Price) -> bool:
    rate = find_rate(market, limit.currency, price.currency)
    return rate is None or price.value * rate.price > limit.value
