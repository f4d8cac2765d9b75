"""A shop on a real node: its written configuration, its books, and a follower in this process."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from cryptography.fernet import Fernet

import storage
from chains.evm.blocks import Listing, Reading, read_block
from chains.evm.client import EvmClient
from chains.evm.traces import Traces
from storage import Engine, close, open_engine
from tests.anvil import Anvil
from tests.factories import ADDRESS, FAMILY, make_id, make_invoice, make_quote
from tests.world import bodies, catch_up, open_shop
from watcher import clock
from watcher.api import Access, Setup, build_app
from watcher.config import load
from watcher.daemon import build_policy, client_options
from watcher.domain.invoices import Invoice
from watcher.domain.money import Address, Method, Network
from watcher.follower import Follower
from watcher.keys import SecretBox
from watcher.policy import Policy
from watcher.wakeup import News
from watcher.web import add_pages

ETHEREUM = Network("ethereum")
ETH, USDT = Method("ethereum:eth"), Method("ethereum:usdt")
TETHER = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
OTHER = Address("0x" + "d4" * 20)  # another invoice's address
ETHER = 10**18
DUE = 100_000_000  # 100 USDT
FAR = 2**35  # a deadline that no chain here reaches
TOKEN = "an-admin-token-for-tests"
DEADLINE_SECONDS = 20.0

Json = dict[str, Any]


async def read_here(
    block: bytes, receipts: bytes, listing: Listing, traces: Traces | None
) -> Reading:
    """Prove a block in this process: a story need not wait for the worker's start."""
    return read_block(block, receipts, listing, traces)


def bill(
    units: int = DUE, method: Method = USDT, *, to: Address = ADDRESS, key: str = "1"
) -> Invoice:
    """An invoice to be paid with `units` of `method` at `to`, with 3 confirmations."""
    decimals = 18 if method == ETH else 6
    quote = make_quote(units, method, decimals=decimals)
    return make_invoice(quotes=[quote], key=key, addresses={FAMILY: to}, expires_at=FAR)


def write_config(
    folder: Path, database_url: str, *urls: str, port: int = 8080, **network: object
) -> Path:
    """Write a configuration with endpoints a, b, …; `network` holds keys of the network."""
    names = ", ".join(
        f"{{ name = {json.dumps(name)}, url = {json.dumps(url)} }}"
        for name, url in zip("abc", urls, strict=False)
    )
    keys: dict[str, object] = {
        "chain_id": 1,
        "genesis_hash": "any",
        "confirmations": 3,
        "poll_seconds": 1,
        "start_block": 0,
        "reorg_limit": 8,
        **network,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    key_file = folder / "watcher.key"
    if not key_file.exists():
        key_file.touch(mode=0o600)
        key_file.write_bytes(Fernet.generate_key())
    path = folder / "watcher.toml"
    path.write_text(
        f"[server]\nport = {port}\n"
        f"[database]\nurl = {json.dumps(database_url)}\n"
        f'[admin]\ntoken = "{TOKEN}"\n'
        f"[secrets]\nkey_file = {json.dumps(str(key_file))}\n"
        "[limits]\nper_key_per_minute = 1000000\nper_ip_per_minute = 1000000\n"
        "[rates]\nsources = []\n"
        f"[networks.ethereum]\nendpoints = [{names}]\n" + "\n".join(lines) + "\n"
    )
    return path


@dataclass
class Shop:
    """Books that are open, and a follower that nobody runs yet."""

    engine: Engine
    policy: Policy
    follower: Follower

    async def deposits(self) -> list[Json]:
        """Every deposit that was told of when it was found, as it was told, in order."""
        seen: dict[str, Json] = {}
        for body in await bodies(self.engine):
            if isinstance(deposit := body.get("deposit"), dict):
                seen.setdefault(deposit["id"], deposit)
        return list(seen.values())

    async def follow(self, anvil: Anvil, blocks: int = 1) -> None:
        """Mine, and read all there is."""
        anvil.mine(blocks)
        await catch_up(self.follower)
        async with storage.read(self.engine) as conn:
            tip = (await storage.cursors.tips(conn))[ETHEREUM]
        assert tip.hash == anvil.hash(anvil.number())  # else "no deposit" would prove nothing


@asynccontextmanager
async def open_books(database_url: str, *invoices: Invoice) -> AsyncIterator[Engine]:
    """The database, with a merchant and these invoices where it has none yet."""
    engine = open_engine(database_url)
    try:
        async with storage.read(engine) as conn:
            known = await storage.merchants.get(conn, make_id("mer"))
        if known is None:
            await open_shop(engine, *invoices)
        yield engine
    finally:
        await close(engine)


@asynccontextmanager
async def run_shop(
    folder: Path, database_url: str, *urls: str, invoices: tuple[Invoice, ...] = (), **network: Any
) -> AsyncIterator[Shop]:
    """A shop with this configuration, whose follower proves blocks in this very process."""
    settings = load(write_config(folder, database_url, *urls, **network), {})
    policy = build_policy(settings)
    rules = policy.networks[ETHEREUM]
    client = EvmClient(rules.spec, client_options(settings, rules), read=read_here)
    try:
        async with open_books(database_url, *(invoices or (bill(),))) as engine:
            yield Shop(engine, policy, Follower(policy, ETHEREUM, client, engine, "test:1"))
    finally:
        await client.close()


@dataclass
class Desk:
    """What the operator sees over HTTP."""

    client: TestClient[web.Request, web.Application]

    async def network(self) -> Json:
        """The network's row of `/admin/status`."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with self.client.get("/admin/status", headers=headers) as response:
            [row] = (await response.json())["networks"]
            return dict(row)

    async def endpoint(self, name: str) -> Json:
        """An endpoint's row; empty before the follower's first report."""
        rows = (await self.network())["endpoints"]
        return next((dict(row) for row in rows if row["name"] == name), {})

    async def ready(self) -> tuple[int, list[str]]:
        """The status of `/readyz`, and its reasons."""
        async with self.client.get("/readyz") as response:
            return response.status, (await response.json())["reasons"]


@asynccontextmanager
async def open_desk(shop: Shop) -> AsyncIterator[Desk]:
    """The API of this shop, while its follower runs as in the daemon."""
    box = SecretBox([Fernet.generate_key().decode()])
    setup = Setup(TOKEN, clock.now(), box, News(shop.engine), Access(10**6, 10**6))
    app = add_pages(build_app(shop.engine, shop.policy, setup))
    async with TestClient(TestServer(app)) as client, running(shop.follower):
        yield Desk(client)


@asynccontextmanager
async def running(follower: Follower) -> AsyncIterator[None]:
    """Run the follower as the daemon does."""
    stop = asyncio.Event()
    beat = asyncio.create_task(follower.heartbeat())
    run = asyncio.create_task(follower.run(stop))
    try:
        yield
    finally:
        stop.set()
        await run
        beat.cancel()
        await asyncio.gather(beat, return_exceptions=True)
        await follower.stop()


async def until(
    look: Callable[[], Awaitable[Any]], what: str, seconds: float = DEADLINE_SECONDS
) -> Any:
    """What `look` gives as soon as it is true; `what` is said if it never is."""
    deadline = time.monotonic() + seconds
    while not (seen := await look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        await asyncio.sleep(0.02)
    return seen
