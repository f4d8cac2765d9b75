"""What following at the head takes: how late a block's consequences are there, how many requests.

    python -m benchmarks.head [--seconds 90]

Three networks before embedded nodes in this very process, with the configuration's defaults, on
SQLite; every block holds a payment to a stranger.

at once   100 blocks, each with a payment to an invoice, asked for as soon as it is mined: until
          the invoice's new status is committed
at pace   blocks at the network's own pace, a tenth sooner or later, found by polling; every tenth
          pays an invoice: until the block's consequences are committed
requests  that reached the node at pace: blocks, traces, polls, finality, agreement
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog
from aiohttp import web
from cryptography.fernet import Fernet

import storage
from benchmarks.harness import migrated
from benchmarks.harness.cost import percentiles
from benchmarks.harness.nodes import NAMES, UNITS, open_embedded, pay, payee, spec_of
from chains.sandbox.control import Answer
from chains.sandbox.node import Kind, Node
from storage import Engine
from tests.factories import make_invoice, make_quote
from tests.real.shop import TOKEN, running
from tests.world import catch_up, open_shop
from watcher.config import load
from watcher.daemon import build_policy, client_options
from watcher.domain.money import Network
from watcher.follower import Follower
from watcher.policy import Policy

AT_ONCE, EVERY = 100, 10
FAR = 2**35  # a deadline that no chain here reaches
DAY = 86_400
MOST_PAID = 1_000
STRANGER = 10**6


@dataclass
class Watched:
    """One network with its node, and what came of its blocks."""

    name: str
    node: Node[Any, Any]
    follower: Follower
    requests: Counter[str]
    places: Iterator[int]
    """Of the invoices that are not paid yet; all networks share them."""
    at_once: list[float] = field(default_factory=list)
    at_pace: list[float] = field(default_factory=list)
    mined: dict[int, float] = field(default_factory=dict)
    """When each block was there that is not ours yet, by number."""

    def mine(self, *, ours: bool) -> None:
        """A block with a payment to a stranger, and with one to an invoice."""
        family = spec_of(self.name).family
        pay(self.node, payee(family, STRANGER))
        if ours:
            pay(self.node, payee(family, next(self.places)))
        self.node.mine()


def main() -> None:
    """Print one line per network."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.head", description=__doc__)
    parser.add_argument("--seconds", type=float, default=90)
    seconds = parser.parse_args().seconds
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))  # quiet
    with TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), seconds))


async def measure(folder: Path, seconds: float) -> None:
    database = f"sqlite:///{folder}/watcher.db"
    await migrated(database)
    engine = storage.open_engine(database)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(storage.close, engine)
        counts = {name: Counter[str]() for name in NAMES}
        nodes = {
            name: await stack.enter_async_context(
                open_embedded(name, time.time, counting(counts[name]))
            )
            for name in NAMES
        }
        settings = load(write_config(folder, database, nodes), {})
        policy = build_policy(settings)
        await open_invoices(engine)
        networks, places = [], count()
        for name, node in nodes.items():
            rules = policy.networks[Network(name)]
            client = rules.spec.open_client(rules.spec, client_options(settings, rules))
            stack.push_async_callback(client.close)
            follower = Follower(policy, rules.spec.name, client, engine, "benchmark:1")
            networks.append(Watched(name, node, follower, counts[name], places))
        for network in networks:
            await ask_at_once(network)
        await keep_pace(engine, networks, seconds)
    show(networks, policy, seconds)


async def ask_at_once(network: Watched) -> None:
    """Seconds from each block to its commit, without any wait for a poll."""
    await catch_up(network.follower)
    for _ in range(AT_ONCE):
        network.mine(ours=True)
        mined = time.perf_counter()
        assert await network.follower.turn()
        network.at_once.append(time.perf_counter() - mined)
    await catch_up(network.follower)


