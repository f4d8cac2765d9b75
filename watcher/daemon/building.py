"""From the configuration to a policy: its names resolved against the networks' facts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from chains import NETWORKS
from chains.ahead import AHEAD_SECONDS
from chains.base import ClientOptions, Explorer, NetworkSpec, Observer, Unobserved
from watcher.config import ConfigError, Settings
from watcher.domain.blocks import Hash
from watcher.domain.deposits import DepositRules, Tier
from watcher.domain.money import Asset, Network, Price, units_of
from watcher.domain.rates import Limits
from watcher.policy import NetworkPolicy, Policy, WebhookPolicy
from watcher.rates.book import RateBook
from watcher.settings import NetworkSettings, Server

LONGEST_POLL_SECONDS = 3  # with Tron's pace of 3 s: within 100,000 requests a day


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
    if settings.sandbox is not None and True in live:
        raise ConfigError('sandbox: its networks need genesis_hash = "any", as none is a true one')
    if len(live) > 1:
        raise ConfigError("networks: live networks and test networks cannot be mixed")
    _check_minimum(settings, networks.values())
    fixed = {
        (key.partition("/")[0], key.partition("/")[2]): rate
        for key, rate in settings.rates.fixed.items()
    }
    keep_for = settings.events.keep_for
    return Policy(
        networks=networks,
        livemode=live == {True},
        valid_for=settings.invoices.valid_for,
        tolerance_percent=settings.invoices.tolerance_percent,
        rates=RateBook(fixed, settings.rates.sources, _limits(settings)),
        accepts_late=settings.invoices.late_policy == "accept",
        payer_may_cancel=settings.invoices.payer_may_cancel,
        keep_seconds=None if keep_for == "forever" else keep_for,
        public_url=public_url(settings.server),
        webhooks=WebhookPolicy(
            settings.webhooks.allow_private_addresses, settings.webhooks.timeout_seconds
        ),
    )


def public_url(server: Server) -> str:
    """Where payers reach our pages: as configured, or where we listen."""
    host = f"[{server.host}]" if ":" in server.host else server.host
    return server.public_url or f"http://{host}:{server.port}"


def _limits(settings: Settings) -> Limits:
    return Limits(settings.rates.max_age_seconds, settings.rates.max_spread_percent)


def client_options(
    settings: Settings, network: NetworkPolicy, observer: Observer | None = None
) -> ClientOptions:
    """How to talk to one network, and who is told of it."""
    chosen = settings.networks[network.spec.name]
    given = chosen.genesis_hash or network.spec.genesis_hash
    return ClientOptions(
        endpoints=[endpoint.reveal() for endpoint in chosen.endpoints],
        assets=list(network.assets.values()),
        chain_id=network.chain_id,
        genesis_hash=None if given == "any" else Hash(given),
        agreement=network.agreement,
        hedge_seconds=chosen.hedge_after_ms / 1000 or None,
        ahead_seconds=AHEAD_SECONDS if _is_live(network.spec, chosen) else None,
        traces=(chosen.traces or "auto") if network.spec.needs_traces else "off",
        observer=observer or Unobserved(),
    )


def _network_policy(settings: Settings, name: Network, chosen: NetworkSettings) -> NetworkPolicy:
    spec = NETWORKS.get(name)
    if spec is None:
        known = ", ".join(sorted(NETWORKS))
        raise ConfigError(f"networks.{name}: unknown network; there are {known}")
    if chosen.finality_depth is not None and spec.finality_depth is None:
        raise ConfigError(f"networks.{name}.finality_depth: this network has no such rule")
    if chosen.traces is not None and not spec.needs_traces:
        raise ConfigError(
            f"networks.{name}.traces: not needed here, where blocks tell what contracts send"
        )
    if spec.family != "tron" and any(each.solidity_url for each in chosen.endpoints):
        raise ConfigError(f"networks.{name}.endpoints: solidity_url is for Tron only")
    assets = {asset.method: asset for asset in _listed(spec, chosen)}
    minimum = {
        asset.method: _minimum_units(symbol, amount, asset)
        for symbol, amount in settings.invoices.minimum.items()
        for asset in assets.values()
        if asset.symbol.lower() == symbol.lower()
    }
    agreement = _agreement(spec, chosen)
    return NetworkPolicy(
        spec=_shown(settings, spec),
        chain_id=chosen.chain_id or spec.chain_id,
        assets=assets,
        rules=DepositRules(
            confirmations=chosen.confirmations or spec.confirmations,
            minimum=minimum,
            tiers=[
                Tier(Price(tier.above, tier.currency), tier.confirmations)
                for tier in chosen.confirmation_tiers
            ],
        ),
        reorg_limit=chosen.reorg_limit or spec.reorg_limit,
        agreement=agreement,
        endpoints=len(chosen.endpoints),
        repeat_transfers=not spec.commits_to_transfers and chosen.second_source != "off",
        poll_seconds=chosen.poll_seconds or min(LONGEST_POLL_SECONDS, spec.pace_seconds),
        start_block=None if chosen.start_block == "head" else chosen.start_block,
        finality_depth=chosen.finality_depth or spec.finality_depth,
    )


def _agreement(spec: NetworkSpec, chosen: NetworkSettings) -> int:
    """How many endpoints must repeat a block before a deposit in it is confirmed."""
    wanted = chosen.agreement
    several = min(2, len(chosen.endpoints))
    agreement = several if wanted == "auto" else wanted
    if spec.commits_to_transfers:
        if chosen.second_source is not None:
            raise ConfigError(
                f"networks.{spec.name}.second_source: not needed here, "
                "where a block's hash commits to every transfer in it"
            )
        return agreement
    match chosen.second_source:
        case "off":
            return agreement
        case "required":
            return max(2, agreement)
    return max(several, agreement)


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
            contract = (spec.parse_token or spec.codec.parse)(token.address)
        except ValueError as error:
            raise ConfigError(f"{where}.tokens.{place}.address: {error}") from error
        if contract in spec.reserved:
            raise ConfigError(f"{where}.tokens.{place}.address: logs the coin's moves, no token")
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


def _shown(settings: Settings, spec: NetworkSpec) -> NetworkSpec:
    """The network, its links leading to our own pages where its chain is our own."""
    if settings.sandbox is None:
        return spec
    base = f"{public_url(settings.server)}/sandbox/{spec.name}"
    paths = (f"{base}/transaction/{{}}", f"{base}/address/{{}}", f"{base}/block/{{}}")
    return replace(spec, explorer=Explorer(*paths))


def _is_live(spec: NetworkSpec, chosen: NetworkSettings) -> bool:
    """A private chain is never live, whatever network it plays."""
    return spec.live and chosen.genesis_hash in (None, spec.genesis_hash)
