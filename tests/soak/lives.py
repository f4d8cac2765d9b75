"""One run of the soak: a shop, a daemon's many lives on its database, and the books in the end."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from itertools import chain
from operator import itemgetter
from pathlib import Path

import msgspec
from cryptography.fernet import Fernet

import storage
from storage import Conn, Engine
from tests.anvil import free_port
from tests.real.process import Daemon, lapse
from tests.real.shop import until
from tests.soak import nets
from tests.soak.chance import Chance
from tests.soak.mending import await_warnings, mend, rumours
from tests.soak.verdict import (
    Found,
    differences,
    judge,
    paid_of,
    read_books,
    standing,
    truth,
)
from watcher import clock
from watcher.config import load
from watcher.daemon import build_policy
from watcher.daemon.sandbox import XPUBS
from watcher.domain.blocks import BlockRef
from watcher.domain.invoices import Invoice
from watcher.domain.money import Method, Network, Price
from watcher.invoicing import NewInvoice, cancel_invoice, open_invoice, select_method
from watcher.merchants import add_merchant
from watcher.policy import Policy
from watcher.refused import Refused
from watcher.wallets import add_xpub

START_SECONDS, STEP_SECONDS = 20.0, 1.5  # endpoints may keep the daemon from a step for so long
LOOK_SECONDS = 0.3
END_SECONDS = 600.0


class Watcher(Daemon):
    """The daemon on a configuration that is written already."""

    def __init__(self, config: Path, port: int) -> None:
        self.config, self.port = config, port
        self.log, self.process = config.parent / "daemon.log", None


class Shop:
    """Merchant and invoices, opened from this process while the daemon lives in its own."""

    def __init__(self, engine: Engine, policy: Policy, rng: random.Random) -> None:
        self.engine, self.policy, self.rng = engine, policy, rng
        self.merchant_id = ""
        self.invoices: list[Invoice] = []
        self.methods = [
            Method(name)
            for name in (
                *("ethereum:eth", "ethereum:usdt", "ethereum:usdc", "ethereum:dai"),
                *("polygon:pol", "polygon:usdc", "tron:trx", "tron:usdt", "tron:coin"),
            )
        ]

    async def open(self) -> None:
        async def work(conn: Conn) -> None:
            now = clock.now()
            self.merchant_id = (await add_merchant(conn, "Soak", now)).id
            for family, xpub in XPUBS.items():
                await add_xpub(conn, self.merchant_id, family, xpub, 0, now)

        await storage.repeat(self.engine, work)

    async def sell(self) -> Invoice:
        """Open an invoice with a method or a few, one of them selected."""
        offered = self.rng.sample(self.methods, self.rng.randint(1, 3))
        price = Price(str(self.rng.randint(1, 300)), "USD")
        valid_for = self.rng.choice((60, 120, 3600))

        async def work(conn: Conn) -> Invoice:
            wanted = NewInvoice(price, offered, valid_for, autoselect=False)
            now = clock.now()
            opened = await open_invoice(conn, self.policy, self.merchant_id, wanted, now)
            for method in offered[:2]:
                opened = await select_method(conn, self.policy, None, opened.id, method, now)
            return opened

        invoice = await storage.repeat(self.engine, work)
        self.invoices.append(invoice)
        return invoice

    async def cancel_one(self) -> None:
        """Cancel some invoice, if it may be."""
        invoice = self.rng.choice(self.invoices)

        async def work(conn: Conn) -> Invoice:
            return await cancel_invoice(conn, self.policy, None, invoice.id, clock.now())

        with suppress(Refused):  # money was seen, or it is too late
            await storage.repeat(self.engine, work)


@dataclass(frozen=True)
class Plan:
    """How much shall happen."""

    seed: int
    kills: int
    payments: int
    """At least; as kills are."""
    seconds: float = math.inf
    """Then it ends, also with less."""


async def live(
    folder: Path, database_url: str, plan: Plan, tell: Callable[[str], object] = str
) -> Found:
    """Let a daemon die as planned; what its books hold in the end.

    Raises:
        AssertionError: a finding; beside the daemon's log is what befell requests.
    """
    async with opened(folder, database_url, plan.seed) as run:
        try:
            while run.wants(plan):
                await run.life()
                if run.killed % 10 == 0:
                    tell(run.progress())
            return await run.end()
        except AssertionError:
            _keep(folder, run.chance.nets)
            raise


@asynccontextmanager
async def opened(folder: Path, database_url: str, seed: int) -> AsyncIterator[Run]:
    """A shop on three networks, and a daemon that is not started yet."""
    (folder / "watcher.key").write_text(Fernet.generate_key().decode() + "\n")
    async with nets.open_nets(seed) as networks:
        port, path = free_port(), folder / "watcher.toml"
        path.write_text(nets.config(networks, port, database_url, str(folder)))
        policy = build_policy(load(path, {}))
        engine = storage.open_engine(database_url)
        shop = Shop(engine, policy, random.Random(seed + 1))
        try:
            await shop.open()
            with Watcher(path, port) as daemon:
                yield Run(daemon, engine, Chance(seed, networks), shop)
        finally:
            await storage.close(engine)


def _keep(folder: Path, networks: Sequence[nets.Net]) -> None:
    """Leave beside the daemon's log what befell requests, a line each, in the order of time."""
    strikes = [
        {"network": net.name, "endpoint": name, **msgspec.to_builtins(strike)}
        for net in networks
        for name, gateway in zip("ab", net.gateways, strict=True)
        for strike in gateway.strikes
    ]
    strikes.sort(key=itemgetter("at"))
    (folder / "strikes.jsonl").write_bytes(b"\n".join(map(msgspec.json.encode, strikes)))