async def keep_pace(engine: Engine, networks: list[Watched], seconds: float) -> None:
    """Run all followers as the daemon does, while blocks come at their pace."""
    stirred = asyncio.Event()
    engine.after_commit.append(stirred.set)
    async with AsyncExitStack() as stack:
        for network in networks:
            network.requests.clear()
            await stack.enter_async_context(running(network.follower))
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                for network in networks:
                    group.create_task(mine_at_pace(network))
                group.create_task(note_commits(engine, networks, stirred))
        for network in networks:
            network.requests = Counter(network.requests)  # not what stopping asks


async def mine_at_pace(network: Watched) -> None:
    pace, chance = spec_of(network.name).pace_seconds, random.Random(network.name)
    for block in count():
        await asyncio.sleep(pace * chance.uniform(0.9, 1.1))
        network.mine(ours=block % EVERY == 0)
        network.mined[network.node.chain.head.number] = time.perf_counter()


async def note_commits(engine: Engine, networks: list[Watched], stirred: asyncio.Event) -> None:
    """After each commit, see which blocks have become ours."""
    while True:
        await stirred.wait()
        stirred.clear()
        committed = time.perf_counter()
        async with storage.read(engine) as conn:
            tips = await storage.cursors.tips(conn)
        for network in networks:
            tip = tips[Network(network.name)].number
            for number in [each for each in network.mined if each <= tip]:
                network.at_pace.append(committed - network.mined.pop(number))


def counting(requests: Counter[str]) -> Callable[[Kind[Any, Any]], Kind[Any, Any]]:
    """Notes every request that reaches a node of this kind."""

    def change(kind: Kind[Any, Any]) -> Kind[Any, Any]:
        def door(node: Node[Any, Any]) -> Answer:
            answer = kind.door(node)

            async def counted(request: web.Request) -> web.StreamResponse:
                requests["all"] += 1
                return await answer(request)

            return counted

        return replace(kind, door=door)

    return change


def write_config(folder: Path, database: str, nodes: dict[str, Node[Any, Any]]) -> Path:
    """The defaults, but for chains of their own."""
    tables = [
        f'[networks.{name}]\ngenesis_hash = "any"\nstart_block = 0\n'
        f'endpoints = [{{ name = "node", url = "{node.url}" }}]\n'
        for name, node in nodes.items()
    ]
    key_file = folder / "watcher.key"
    key_file.touch(mode=0o600)
    key_file.write_bytes(Fernet.generate_key())
    tables += [
        f'[database]\nurl = "{database}"\n',
        f'[admin]\ntoken = "{TOKEN}"\n',
        f'[secrets]\nkey_file = "{key_file}"\n',
    ]
    path = folder / "watcher.toml"
    path.write_text("".join(tables))
    return path


async def open_invoices(engine: Engine) -> None:
    """Enough for every payment of the run, on whichever network it comes."""
    coins = {name: spec_of(name).assets[0] for name in NAMES}
    quotes = [make_quote(UNITS, coin.method, decimals=coin.decimals) for coin in coins.values()]
    families = {spec_of(name).family for name in NAMES}
    await open_shop(
        engine,
        *(
            make_invoice(
                quotes=quotes,
                key=str(place),
                addresses={family: payee(family, place) for family in families},
                expires_at=FAR,
            )
            for place in range(MOST_PAID)
        ),
    )


def show(networks: list[Watched], policy: Policy, seconds: float) -> None:
    print(f"{'':10} {'at once, ms':>15} {'at pace, s':>24} {'requests':>20}")
    print(
        f"{'network':10} {'p50':>7} {'p99':>7} {'blocks':>7} {'poll':>4} {'p50':>5} {'p99':>5}"
        f" {'a block':>9} {'a day':>9}"
    )
    for network in networks:
        found, requests = len(network.at_pace), network.requests.total()
        poll = policy.networks[Network(network.name)].poll_seconds
        soon, late = percentiles(network.at_once), percentiles(network.at_pace)
        print(
            f"{network.name:10} {1000 * soon[0]:7.1f} {1000 * soon[1]:7.1f} {found:7} {poll:4}"
            f" {late[0]:5.2f} {late[1]:5.2f}"
            f" {requests / found:9.1f} {requests * DAY / seconds:9,.0f}"
        )


if __name__ == "__main__":
    main()
