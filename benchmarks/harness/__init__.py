"""What several measurements need: empty databases, a daemon in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from storage import close, open_engine
from storage.migrate import migrate
from tests.anvil import free_port
from tests.postgres import database_url, postgres_server, run_sql
from tests.real.shop import write_config

START_SECONDS = 30


@contextmanager
def databases(*names: str) -> Iterator[dict[str, list[str]]]:
    """URLs of migrated databases, one for each name, by engine."""
    with TemporaryDirectory() as folder, postgres_server() as server:
        urls = {"sqlite": [f"sqlite:///{folder}/{name}.db" for name in names], "postgresql": []}
        for name in names:
            run_sql(server, f"CREATE DATABASE {name}")
            urls["postgresql"].append(database_url(server, name))
        for url in (*urls["sqlite"], *urls["postgresql"]):
            asyncio.run(migrated(url))
        yield urls


async def migrated(url: str) -> None:
    engine = open_engine(url)
    await migrate(engine)
    await close(engine)


class Daemon:
    """The real daemon with its worker process; ended by leaving the context.

    Follows Ethereum at `node_url`, and other networks at `others`, URLs by name; `network` holds
    keys of the former.
    """

    def __init__(
        self,
        folder: Path,
        database: str,
        node_url: str,
        others: Mapping[str, str] | None = None,
        **network: object,
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.config = write_config(folder, database, node_url, port=self.port, **network)
        self._log = folder / "log"

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "watcher", "--config", str(self.config), "run"]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not self._is_up():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise RuntimeError(f"the daemon did not start: {self._log.read_text()}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def resident_bytes(self) -> int:
        """Of the daemon itself; its worker process knows nothing of addresses."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGESIZE")

    def _is_up(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:  # refused, or no answer in time
            return False


def _table(network: str, url: str) -> str:
    """A network from its first block, on a chain of its own."""
    endpoints = f'endpoints = [{{ name = "a", url = {json.dumps(url)} }}]'
    rules = 'genesis_hash = "any"\nconfirmations = 3\nstart_block = 0'
    return f"[networks.{network}]\n{endpoints}\n{rules}\n"
