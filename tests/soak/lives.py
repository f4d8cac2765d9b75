"""One run of the soak: a shop, a daemon's many lives on its database, and the books in the end."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.fernet import Fernet

import storage
from storage import Conn, Engine
from tests.anvil import free_port
from tests.real.process import Daemon, lapse
from tests.real.shop import until
from tests.soak import nets
from tests.soak.chance import Chance
from tests.soak.verdict import Found, judge, standing
from watcher import clock
from watcher.config import load
from watcher.daemon import build_policy
from watcher.daemon.sandbox import XPUBS
from watcher.domain.invoices import Invoice
from watcher.domain.money import Method, Price
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
        AssertionError: a finding.
    """
    (folder / "watcher.key").write_text(Fernet.generate_key().decode() + "\n")
    async with nets.open_nets(plan.seed) as networks:
        port, path = free_port(), folder / "watcher.toml"
        path.write_text(nets.config(networks, port, database_url, str(folder)))
        policy = build_policy(load(path, {}))
        engine = storage.open_engine(database_url)
        chance = Chance(plan.seed, networks)
        shop = Shop(engine, policy, random.Random(plan.seed + 1))
        try:
            await shop.open()
            with Watcher(path, port) as daemon:
                run = Run(daemon, engine, chance, shop)
                while run.wants(plan):
                    await run.life()
                    if run.killed % 10 == 0:
                        tell(run.progress())
                await run.end()
            found = await judge(engine, policy, networks, chance, shop.merchant_id)
            return replace(found, killed=run.killed)
        finally:
            await storage.close(engine)


class Run:
    """The lives of one daemon."""

    def __init__(self, daemon: Watcher, engine: Engine, chance: Chance, shop: Shop) -> None:
        self.daemon, self.engine, self.chance, self.shop = daemon, engine, chance, shop
        self.killed = 0
        self._begun = time.monotonic()

    def wants(self, plan: Plan) -> bool:
        """Whether there is more to come."""
        payments = self.chance.happened["payments"]
        enough = self.killed >= plan.kills and payments >= plan.payments
        return not enough and time.monotonic() - self._begun < plan.seconds

    async def life(self) -> None:
        """Start it, let things happen, and kill it: while it starts, or amid its work."""
        rng = self.shop.rng
        before = await self._tips()
        await self._happen()
        self.daemon.start()
        if rng.random() < 0.2:
            await asyncio.sleep(4 * rng.random())
        else:
            await self._wait_for_step(before, START_SECONDS)
            for _ in range(rng.randint(2, 12)):
                before = await self._tips()
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
            return await self._tips() != before or time.monotonic() > deadline

        while not await stepped():
            self.chance.change_faults()
            await asyncio.sleep(LOOK_SECONDS)

    async def _tips(self) -> object:
        async with storage.read(self.engine) as conn:
            return await storage.cursors.tips(conn)

    async def end(self) -> None:
        """With endpoints that are well, read all there is; stop in good order."""
        self.chance.calm()
        heads = {net.name: net.head.hash.removeprefix("0x") for net in self.chance.nets}
        self.daemon.start()

        async def over() -> bool:
            self.daemon.check()
            async with storage.read(self.engine) as conn:
                tips = await storage.cursors.tips(conn)
                counts = await storage.deposits.counts(conn)
            at = {name: tip.hash for name, tip in tips.items()}
            return at == heads and not counts.get("pending")

        try:
            await until(over, "all is read and confirmed", END_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{await standing(self.engine)}") from error
        assert await self.daemon.stop() == 0

    def progress(self) -> str:
        happened = self.chance.happened
        return (
            f"{time.monotonic() - self._begun:5.0f} s  {self.killed} kills, "
            f"{happened['payments']} payments, {happened['reorgs']} reorgs"
        )
