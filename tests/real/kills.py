"""The daemon under SIGKILL: the books of a catch-up that is killed again and again."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path

import storage
from storage import Engine
from tests.anvil import Anvil
from tests.factories import ADDRESS, make_id
from tests.real.process import Daemon, lapse, tip_number
from tests.real.shop import DUE, ETH, ETHER, OTHER, TETHER, bill, open_books, run_shop
from tests.world import books, catch_up, told

BILLS = (bill(), bill(2 * ETHER, ETH, to=OTHER, key="2"))
MOST_PER_RUN, SPARE = 10, 8  # blocks until a kill; blocks that may still come before it
REQUESTS_PER_SECOND = 12  # two a block: a catch-up is slow enough to be killed in its midst


def mine_payments(anvil: Anvil, blocks: int) -> None:
    """A chain with payments of both kinds: too little, then enough, then too much."""
    for number in range(1, blocks + 1):
        if number % 10 == 3:
            anvil.send_token(TETHER, ADDRESS, 8 * DUE // blocks)
        if number % 15 == 4:
            anvil.send(OTHER, 20 * ETHER // blocks, sender=1)
        anvil.mine()


async def survive_kills(
    anvil: Anvil, folder: Path, killed_url: str, calm_url: str, kills: int, seed: int
) -> None:
    """Kill a catch-up `kills` times; its books equal those of one that nobody disturbed."""
    blocks = (MOST_PER_RUN + SPARE) * (kills + 1)
    mine_payments(anvil, blocks)
    async with run_shop(folder, calm_url, anvil.url, invoices=BILLS) as calm:
        await catch_up(calm.follower)
        calm_books, calm_events = await books(calm.engine), await told(calm.engine)
    async with open_books(killed_url, *BILLS) as engine:
        with Daemon(folder, killed_url, anvil.url) as daemon:
            whole = daemon.config.read_text()
            daemon.config.write_text(slowed(whole))
            await kill_often(daemon, engine, kills, random.Random(seed))
            assert await tip_number(engine) < blocks, "a kill came after the catch-up"
            daemon.config.write_text(whole)
            daemon.start()
            await daemon.reach(engine, blocks)
            assert await daemon.stop() == 0
        assert await books(engine) == calm_books
        assert sorted(await told(engine)) == sorted(calm_events)
        await assert_told_once(engine)


async def kill_often(daemon: Daemon, engine: Engine, kills: int, chance: random.Random) -> None:
    """Start the daemon, let it read some blocks, and kill it anywhere within a step."""
    for _ in range(kills):
        begun = await tip_number(engine)
        daemon.start()
        await daemon.reach(engine, begun + chance.randint(1, MOST_PER_RUN))
        await asyncio.sleep(2 * chance.random() / REQUESTS_PER_SECOND)
        daemon.kill()
        await lapse(engine)


def slowed(config: str) -> str:
    """The configuration with an endpoint that may not be asked as fast as it could."""
    return config.replace('" }]', f'", requests_per_second = {REQUESTS_PER_SECOND} }}]')


async def assert_told_once(engine: Engine) -> None:
    """Each deposit was told of once, and each change of a status by exactly one event."""
    async with storage.read(engine) as conn:
        events = await storage.events.after(conn, make_id("mer"), 0, 10_000)
        timeline = await storage.invoices.timeline(conn, [make_id("inv", key) for key in "12"])
    deposits = Counter((event.type, event.deposit_id) for event in events if event.deposit_id)
    assert deposits
    assert set(deposits.values()) == {1}
    for invoice_id, moments in timeline.items():
        kinds = [str(event.type) for event in events if event.invoice_id == invoice_id]
        changes = [kind for kind in kinds if kind.startswith("invoice.") and "updated" not in kind]
        reached = [f"invoice.{moment.status}" for moment in moments]
        assert changes == [kind for kind in reached if kind != "invoice.awaiting_payment"]
