"""The daemon as a process of its own, and what it leaves in the database."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from sqlalchemy import update

import storage
from storage import Engine, schema
from tests.anvil import free_port
from tests.real.shop import ETHEREUM, TOKEN, until, write_config

ROOT = Path(__file__).parents[2]
STOP_SECONDS = 20.0


class Daemon:
    """`python -m watcher run` on a written configuration; may be started again and again."""

    def __init__(self, folder: Path, database_url: str, *urls: str, **network: Any) -> None:
        self.port = free_port()
        self.config = write_config(folder, database_url, *urls, port=self.port, **network)
        self.log = folder / "daemon.log"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def start(self, environ: Mapping[str, str] | None = None, *words: str) -> None:
        """Start it, with `words` after `run`; its log grows from start to start."""
        assert self.process is None or self.process.poll() is not None
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command("--log-format", "json", "run", *words),
                cwd=ROOT,
                env={**os.environ, **(environ or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "watcher", "--config", str(self.config), *words]

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    async def stop(self) -> int:
        """SIGTERM; its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, STOP_SECONDS)

    def children(self) -> list[int]:
        """Processes that it started and that still run."""
        tasks = Path(f"/proc/{self.pid}/task").glob("*/children")
        return [int(child) for task in tasks for child in task.read_text().split()]

    async def reach(self, engine: Engine, number: int, seconds: float = 60.0) -> None:
        """Wait until our newest block is the one at `number` or a later one."""

        async def reached() -> bool:
            self.check()
            return await tip_number(engine) >= number

        await until(reached, f"the tip reaches block {number}", seconds)

    def check(self) -> None:
        """Fail, with its log, if it has ended."""
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()

    async def get(self, path: str) -> tuple[int, dict[str, Any]]:
        """What the API answers; 0 while nobody listens."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        url = f"http://127.0.0.1:{self.port}{path}"
        try:
            async with (
                aiohttp.ClientSession(headers=headers) as session,
                session.get(url) as response,
            ):
                return response.status, await response.json()
        except aiohttp.ClientConnectionError:
            return 0, {}

    async def network(self) -> dict[str, Any]:
        """The network's row of `/admin/status`; empty while nobody listens."""
        _, body = await self.get("/admin/status")
        return dict(body["networks"][0]) if body else {}


async def tip_number(engine: Engine) -> int:
    """Number of our newest block; -1 before the first."""
    async with storage.read(engine) as conn:
        tip = (await storage.cursors.tips(conn)).get(ETHEREUM)
    return tip.number if tip else -1


async def lapse(engine: Engine) -> None:
    """Let the lease that a killed process left behind run out now, and not in half a minute."""
    async with storage.write(engine) as conn:
        await conn.execute(update(schema.networks).values(lease_expires_at=0))


@asynccontextmanager
async def started(daemon: Daemon, environ: Mapping[str, str] | None = None) -> AsyncIterator[None]:
    """The daemon, up and serving; stopped in good order at the end."""
    daemon.start(environ)

    async def up() -> bool:
        daemon.check()
        return (await daemon.get("/healthz"))[0] == 200

    await until(up, "the daemon serves", 30.0)
    yield
    assert await daemon.stop() == 0
