"""Stories of the daemon's own process: down for long, killed, stopped, without a node."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

import storage
from storage import Engine
from tests import proxy as faults
from tests.anvil import Anvil, free_port
from tests.factories import ADDRESS, make_id
from tests.proxy import Proxy
from tests.real.kills import survive_kills
from tests.real.process import ROOT, Daemon, started
from tests.real.shop import DUE, ETH, ETHER, OTHER, TETHER, TOKEN, bill, open_books, until
from tests.world import bodies, the_invoice, told
from watcher.domain.invoices import InvoiceStatus

KILLS, SEED = 8, 20_261_121
SECRET = "s3cr3t-pr0ject-id"
PAID = ["deposit.detected", "invoice.confirming", "deposit.confirmed", "invoice.paid"]


@pytest.fixture
async def books_of(db_url: str) -> AsyncIterator[Engine]:
    """The database beside the daemon."""
    async with open_books(db_url, bill(), bill(2 * ETHER, ETH, to=OTHER, key="2")) as engine:
        yield engine


async def test_500_blocks_of_an_absence_are_read_in_order_and_no_payment_is_missed(
    books_of: Engine, anvil: Anvil, tmp_path: Path, db_url: str
) -> None:
    with Daemon(tmp_path, db_url, anvil.url, reorg_limit=128) as daemon:
        anvil.mine(2)
        async with started(daemon):
            await daemon.reach(books_of, 2)
        sent = []
        for _ in range(20):
            sent.append(anvil.send_token(TETHER, ADDRESS, DUE // 20))
            sent.append(anvil.send(OTHER, ETHER // 10))
            anvil.mine()
            anvil.rpc("anvil_mine", hex(24), hex(12))
        assert anvil.number() == 502
        async with started(daemon):
            await daemon.reach(books_of, 502)
    found = [
        cast("dict[str, str]", body["deposit"])
        for body, kind in zip(await bodies(books_of), await told(books_of), strict=True)
        if kind == "deposit.detected"
    ]
    assert [each["tx_hash"] for each in found] == sent
    for key in "12":
        assert (await the_invoice(books_of, key)).status is InvoiceStatus.PAID


@pytest.fixture
def calm_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A second database, for the books that nobody disturbs."""
    shutil.copy(sqlite_template, tmp_path / "calm.db")
    return f"sqlite:///{tmp_path / 'calm.db'}"


@pytest.mark.timeout(180)
async def test_kills_at_any_moment_of_a_catch_up_leave_the_books_of_a_calm_one(
    anvil: Anvil, tmp_path: Path, db_url: str, calm_url: str
) -> None:
    await survive_kills(anvil, tmp_path, db_url, calm_url, KILLS, SEED)


async def test_what_a_killed_daemon_started_ends_too(
    books_of: Engine, anvil: Anvil, tmp_path: Path, db_url: str
) -> None:
    with Daemon(tmp_path, db_url, anvil.url) as daemon:
        anvil.mine(2)
        daemon.start()
        await daemon.reach(books_of, 2)
        children = daemon.children()
        assert children  # the process that proves blocks
        daemon.kill()

        async def gone() -> bool:
            return not any(map(runs, children))

        await until(gone, "its children end")


