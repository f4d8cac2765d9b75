"""Processes that open invoices from one xpub, all at once.

One of them is `python -m tests.opening URL MERCHANT COUNT`: it begins when it is told to.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from sqlalchemy import select

import storage
from storage import Conn, close, open_engine, schema
from tests.api.shop import ETHEREUM, EVM, USDT, add_merchant, make_policy
from watcher import invoicing
from watcher.clock import now
from watcher.domain.money import Price

ROOT = Path(__file__).parent.parent
POLICY = make_policy()
CODEC = POLICY.networks[ETHEREUM].spec.codec
SOLE = invoicing.NewInvoice(Price("10", "USD"), [USDT])


@dataclass(frozen=True, slots=True)
class Opened:
    """What several processes did together."""

    invoices: int
    turns: int
    """How often an address was given out by another process than the one before."""


async def open_one(engine: storage.Engine, merchant_id: str) -> str:
    """The address of a new invoice."""

    async def work(conn: Conn) -> str:
        made = await invoicing.open_invoice(conn, POLICY, merchant_id, SOLE, now())
        return CODEC.show(made.addresses[EVM])

    return await storage.repeat(engine, work)


async def open_at_once(database_url: str, each: int, processes: int = 2) -> Opened:
    """Let every process open `each` invoices; no address is given twice, no index passed over."""
    engine = open_engine(database_url)
    merchant_id = await add_merchant(engine)
    given = await asyncio.to_thread(_run, [database_url, merchant_id, str(each)], processes)
    table = schema.addresses
    async with storage.read(engine) as conn:
        [(wallet, _)] = await storage.wallets.listing(conn)
        rows = await conn.execute(select(table.c.index, table.c.address).order_by(table.c.index))
        stored = [(index, CODEC.show(address)) for index, address in rows]
    await close(engine)
    count = each * processes
    assert [index for index, _ in stored] == list(range(count))
    assert wallet.next_index == count
    giver = {address: place for place, mine in enumerate(given) for address in mine}
    assert sum(len(mine) for mine in given) == len(giver) == count
    assert {address for _, address in stored} == giver.keys()
    turns = sum(giver[one] != giver[next_] for (_, one), (_, next_) in pairwise(stored))
    return Opened(count, turns)


def _run(arguments: list[str], processes: int) -> list[list[str]]:
    """The addresses that each process gave out; none begins before all can."""
    command = [sys.executable, "-m", "tests.opening", *arguments]
    with ExitStack() as stack:
        running = [
            stack.enter_context(
                subprocess.Popen(
                    command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            )
            for _ in range(processes)
        ]
        for each in running:
            stack.callback(each.kill)
        for each in running:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        for each in running:
            assert each.stdin is not None
            each.stdin.write("begin\n")
            each.stdin.flush()
        given: list[list[str]] = [json.loads(each.communicate()[0]) for each in running]
        assert [each.returncode for each in running] == [0] * processes
    return given


async def main(database_url: str, merchant_id: str, count: str) -> None:
    """Open so many invoices, one after the other, and print their addresses in the end."""
    engine = open_engine(database_url)
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps([await open_one(engine, merchant_id) for _ in range(int(count))]))
    await close(engine)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
