"""Attacks on what the operator sees and what keeps the service alive."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import storage
from tests.factories import make_transfer
from tests.fakes import FakeChain
from tests.world import catch_up, make_follower, make_policy, open_shop
from watcher import clock, finality
from watcher.status import network_rows

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_logged_exception_shows_no_local_variable(log_format: str) -> None:
    """URLs, headers and keys are locals and attributes all the way down."""
    script = f"""
        import structlog
        from watcher.cli.logs import set_up_logs
        set_up_logs("{log_format}")
        def fail(key):
            header = "Bearer " + key
            raise ValueError("boom")
        try:
            fail("".join(["sec", "ret", "123"]))
        except ValueError:
            structlog.get_logger().exception("a step failed")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert "boom" in done.stderr
    assert "secret123" not in done.stderr


def test_a_database_away_for_ten_minutes_does_not_end_the_service_for_good() -> None:
    """systemd gives up for ever after StartLimitBurst failed starts within the interval."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment]
    unit.read(ROOT / "systemd" / "deposit-watcher.service")
    assert unit.getint("Unit", "StartLimitIntervalSec") == 0  # it never gives up


async def shown_of(engine: storage.Engine, endpoints: list[str]) -> object:
    """What the operator sees of a network whose deposit has been deep enough for long."""
    chain = FakeChain(endpoints)
    policy = make_policy(agreement=2)
    follower = make_follower(chain, engine, policy)
    chain.mine(make_transfer(100))
    for _ in range(20):
        chain.mine()
    await catch_up(follower)
    await follower._beat()
    async with storage.read(engine) as conn:
        [row] = await network_rows(conn, policy, 0, clock.now())
    return row["state"], row["last_error"], row["warnings"], row["finalized"]


async def test_a_deposit_that_waits_for_agreement_is_no_secret(
    sqlite_template: Path, tmp_path: Path
) -> None:
    """Where we cannot know, we say so: the second endpoint never repeats the block."""
    shown = []
    for name, endpoints in (("agreed", ["own", "backup"]), ("alone", ["own"])):
        shutil.copy(sqlite_template, tmp_path / f"{name}.db")
        engine = storage.open_engine(f"sqlite:///{tmp_path / name}.db")
        await open_shop(engine)
        shown.append(await shown_of(engine, endpoints))
        await storage.close(engine)
    assert shown[0] != shown[1]


@pytest.mark.parametrize("final", [None, 0])
async def test_finality_that_was_never_known_is_no_secret(
    engine: storage.Engine, monkeypatch: pytest.MonkeyPatch, final: int | None
) -> None:
    """Confirming is not frozen, since it never was known; but what needs it waits for ever."""
    monkeypatch.setattr(finality, "UNKNOWN_SECONDS", 0)
    chain, policy = FakeChain(), make_policy(confirmations="finalized")
    chain.final = final
    await open_shop(engine)
    follower = make_follower(chain, engine, policy)
    await catch_up(follower)
    await follower._beat()
    async with storage.read(engine) as conn:
        [row] = await network_rows(conn, policy, 0, clock.now())
    reason = (
        "finality was never known: no endpoint says which block is final, "
        "and what must be final to be confirmed waits"
    )
    said = reason if final is None else None
    assert row["finalized"] == {"number": final, "frozen": False, "reason": said}
    assert (reason in row["warnings"]) is (final is None)