def runs(pid: int) -> bool:
    """Whether a process is there and no zombie: nobody here waits for a grandchild."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@asynccontextmanager
async def supervised() -> AsyncIterator[tuple[dict[str, str], list[str]]]:
    """What systemd gives a service to talk to it, and what it says there."""
    said: list[str] = []
    # A short path: a socket's has at most 107 bytes.
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify,
    ):
        notify.bind(f"{folder}/notify")
        notify.setblocking(False)
        loop = asyncio.get_running_loop()
        loop.add_reader(notify, lambda: said.append(notify.recv(4096).decode()))
        try:
            yield {"NOTIFY_SOCKET": f"{folder}/notify", "WATCHDOG_USEC": "400000"}, said
        finally:
            loop.remove_reader(notify)


async def test_systemd_hears_ready_then_the_watchdog_and_at_the_end_stopping(
    anvil: Anvil, tmp_path: Path, sqlite_url: str
) -> None:
    with Daemon(tmp_path, sqlite_url, anvil.url) as daemon:
        async with supervised() as (environ, said):
            async with started(daemon, environ):

                async def pinged() -> bool:
                    return said.count("WATCHDOG=1") >= 3

                await until(pinged, "the watchdog is fed")
                assert said[0] == "READY=1"
                assert "STOPPING=1" not in said
            assert "STOPPING=1" in said


async def test_a_dead_node_neither_stops_the_watchdog_nor_the_daemon(
    anvil: Anvil, tmp_path: Path, sqlite_url: str
) -> None:
    async with open_books(sqlite_url, bill()) as engine, supervised() as (environ, said):
        with Daemon(tmp_path, sqlite_url, anvil.url) as daemon:
            anvil.mine()
            async with started(daemon, environ):
                await daemon.reach(engine, 1)
                anvil.stop()

                async def told_of() -> bool:
                    return "connect" in ((await daemon.network())["last_error"] or "")

                await until(told_of, "the outage shows", 20.0)
                heard = len(said)

                async def pinged() -> bool:
                    return said[heard:].count("WATCHDOG=1") >= 5

                await until(pinged, "the watchdog is fed without a node")
                assert (await daemon.get("/healthz"))[0] == 200


async def test_a_stop_is_quick_and_a_restart_goes_on_at_once(
    books_of: Engine, anvil: Anvil, tmp_path: Path, db_url: str
) -> None:
    """A lease that was not given back would hold the next process up for half a minute."""
    loop = asyncio.get_running_loop()
    with Daemon(tmp_path, db_url, anvil.url) as daemon:
        anvil.mine(2)
        async with started(daemon):
            await daemon.reach(books_of, 2)
            asked = loop.time()
        assert loop.time() - asked < 5
        anvil.send_token(TETHER, ADDRESS, DUE)
        anvil.mine(3)
        async with started(daemon):
            await daemon.reach(books_of, 5, 10.0)

            async def paid() -> bool:
                return await told(books_of) == PAID

            await until(paid, "the payment is told of")


@pytest.fixture
def stranger() -> Iterator[Anvil]:
    with Anvil(chain_id=137) as node:
        yield node


async def doctor(daemon: Daemon) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        daemon.command("doctor"),
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("chosen", "reason"),
    [("nobody", "cannot connect"), ("stranger", "follows chain id 137, configured 1")],
)
async def test_with_no_true_node_at_the_start_the_daemon_stays_up_and_says_why(
    stranger: Anvil, tmp_path: Path, sqlite_url: str, chosen: str, reason: str
) -> None:
    url = stranger.url if chosen == "stranger" else f"http://127.0.0.1:{free_port()}"
    with Daemon(tmp_path, sqlite_url, url) as daemon:
        async with started(daemon):

            async def said() -> bool:
                return reason in ((await daemon.network())["last_error"] or "")

            await until(said, "the reason shows", 20.0)
            row = await daemon.network()
            assert (row["state"], row["tip"]["number"]) == ("starting", None)
            assert (await daemon.get("/healthz"))[0] == 200
        done = await doctor(daemon)
        assert done.returncode == 1
        assert reason in done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr


async def test_no_url_key_or_token_is_ever_in_the_log(
    proxy: Proxy, anvil: Anvil, tmp_path: Path, sqlite_url: str
) -> None:
    """The endpoint's path is a key, and a careless gateway repeats it in its errors."""
    async with open_books(sqlite_url, bill()) as engine:
        with Daemon(tmp_path, sqlite_url, f"{proxy.url}/v3/{SECRET}") as daemon:
            anvil.mine()
            async with started(daemon):
                await daemon.reach(engine, 1)
                for fault in (faults.echo(), faults.echo(500), faults.hang_up()):
                    before = proxy.calls.total()
                    proxy.fail(fault)

                    async def asked(before: int = before) -> bool:
                        return proxy.calls.total() > before + 1

                    await until(asked, "the endpoint is asked and fails", 20.0)
                    proxy.heal()
                async with storage.read(engine) as conn:
                    published = json.dumps(await storage.health.reports(conn))
    log = daemon.log.read_text()
    assert "outage begins" in log
    for secret in (SECRET, proxy.url, TOKEN):
        assert secret not in log
        assert secret not in published
    assert make_id("mer") not in log
