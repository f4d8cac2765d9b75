"""The systemd protocol on a real socket, and the unit as systemd itself judges it."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from watcher.config import load
from watcher.systemd import ready, sd_notify, status, stopping, watchdog, watchdog_seconds

UNIT = Path(__file__).parents[1] / "systemd" / "deposit-watcher.service"
ENVIRONMENT = UNIT.with_name("deposit-watcher.env.example")
HIGHEST_EXPOSURE = 1.2
GUIDE = UNIT.with_name("README.md")
README = UNIT.parents[1] / "README.md"


@contextmanager
def listener(address: str) -> Iterator[socket.socket]:
    """A socket where systemd would listen."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind("\0" + address[1:] if address.startswith("@") else address)
        notify.settimeout(5)
        yield notify


def watched(address: str, microseconds: int, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": str(microseconds), **more}


@pytest.mark.parametrize("kind", ["file", "abstract"])
def test_a_message_arrives(kind: str, tmp_path: Path) -> None:
    address = str(tmp_path / "s") if kind == "file" else f"@deposit-watcher-test-{os.getpid()}"
    with listener(address) as systemd:
        assert sd_notify("READY=1", {"NOTIFY_SOCKET": address})
        assert systemd.recv(100) == b"READY=1"


def test_ready_status_and_stopping_say_so(tmp_path: Path) -> None:
    environ = {"NOTIFY_SOCKET": str(tmp_path / "s")}
    with listener(environ["NOTIFY_SOCKET"]) as systemd:
        ready(environ)
        status("following 2 networks", environ)
        stopping(environ)
        told = [systemd.recv(100) for _ in range(3)]
    assert told == [b"READY=1", b"STATUS=following 2 networks", b"STOPPING=1"]


def test_a_status_cannot_smuggle_in_another_message(tmp_path: Path) -> None:
    environ = {"NOTIFY_SOCKET": str(tmp_path / "s")}
    with listener(environ["NOTIFY_SOCKET"]) as systemd:
        status("bad\nSTOPPING=1", environ)
        assert systemd.recv(100) == b"STATUS=bad STOPPING=1"


def test_without_systemd_nothing_is_sent() -> None:
    assert not sd_notify("READY=1", {})


def test_a_socket_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        sd_notify("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "gone")})


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        pytest.param({}, None, id="not watched"),
        pytest.param({"WATCHDOG_USEC": "60000000"}, 60.0, id="watched"),
        pytest.param(
            {"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid())}, 0.5, id="this process"
        ),
        pytest.param({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "1"}, None, id="another process"),
        pytest.param({"WATCHDOG_USEC": "0"}, None, id="zero"),
        pytest.param({"WATCHDOG_USEC": "-5"}, None, id="not a number"),
    ],
)
def test_watchdog_seconds(environ: dict[str, str], seconds: float | None) -> None:
    assert watchdog_seconds(environ) == seconds


async def test_the_watchdog_pings_within_each_period(tmp_path: Path) -> None:
    address = str(tmp_path / "s")
    with listener(address) as systemd:
        pinging = asyncio.create_task(watchdog(watched(address, 2_000_000)))
        arrivals = []
        for _ in range(3):
            assert await asyncio.to_thread(systemd.recv, 100) == b"WATCHDOG=1"
            arrivals.append(asyncio.get_running_loop().time())
        pinging.cancel()
    gaps = [later - earlier for earlier, later in pairwise(arrivals)]
    assert all(0.5 < gap < 2 for gap in gaps), gaps


async def test_the_watchdog_returns_at_once_when_nobody_watches() -> None:
    async with asyncio.timeout(5):
        await watchdog({})


async def test_the_watchdog_survives_a_failed_ping(tmp_path: Path) -> None:
    address = str(tmp_path / "s")
    pinging = asyncio.create_task(watchdog(watched(address, 100_000)))
    await asyncio.sleep(0)  # the first ping has failed: nobody listens yet
    with listener(address) as systemd:
        assert await asyncio.to_thread(systemd.recv, 100) == b"WATCHDOG=1"
    pinging.cancel()


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        reason = "systemd-analyze is not installed"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return subprocess.run(  # colours and a pager would come in the way
        [tool, "--no-pager", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def runnable(tmp_path: Path) -> Path:
    """The unit with a program that exists on this machine."""
    copy = tmp_path / UNIT.name
    copy.write_text(re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={sys.executable}", UNIT.read_text()))
    return copy


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    result = analyze("verify", "--man=no", runnable(tmp_path))
    assert result.returncode == 0, result.stderr
    assert UNIT.name not in result.stderr  # a key that it does not know is a warning only


def test_the_unit_is_hardly_exposed(tmp_path: Path) -> None:
    result = analyze("security", "--offline=true", runnable(tmp_path))
    level = re.search(r"exposure level for \S+: ([0-9.]+)", result.stdout)
    assert level is not None, result.stderr
    assert float(level[1]) <= HIGHEST_EXPOSURE


@pytest.mark.parametrize("page", [README, GUIDE], ids=["README", "systemd/README"])
def test_a_page_states_the_exposure_that_is_held(page: Path) -> None:
    assert f"a test keeps it at {HIGHEST_EXPOSURE} or lower" in page.read_text()


def test_the_command_line_accepts_what_the_unit_starts(tmp_path: Path) -> None:
    [line] = re.findall(r"(?m)^ExecStart=(.*)$", UNIT.read_text())
    gone = str(tmp_path / "gone.toml")
    arguments = [gone if each.endswith(".toml") else each for each in shlex.split(line)[1:]]
    assert gone in arguments
    done = subprocess.run(
        [sys.executable, "-m", "watcher", *arguments],
        cwd=UNIT.parents[1],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr  # 2 would be wrong use
    assert f"{gone}: cannot be read" in done.stderr


def test_the_guide_puts_there_what_the_unit_names() -> None:
    """Except for what a fresh environment of Python brings along with the package."""
    unit = re.sub(r"(?m)^#.*$", "", UNIT.read_text())
    paths = set(re.findall(r"/(?:opt|etc|usr)/[\w./-]+", unit))
    assert len(paths) > 3
    assert [each for each in paths if each not in GUIDE.read_text()] == []


@pytest.mark.parametrize("page", [README, GUIDE], ids=["README", "systemd/README"])
def test_the_service_is_installed_from_the_hashed_lock(page: Path) -> None:
    lines = re.findall(r"pip install (-.*|\..*)", page.read_text())
    assert lines == ["--require-hashes -r requirements/run.txt", "--no-deps ."]


def test_the_unit_sets_only_variables_that_exist(tmp_path: Path) -> None:
    (tmp_path / "admin-token").write_text("0123456789abcdef\n")
    text = UNIT.read_text().replace("%d", str(tmp_path))
    settings = load(None, dict(re.findall(r"(?m)^Environment=(WATCHER_\w+)=(.*)$", text)))
    assert settings.admin.token.get_secret_value() == "0123456789abcdef"
    assert settings.secrets.key_file == tmp_path / "key"


def test_the_example_environment_loads() -> None:
    lines = re.findall(r"(?m)^#(WATCHER_\w+)=(.*)$", ENVIRONMENT.read_text())
    environ = {name: value.strip("'") for name, value in lines}
    needed = {"WATCHER_ADMIN__TOKEN": "0123456789abcdef", "WATCHER_SECRETS__KEY_FILE": "key"}
    settings = load(None, environ | needed)
    assert settings.networks["ethereum"].endpoints[0].reveal().url == "http://127.0.0.1:8545"
