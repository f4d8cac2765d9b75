"""The only place that builds and wires things: networks, database, followers, API, signals."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Literal

import structlog
from aiohttp import web

import storage
from chains import NETWORKS
from chains.base import ChainClient, ClientOptions, NetworkSpec
from storage import Engine
from storage.migrate import migrate, schema_state
from watcher import clock, ledger, systemd
from watcher.api import build_app
from watcher.config import ConfigError, Settings
from watcher.domain.blocks import Hash
from watcher.domain.deposits import DepositRules
from watcher.domain.money import Asset, Network, units_of
from watcher.follower import Follower
from watcher.policy import NetworkPolicy, Policy
from watcher.settings import NetworkSettings

ROLES = ("api", "follow")
GRACE_SECONDS = 10  # for the step at hand, before a node that lets us wait is left
PAST_AT_ONCE = 500

log = structlog.get_logger()


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


@asynccontextmanager
async def open_clients(
    settings: Settings, policy: Policy
) -> AsyncIterator[dict[Network, ChainClient]]:
    """A client for every enabled network, closed at the end."""
    clients: dict[Network, ChainClient] = {}
    try:
        for name, network in policy.networks.items():
            options = client_options(settings, network)
            clients[name] = network.spec.open_client(network.spec, options)
        yield clients
    finally:
        for client in clients.values():
            await client.close()


@asynccontextmanager
async def open_database(settings: Settings, policy: Policy) -> AsyncIterator[Engine]:
    """The database, in the schema that this code needs and of the kind that `policy` is."""
    engine = storage.open_engine(settings.database.url.get_secret_value())
    try:
        if settings.database.migrate:
            await migrate(engine)
        elif (state := await schema_state(engine)) != "head":
            raise ConfigError(
                f"database: the schema is {state}; run `deposit-watcher migrate` "
                "or set database.migrate = true"
            )
        if policy.networks:  # without any, there is no telling yet what it will be
            mode: Literal["live", "test"] = "live" if policy.livemode else "test"
            async with storage.write(engine) as conn:
                await storage.instance.claim(conn, mode, clock.now())
        yield engine
    finally:
        await storage.close(engine)


async def run(settings: Settings, roles: Iterable[str] = ROLES) -> None:
    """The daemon, until SIGTERM or SIGINT."""
    policy = build_policy(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with open_database(settings, policy) as engine, open_clients(settings, policy) as clients:
        await _evaluate_past(engine, policy)
        followers = [
            Follower(policy, name, client, engine, f"{socket.gethostname()}:{os.getpid()}")
            for name, client in clients.items()
            if "follow" in roles
        ]
        async with _api(settings, policy, engine, "api" in roles):
            await _follow(followers, stop)
        for follower in followers:
            await follower.stop()
    log.info("stopped")


async def _follow(followers: list[Follower], stop: asyncio.Event) -> None:
    """Run the followers and the watchdog until `stop`, then let each finish its step at hand."""
    async with asyncio.TaskGroup() as group:
        runs = [group.create_task(follower.run(stop)) for follower in followers]
        others = [group.create_task(follower.heartbeat()) for follower in followers]
        others.append(group.create_task(systemd.watchdog()))
        systemd.ready()
        await stop.wait()
        systemd.stopping()
        log.info("stopping")
        if runs:
            await asyncio.wait(runs, timeout=GRACE_SECONDS)
        for task in [*runs, *others]:
            task.cancel()


@asynccontextmanager
async def _api(
    settings: Settings, policy: Policy, engine: Engine, serve: bool
) -> AsyncIterator[None]:
    if not serve:
        yield
        return
    token = settings.admin.token.get_secret_value()
    runner = web.AppRunner(build_app(engine, policy, token, clock.now()), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.server.host, settings.server.port)
        try:
            await site.start()
        except OSError as error:
            where = f"{settings.server.host}:{settings.server.port}"
            raise ConfigError(f"server: cannot listen on {where}: {error.strerror}") from error
        log.info("listening", host=settings.server.host, port=settings.server.port)
        yield
    finally:
        await runner.cleanup()


async def _evaluate_past(engine: Engine, policy: Policy) -> None:
    """Open invoices past their deadline, once: other networks may be enabled than before."""
    async with storage.read(engine) as conn:
        tips = await ledger.our_tips(conn, policy)
        newest = max((tip.timestamp for tip in tips.values()), default=0)
        past = await storage.invoices.past(conn, newest)
    for start in range(0, len(past), PAST_AT_ONCE):
        few = past[start : start + PAST_AT_ONCE]

        async def work(conn: storage.Conn, few: list[str] = few) -> None:
            await ledger.evaluate_past(conn, policy, few, clock.now())

        await storage.repeat(engine, work)


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
