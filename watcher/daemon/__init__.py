"""The only place that builds and wires things: networks, database, followers, API, signals."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from ipaddress import ip_network
from typing import Literal

import structlog
from aiohttp import web

import storage
from chains.base import ChainClient
from storage import Engine
from storage.migrate import migrate, schema_state
from watcher import clock, settling, systemd
from watcher.alarms import Alarm, alarms_of, keep_journal
from watcher.api import Access, Setup, build_app
from watcher.chores import chores_of, run_chores
from watcher.config import ConfigError, Settings
from watcher.daemon import sandbox
from watcher.daemon.building import build_policy, client_options
from watcher.daemon.rates import feeding, keep_rates, open_rates
from watcher.domain.money import Network
from watcher.follower import Follower
from watcher.keys import load_box
from watcher.metrics import Meter, Metrics
from watcher.policy import Policy
from watcher.status import admin_status
from watcher.wakeup import News
from watcher.web import LIVE, add_pages
from watcher.webhooks.delivering import Deliverer
from watcher.webhooks.sending import Sender

__all__ = [
    "ROLES",
    "ask_rates",
    "build_policy",
    "client_options",
    "open_clients",
    "open_database",
    "run",
]

ROLES = ("api", "follow", "deliver", "chores")
GRACE_SECONDS = 10  # for the step at hand, before a node that lets us wait is left
PAST_AT_ONCE = 500

Work = Callable[[], Coroutine[object, object, None]]

log = structlog.get_logger()


@asynccontextmanager
async def open_clients(
    settings: Settings,
    policy: Policy,
    only: Collection[Network] | None = None,
    meters: Mapping[Network, Meter] | None = None,
) -> AsyncIterator[dict[Network, ChainClient]]:
    """A client for every enabled network, or for those in `only`; closed at the end."""
    clients: dict[Network, ChainClient] = {}
    try:
        for name, network in policy.networks.items():
            if only is not None and name not in only:
                continue
            options = client_options(settings, network, (meters or {}).get(name))
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
            async with storage.write(engine) as conn:
                await storage.instance.claim(conn, _mode(settings, policy), clock.now())
        yield engine
    finally:
        await storage.close(engine)


async def ask_rates(settings: Settings, policy: Policy) -> None:
    """Fill `policy.rates` once: what a command needs that quotes a price."""
    needed = feeding(policy) if "chainlink" in settings.rates.sources else ()
    async with (
        open_clients(settings, policy, needed) as clients,
        open_rates(settings, policy, clients) as asking,
    ):
        await asking.ask()


async def run(
    settings: Settings,
    roles: Iterable[str] = ROLES,
    greet: Callable[[str], object] | None = None,
) -> None:
    """The daemon, until SIGTERM or SIGINT; a sandbox calls `greet` with its API key once it is up.

    Raises:
        ConfigError: what the configuration names cannot be had.
    """
    policy, metrics, started_at = build_policy(settings), Metrics(), clock.now()
    meters = {name: metrics.of(name) for name in policy.networks}
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with (
        sandbox.open_nodes(settings) as mining,
        open_database(settings, policy) as engine,
        open_clients(settings, policy, meters=meters) as clients,
    ):
        key = await sandbox.seed(engine, settings, policy) if settings.sandbox else None
        await _evaluate_past(engine, policy)
        followers = [
            Follower(policy, name, client, engine, _holder(), meters[name])
            for name, client in clients.items()
            if "follow" in roles
        ]
        news = News(engine)
        to_api, to_deliver = (news if role in roles else None for role in ("api", "deliver"))
        async with (
            keep_rates(settings, policy, clients, "api" in roles) as asking,
            _api(settings, policy, engine, clients, to_api, metrics) as pages,
            _deliverers(settings, policy, engine, to_deliver, metrics) as deliverers,
        ):
            if greet is not None and key is not None:
                greet(key)
            works: list[Work] = [*mining, systemd.watchdog, news.run, *asking, *pages]
            if followers:
                works.append(partial(keep_journal, partial(_alarms, engine, policy, started_at)))
            if "chores" in roles:
                works.append(partial(run_chores, engine, chores_of(engine, policy, clients)))
            await _follow(followers, deliverers, works, stop)
        for follower in followers:
            await follower.stop()
    log.info("stopped")


def _holder() -> str:
    """Who this process is, for the lease and for people."""
    return f"{socket.gethostname()}:{os.getpid()}"


async def _alarms(engine: Engine, policy: Policy, started_at: int) -> list[Alarm]:
    async with storage.read(engine) as conn:
        return alarms_of(await admin_status(conn, policy, started_at, clock.now()))


def _mode(settings: Settings, policy: Policy) -> Literal["live", "test", "sandbox"]:
    if settings.sandbox is not None:
        return "sandbox"
    return "live" if policy.livemode else "test"


async def _follow(
    followers: list[Follower], deliverers: list[Deliverer], works: list[Work], stop: asyncio.Event
) -> None:
    """Run all these until `stop`; then each ends its step at hand."""
    async with asyncio.TaskGroup() as group:
        runs = [group.create_task(follower.run(stop)) for follower in followers]
        runs += [group.create_task(deliverer.run(stop)) for deliverer in deliverers]
        others = [group.create_task(follower.heartbeat()) for follower in followers]
        others += [group.create_task(work()) for work in works]
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
    settings: Settings,
    policy: Policy,
    engine: Engine,
    clients: Mapping[Network, ChainClient],
    news: News | None,
    metrics: Metrics,
) -> AsyncIterator[list[Work]]:
    """Serve API and pages, and give what keeps them live; without `news` to wait for, do not."""
    if news is None:
        yield []
        return
    setup = Setup(
        admin_token=settings.admin.token.get_secret_value(),
        started_at=clock.now(),
        box=load_box(settings.secrets.key_file),
        news=news,
        access=_access(settings),
        nodes=sandbox.nodes_of(settings),
        clients=clients,
        metrics=metrics,
        faces=settings.compat.enabled,
    )
    app = add_pages(build_app(engine, policy, setup))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.server.host, settings.server.port)
        try:
            await site.start()
        except OSError as error:
            where = f"{settings.server.host}:{settings.server.port}"
            raise ConfigError(f"server: cannot listen on {where}: {error.strerror}") from error
        log.info("listening", host=settings.server.host, port=settings.server.port)
        yield [app[LIVE].run]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _deliverers(
    settings: Settings, policy: Policy, engine: Engine, news: News | None, metrics: Metrics
) -> AsyncIterator[list[Deliverer]]:
    """What delivers; without `news`, that it waits for, nothing."""
    if news is None:
        yield []
        return
    box, sender = load_box(settings.secrets.key_file), Sender(policy.webhooks.allow_private)
    deliverer = Deliverer(engine, policy, box, sender, news, metrics=metrics)
    try:
        yield [deliverer]
    finally:
        await deliverer.close()


def _access(settings: Settings) -> Access:
    return Access(
        per_key_per_minute=settings.limits.per_key_per_minute,
        per_ip_per_minute=settings.limits.per_ip_per_minute,
        trusted_proxies=[ip_network(each) for each in settings.server.trusted_proxies],
        cors_origins=frozenset(settings.server.cors_origins),
    )


async def _evaluate_past(engine: Engine, policy: Policy) -> None:
    """Open invoices past their deadline, once: other networks may be enabled than before."""
    async with storage.read(engine) as conn:
        tips = await settling.our_tips(conn, policy)
        newest = max((tip.timestamp for tip in tips.values()), default=0)
        past = await storage.invoices.past(conn, newest)
    for start in range(0, len(past), PAST_AT_ONCE):
        few = past[start : start + PAST_AT_ONCE]

        async def work(conn: storage.Conn, few: list[str] = few) -> None:
            await settling.evaluate_past(conn, policy, few, clock.now())

        await storage.repeat(engine, work)
