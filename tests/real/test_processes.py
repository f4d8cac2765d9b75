"""Stories of several processes on one database: one follows, and each does its part."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import select

import storage
from storage import Engine, schema
from tests.anvil import Anvil
from tests.factories import ADDRESS
from tests.proxy import Call, Fault, Proxy
from tests.real.process import Daemon, lapse
from tests.real.shop import DUE, TETHER, bill, open_books, until
from tests.world import the_invoice, told
from watcher.daemon import ROLES
from watcher.domain.invoices import InvoiceStatus

PAID = ["deposit.detected", "invoice.confirming", "deposit.confirmed", "invoice.paid"]
BLOCK = "eth_getBlockByNumber"


@pytest.fixture
async def books_of(postgres_url: str) -> AsyncIterator[Engine]:
    """The database of all processes; several at once need PostgreSQL."""
    async with open_books(postgres_url, bill()) as engine:
        yield engine


def place(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made


def held(there: asyncio.Event, released: asyncio.Event) -> Fault:
    """A block as it was when it was first there, once it is released."""

    async def fault(call: Call) -> web.StreamResponse:
        true = await call.ask()
        if true is not None:
            there.set()
            await released.wait()
        return call.reply(result=true)

    return fault


async def facts(engine: Engine) -> list[Any]:
    """All that a follower writes but its heartbeat."""
    rows: list[Any] = []
    networks = schema.networks.c
    async with storage.read(engine) as conn:
        rows += await conn.execute(select(networks.holder, networks.epoch, networks.tip_hash))
        for table in (schema.blocks, schema.deposits, schema.invoices, schema.events):
            key = table.primary_key.columns
            rows += await conn.execute(select(table).order_by(*key))
    return rows


async def test_a_follower_that_slept_past_its_lease_writes_nothing_when_it_wakes(
    books_of: Engine, anvil: Anvil, proxy: Proxy, tmp_path: Path, postgres_url: str
) -> None:
    """It sleeps with the answer on its way that holds a payment, which then leaves the chain."""
    anvil.mine(2)
    there, released = asyncio.Event(), asyncio.Event()
    with (
        Daemon(place(tmp_path, "a"), postgres_url, proxy.url) as sleeper,
        Daemon(place(tmp_path, "b"), postgres_url, anvil.url) as other,
    ):
        sleeper.start()
        await sleeper.reach(books_of, 2)
        other.start()

        async def stands_by() -> bool:
            return (await other.get("/healthz"))[0] == 200

        await until(stands_by, "the other process is up", 30.0)
        anvil.send_token(TETHER, ADDRESS, DUE)
        proxy.fail(held(there, released), BLOCK, block=3)
        anvil.mine(2)
        await asyncio.wait_for(there.wait(), 20)
        os.kill(sleeper.pid, signal.SIGSTOP)
        try:
            anvil.reorg(2)
            anvil.mine()
            await lapse(books_of)
            await other.reach(books_of, 5)
            known = await facts(books_of)
        finally:
            os.kill(sleeper.pid, signal.SIGCONT)
        released.set()

        async def noticed() -> bool:
            log = sleeper.log.read_text()  # fenced; or its answer was too old, and it stands by
            return "another process follows" in log or "outage begins" in log

        await until(noticed, "it goes on")
        anvil.mine()
        await other.reach(books_of, 6)
        kept = await facts(books_of)
        assert [row for row in known[1:] if row not in kept] == []  # but for the tip
    assert await told(books_of) == []
    assert (await the_invoice(books_of)).status is InvoiceStatus.AWAITING_PAYMENT


@pytest.mark.timeout(180)
async def test_processes_of_one_role_each_do_together_what_one_does_alone(
    books_of: Engine, anvil: Anvil, tmp_path: Path, postgres_url: str
) -> None:
    """With two that do chores: each chore is done once."""
    names = [*ROLES, "chores"]
    anvil.mine(2)
    async with AsyncExitStack() as stack:
        proxies = [await stack.enter_async_context(Proxy(anvil.url)) for _ in names]
        daemons = [
            stack.enter_context(Daemon(place(tmp_path, f"{number}"), postgres_url, proxy.url))
            for number, proxy in enumerate(proxies)
        ]
        for name, daemon in zip(names, daemons, strict=True):
            daemon.start(None, "--role", name)
        by_role = dict(zip(names, daemons, strict=True))
        await by_role["follow"].reach(books_of, 2)
        anvil.send_token(TETHER, ADDRESS, DUE)
        anvil.mine(3)
        await by_role["follow"].reach(books_of, 5)

        async def seen() -> dict[str, Any]:
            row = await by_role["api"].network()
            return row if row and row["leader"] and row["tip"]["number"] == 5 else {}

        row = await until(seen, "the API shows what another process follows", 30.0)
        assert row["leader"].endswith(f":{by_role['follow'].pid}")
        assert (await by_role["follow"].get("/healthz"))[0] == 0

        async def paid() -> bool:
            return (await the_invoice(books_of)).status is InvoiceStatus.PAID

        await until(paid, "the invoice is paid")

        async def done() -> list[Any]:
            async with storage.read(books_of) as conn:
                courses = await storage.chores.courses(conn)
            return courses if all(each.last_ok for each in courses) else []

        courses = await until(done, "the chores are done", 60.0)
        assert [each.failures for each in courses] == [0] * len(courses)
        at_work = [p.calls.total() for n, p in zip(names, proxies, strict=True) if n == "chores"]
        assert sum(map(bool, at_work)) <= 1  # none, where an audit came before a final block
        for daemon in daemons:
            assert await daemon.stop() == 0
    assert await told(books_of) == PAID
