"""The long run: `make soak`, or `python -m tests.soak --kills 100 --payments 1000 --seed 7`.

The seed is printed. It repeats what is paid, dropped, delayed and falsified, and for how long a
daemon lives; the scheduler of the machine still has its say in where exactly a kill falls.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage import close, open_engine
from storage.migrate import migrate
from tests.opening import open_at_once
from tests.postgres import database_url, postgres_server, run_sql
from tests.soak.lives import Plan, live
from tests.soak.verdict import unreached
from tests.webhooks.kills import survive_kills

ENGINES = ("sqlite", "postgresql")


def main() -> None:
    """Run the soak on each engine; an AssertionError is a finding.

    Exits with 1 where less happened than was asked for.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="per engine")
    parser.add_argument("--payments", type=int, default=1000, help="at least; per engine")
    parser.add_argument("--invoices", type=int, default=10_000, help="opened in a row; per engine")
    parser.add_argument("--minutes", type=float, default=20, help="at most; per engine")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--engine", choices=ENGINES, help="this one only")
    chosen = parser.parse_args()
    engines = [chosen.engine] if chosen.engine else ENGINES
    print(f"seed {chosen.seed}: {chosen.kills} kills, {chosen.payments} payments per engine")
    lacking: list[str] = []
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    with _kept(folder), postgres_server() as server:
        for engine in engines:
            place = folder / engine
            place.mkdir()
            books, hooks, shop = (_make_database(server, place, engine) for _ in range(3))
            lacking += asyncio.run(_soak(engine, place, books, chosen))
            asyncio.run(_soak_deliveries(engine, hooks, chosen))
            asyncio.run(_soak_addresses(engine, shop, chosen))
    if lacking:
        sys.exit("\n".join(lacking))  # with 1


@contextmanager
def _kept(folder: Path) -> Iterator[None]:
    """Remove the folder in the end, unless there is something to look into."""
    try:
        yield
    except BaseException:
        print(f"kept: logs, what befell requests and SQLite's database, in {folder}", flush=True)
        raise
    shutil.rmtree(folder)


def _make_database(server: str, folder: Path, engine: str) -> str:
    """The URL of a database without a table."""
    name = f"soak_{uuid.uuid4().hex}"
    if engine == "sqlite":
        return f"sqlite:///{folder}/{name}.db"
    run_sql(server, f"CREATE DATABASE {name}")
    return database_url(server, name)


async def _migrate(url: str) -> None:
    opened = open_engine(url)
    await migrate(opened)
    await close(opened)


async def _soak_deliveries(engine: str, url: str, chosen: argparse.Namespace) -> None:
    """Kill a process that delivers webhooks, half as often."""
    begun, kills = time.monotonic(), chosen.kills // 2
    await _migrate(url)
    events = await survive_kills(url, kills, chosen.seed)
    seconds = time.monotonic() - begun
    print(
        f"{engine}: all {events} events arrived after {kills} kills of what delivers; "
        f"{seconds:.0f} s"
    )


async def _soak_addresses(engine: str, url: str, chosen: argparse.Namespace) -> None:
    """Open invoices by two processes at once: no index is passed over, no address given twice."""
    begun = time.monotonic()
    await _migrate(url)
    opened = await open_at_once(url, chosen.invoices // 2)
    seconds = time.monotonic() - begun
    print(
        f"{engine}: two processes opened {opened.invoices} invoices from one xpub, without a gap "
        f"or an address twice, in turns {opened.turns} times; {seconds:.0f} s, "
        f"{opened.invoices / seconds:.0f} a second",
        flush=True,
    )


async def _soak(engine: str, folder: Path, url: str, chosen: argparse.Namespace) -> list[str]:
    """What was not reached, a sentence each."""
    begun = time.monotonic()
    await _migrate(url)

    def tell(line: str) -> None:
        print(f"{engine}: {line}", flush=True)

    plan = Plan(chosen.seed, chosen.kills, chosen.payments, 60 * chosen.minutes)
    found = await live(folder, url, plan, tell)
    for what in (found.happened, found.struck, found.statuses):
        tell(", ".join(f"{count} {name}" for name, count in sorted(what.items())))
    tell(
        f"the books are equal after {found.killed} kills: {found.deposits} deposits, each once, "
        f"{found.orphaned} orphaned, {found.mended} mended, {found.invoices} invoices, "
        f"{found.events} events; {time.monotonic() - begun:.0f} s"
    )
    return [f"{engine}: {each}" for each in unreached(found, chosen.kills, chosen.payments)]


if __name__ == "__main__":
    main()
