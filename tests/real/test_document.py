"""The running daemon does what its document says, whatever is sent to it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import database_url, run_sql
from tests.real.test_sandbox import Sandbox
from watcher.config import load

SETTINGS = Path(__file__).with_name("schemathesis.toml")
OPTIONS = ("--checks=all", "--max-examples=2", "--seed=1", "--no-color")
SECONDS = 200  # a fifth of it where nothing else runs
pytestmark = pytest.mark.timeout(2 * SECONDS)
LIMITS = "\n[limits]\nper_key_per_minute = 1000000\nper_ip_per_minute = 1000000\n"


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Where a sandbox keeps its books, on each engine in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('books')}/watcher.db"
        return
    server, name = request.getfixturevalue("postgres"), "of_the_document"
    run_sql(server, f"CREATE DATABASE {name}")
    yield database_url(server, name)
    run_sql(server, f"DROP DATABASE {name}")


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory, database: str) -> Iterator[Sandbox]:
    """A sandbox that may be asked as often as one likes."""
    sandbox = Sandbox(tmp_path_factory.mktemp("document"))
    text, found = re.subn(r'(?<=url = ")sqlite:[^"]*', database, sandbox.config.read_text())
    assert found == 1
    sandbox.config.write_text(text + LIMITS)
    sandbox.start()
    yield sandbox
    assert sandbox.stop() == 0
    assert '"level": "error"' not in sandbox.log.read_text()


def examine(sandbox: Sandbox, token: str, *filters: str) -> None:
    """Send what the document allows and what it forbids; every check of schemathesis holds."""
    command = ["-m", "schemathesis.cli", f"--config-file={SETTINGS}", "run"]
    auth = f"--header=Authorization: Bearer {token}"
    done = subprocess.run(
        [sys.executable, *command, f"{sandbox.url}/openapi.json", auth, *OPTIONS, *filters],
        cwd=sandbox.folder,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert "No test cases were generated" not in done.stdout


def test_a_merchants_requests_are_answered_as_documented(sandbox: Sandbox) -> None:
    sandbox.becomes(paid(sandbox), "confirming")
    examine(sandbox, sandbox.key, "--include-path-regex=^/v1/")


def test_the_operators_and_everyones_requests_are_answered_as_documented(sandbox: Sandbox) -> None:
    token = load(sandbox.config, {}).admin.token.get_secret_value()
    examine(sandbox, token, "--exclude-path-regex=^/v1/")


def paid(sandbox: Sandbox) -> str:
    """An invoice with a payment, so that there is something to list."""
    id = sandbox.open_invoice("ethereum:usdt")
    sandbox.order("pay", id)
    return id
