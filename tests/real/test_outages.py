"""Stories of the daemon's own process that cannot see, and of one stopped amid a catch-up."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

import storage
from storage import Engine
from tests.anvil import Anvil
from tests.factories import ADDRESS
from tests.real.process import Daemon, started, tip_number
from tests.real.shop import DUE, ETHEREUM, TETHER, bill, open_books, until
from tests.world import bodies, the_invoice, told
from watcher.domain.invoices import InvoiceStatus

LONG = 1500  # blocks: a catch-up of some seconds
OLD = 600  # seconds: of a newest block that makes a network stalled


@pytest.fixture
async def books_of(db_url: str) -> AsyncIterator[Engine]:
    """The database beside the daemon."""
    async with open_books(db_url, bill()) as engine:
        yield engine


async def scrape(daemon: Daemon) -> dict[str, float]:
    """The samples of the only network, by name; others by name and labels."""
    url = f"http://127.0.0.1:{daemon.port}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        families = text_string_to_metric_families(await response.text())
    return {
        " ".join(
            [sample.name.removeprefix("deposit_watcher_")]
            + [value for name, value in sorted(sample.labels.items()) if name != "network"]
        ): sample.value
        for family in families
        for sample in family.samples
    }


async def test_a_stop_amid_a_catch_up_ends_between_two_steps(
    books_of: Engine, anvil: Anvil, tmp_path: Path, db_url: str
) -> None:
    sent = []
    for _ in range(10):
        sent.append(anvil.send_token(TETHER, ADDRESS, DUE // 10))
        anvil.mine()
        anvil.rpc("anvil_mine", hex(LONG // 10 - 1), hex(12))

    async def found() -> list[tuple[str, int]]:
        told_of = zip(await bodies(books_of), await told(books_of), strict=True)
        deposits = [
            cast("dict[str, str]", body["deposit"])
            for body, kind in told_of
            if kind == "deposit.detected"
        ]
        return [(each["tx_hash"], int(each["block_number"])) for each in deposits]

    with Daemon(tmp_path, db_url, anvil.url, traces="off") as daemon:
        async with started(daemon):
            await daemon.reach(books_of, LONG // 10)
        tip = await tip_number(books_of)
        assert tip < LONG, "it was over before it was stopped"
        async with storage.read(books_of) as conn:
            kept = await storage.blocks.tip(conn, ETHEREUM)
            assert await storage.leases.holder(conn, ETHEREUM) is None
        assert kept is not None
        assert (kept.number, kept.hash) == (tip, anvil.hash(tip))
        paid = [(tx, 1 + n * (LONG // 10)) for n, tx in enumerate(sent)]
        assert await found() == [each for each in paid if each[1] <= tip]

        async with started(daemon):
            await daemon.reach(books_of, LONG)
            counted = await scrape(daemon)
    assert await found() == paid
    assert counted["blocks_total"] == LONG - tip
    assert counted["rpc_requests_total a eth_getBlockReceipts ok"] >= LONG - tip
    assert counted["proof_seconds_count"] >= LONG - tip
    assert 1 <= counted["step_seconds_count"] <= LONG - tip
    assert (await the_invoice(books_of)).status is InvoiceStatus.PAID


@pytest.fixture
def sleeper() -> Iterator[Anvil]:
    """A node whose newest block is old: it does not follow its network."""
    with Anvil("--timestamp", str(int(time.time()) - OLD), epoch_slots=64) as node:
        node.put_token(TETHER)
        yield node


async def test_while_blind_nothing_expires_and_the_alarm_is_told_once(
    sleeper: Anvil, tmp_path: Path, sqlite_url: str
) -> None:
    deadline = int(time.time()) - OLD // 2  # long past, had we seen the chain get there
    due = replace(bill(), expires_at=deadline)
    async with open_books(sqlite_url, due) as books:
        with Daemon(tmp_path, sqlite_url, sleeper.url) as daemon:
            sleeper.mine(2, seconds=1)
            async with started(daemon):
                await daemon.reach(books, 2)

                async def alarmed() -> bool:
                    return daemon.log.read_text().count("network_stalled") == 1

                await until(alarmed, "the alarm is in the log", 30.0)
                assert (await daemon.network())["state"] == "stalled"
                ready, body = await daemon.get("/readyz")
                assert (ready, body["ready"]) == (503, False)
                samples = await scrape(daemon)
                assert samples["alarm network_stalled ethereum"] == 1
                assert samples["invoices_delayed"] == 1
                assert (await the_invoice(books)).status is InvoiceStatus.AWAITING_PAYMENT

                sleeper.mine(seconds=int(time.time()) - sleeper.time())
                await daemon.reach(books, 3)

                async def over() -> bool:
                    lines = daemon.log.read_text().splitlines()
                    return [
                        "alarm is over" in line for line in lines if "network_stalled" in line
                    ] == [False, True]

                await until(over, "its end is in the log", 30.0)
                assert (await daemon.get("/readyz"))[0] == 200
                assert "alarm network_stalled ethereum" not in await scrape(daemon)
        assert (await the_invoice(books)).status is InvoiceStatus.EXPIRED