class Run:
    """The lives of one daemon."""

    def __init__(self, daemon: Watcher, engine: Engine, chance: Chance, shop: Shop) -> None:
        self.daemon, self.engine, self.chance, self.shop = daemon, engine, chance, shop
        self.killed, self.mended = 0, 0
        self._begun = time.monotonic()

    def wants(self, plan: Plan) -> bool:
        """Whether there is more to come."""
        payments = self.chance.happened["payments"]
        enough = self.killed >= plan.kills and payments >= plan.payments
        return not enough and time.monotonic() - self._begun < plan.seconds

    async def life(self) -> None:
        """Start it, let things happen, and kill it: while it starts, or amid its work."""
        rng = self.shop.rng
        before = await self.tips()
        await self._happen()
        self.daemon.start()
        if rng.random() < 0.2:
            await asyncio.sleep(4 * rng.random())
        else:
            await self._wait_for_step(before, START_SECONDS)
            for _ in range(rng.randint(2, 12)):
                before = await self.tips()
                await self._happen()
                await self._wait_for_step(before, STEP_SECONDS)
            await asyncio.sleep(rng.choice((0, 0.05, 0.5)) * rng.random())
        self.daemon.check()
        self.daemon.kill()
        self.killed += 1
        await lapse(self.engine)

    async def _happen(self) -> None:
        self.chance.payable = [*self.chance.payable[-30:], await self.shop.sell()]
        if self.shop.rng.random() < 0.1:
            await self.shop.cancel_one()
        self.chance.tick()

    async def _wait_for_step(self, before: object, seconds: float) -> None:
        """Let the daemon read something, if it can; what endpoints do changes meanwhile."""
        deadline = time.monotonic() + seconds

        async def stepped() -> bool:
            return await self.tips() != before or time.monotonic() > deadline

        while not await stepped():
            self.chance.change_faults()
            await asyncio.sleep(LOOK_SECONDS)

    async def tips(self) -> dict[Network, BlockRef]:
        """Our newest block on each network."""
        async with storage.read(self.engine) as conn:
            return await storage.cursors.tips(conn)

    async def end(self) -> Found:
        """With endpoints that are well, read all there is; mend what their word hid; compare.

        Raises:
            AssertionError: a finding.
        """
        self.chance.calm()
        nets, policy, merchant_id = self.chance.nets, self.shop.policy, self.shop.merchant_id
        heads = {net.name: net.head.hash.removeprefix("0x") for net in nets}
        self.daemon.start()

        async def is_read() -> bool:
            tips = await self.tips()
            return {name: tip.hash for name, tip in tips.items()} == heads

        await self._until(is_read, "all is read")
        reads = await truth(nets, policy)
        found = differences(await read_books(self.engine, merchant_id), reads)
        if found.all:
            await mend(self.daemon, self.engine, policy, nets, found)
            self.mended = len(found.all)
        after = differences(await read_books(self.engine, merchant_id), reads)
        rumoured = rumours(after, found)

        async def is_confirmed() -> bool:
            async with storage.read(self.engine) as conn:
                held = [await storage.deposits.pending(conn, net.name) for net in nets]
            return {paid_of(each) for each in chain(*held)} == {*rumoured}

        await self._until(is_confirmed, "all is confirmed that is true")
        await await_warnings(self.engine, rumoured)
        assert await self.daemon.stop() == 0
        found_all = await judge(self.engine, policy, self.chance, merchant_id, reads, rumoured)
        return replace(found_all, killed=self.killed, mended=self.mended)

    async def _until(self, look: Callable[[], Awaitable[bool]], what: str) -> None:
        async def seen() -> bool:
            self.daemon.check()
            return await look()

        try:
            await until(seen, what, END_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{await standing(self.engine)}") from error

    def progress(self) -> str:
        happened = self.chance.happened
        return (
            f"{time.monotonic() - self._begun:5.0f} s  {self.killed} kills, "
            f"{happened['payments']} payments, {happened['reorgs']} reorgs"
        )
