"""From the configuration to a policy: its names resolved against the networks' facts."""

from __future__ import annotations

from collections.abc import Iterable

from chains import NETWORKS
from chains.base import ClientOptions, NetworkSpec
from watcher.config import ConfigError, Settings
from watcher.domain.blocks import Hash
from watcher.domain.deposits import DepositRules
from watcher.domain.money import Asset, Network, units_of
from watcher.policy import NetworkPolicy, Policy
from watcher.settings import NetworkSettings


def build_policy(settings: Settings) -> Policy:
    """Resolve the configuration against the networks' facts.

    Raises:
        ConfigError: names the key of a network, asset, token or minimum that cannot be.
    """
    networks = {
        Network(name): _network_policy(settings, Network(name), chosen)
        for name, chosen in settings.networks.items()
        if chosen.enabled
    }
    live = {_is_live(NETWORKS[name], settings.networks[name]) for name in networks}
    if len(live) > 1:
        raise ConfigError("networks: live networks and test networks cannot be mixed")
    _check_minimum(settings, networks.values())
    fixed = {
        (key.partition("/")[0], key.partition("/")[2]): rate
        for key, rate in settings.rates.fixed.items()
    }
    return Policy(
        networks=networks,
        livemode=live == {True},
        valid_for=settings.invoices.valid_for,
        tolerance_percent=settings.invoices.tolerance_percent,
        rates=fixed,
    )


def client_options(settings: Settings, network: NetworkPolicy) -> ClientOptions:
    """How to talk to one network."""
    chosen = settings.networks[network.spec.name]
    given = chosen.genesis_hash or network.spec.genesis_hash
    return ClientOptions(
        endpoints=[endpoint.reveal() for endpoint in chosen.endpoints],
        assets=list(network.assets.values()),
        chain_id=network.chain_id,
        genesis_hash=None if given == "any" else Hash(given),
        agreement=network.agreement,
    )


def _network_policy(settings: Settings, name: Network, chosen: NetworkSettings) -> NetworkPolicy:
    spec = NETWORKS.get(name)
    if spec is None:
        known = ", ".join(sorted(NETWORKS))
        raise ConfigError(f"networks.{name}: unknown network; there are {known}")
    assets = {asset.method: asset for asset in _listed(spec, chosen)}
    minimum = {
        asset.method: _minimum_units(symbol, amount, asset)
        for symbol, amount in settings.invoices.minimum.items()
        for asset in assets.values()
        if asset.symbol.lower() == symbol.lower()
    }
    agreement = chosen.agreement
    return NetworkPolicy(
        spec=spec,
        chain_id=chosen.chain_id or spec.chain_id,
        assets=assets,
        rules=DepositRules(chosen.confirmations or spec.confirmations, minimum),
        reorg_limit=chosen.reorg_limit or spec.reorg_limit,
        agreement=min(2, len(chosen.endpoints)) if agreement == "auto" else agreement,
        poll_seconds=chosen.poll_seconds or max(1, spec.pace_seconds // 4),
        start_block=None if chosen.start_block == "head" else chosen.start_block,
    )


def _listed(spec: NetworkSpec, chosen: NetworkSettings) -> list[Asset]:
    """The assets to watch: the network's own by symbol, and the configured tokens."""
    where = f"networks.{spec.name}"
    own = {asset.symbol.lower(): asset for asset in spec.assets}
    symbols = [asset.symbol for asset in spec.assets] if chosen.assets is None else chosen.assets
    for symbol in symbols:
        if symbol.lower() not in own:
            known = ", ".join(asset.symbol for asset in spec.assets)
            raise ConfigError(f"{where}.assets: unknown asset {symbol!r}; there are {known}")
    coin = spec.assets[0]  # always watched: it is what every transaction may carry
    listed = list(dict.fromkeys([coin, *(own[symbol.lower()] for symbol in symbols)]))
    for place, token in enumerate(chosen.tokens):
        try:
            contract = spec.codec.parse(token.address)
        except ValueError as error:
            raise ConfigError(f"{where}.tokens.{place}.address: {error}") from error
        listed.append(Asset(spec.name, token.symbol, token.decimals, contract))
    for part in ("method", "contract"):
        values = [getattr(asset, part) for asset in listed]
        if len(set(values)) < len(values):
            raise ConfigError(f"{where}.tokens: an asset is listed twice, by symbol or address")
    return listed


def _minimum_units(symbol: str, amount: str, asset: Asset) -> int:
    try:
        return units_of(amount, asset.decimals)
    except ValueError as error:
        raise ConfigError(f"invoices.minimum.{symbol}: {error}") from error


def _check_minimum(settings: Settings, networks: Iterable[NetworkPolicy]) -> None:
    known = {asset.symbol.lower() for network in networks for asset in network.assets.values()}
    for symbol in settings.invoices.minimum:
        if symbol.lower() not in known:
            raise ConfigError(f"invoices.minimum.{symbol}: no enabled network lists this asset")


def _is_live(spec: NetworkSpec, chosen: NetworkSettings) -> bool:
    """A private chain is never live, whatever network it plays."""
    return spec.live and chosen.genesis_hash in (None, spec.genesis_hash)
