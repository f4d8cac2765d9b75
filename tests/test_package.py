"""The wheel: what is in it, and that it works alone in an empty environment."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import pytest

from tests.anvil import Anvil, free_port
from watcher import __version__

ROOT = Path(__file__).parent.parent
UV = Path(sys.executable).with_name("uv")  # `make setup` puts it there
SOURCES = ("watcher", "chains", "storage", "pyproject.toml", "README.md", "LICENSE")
READY_SECONDS = 60

pytestmark = pytest.mark.timeout(600)  # a cold cache downloads every dependency


def environment(**more: str) -> dict[str, str]:
    """Ours without what would lead a program back to this tree."""
    ours = {"VIRTUAL_ENV", "PYTHONPATH"}
    return {name: value for name, value in os.environ.items() if name not in ours} | more


def run(*words: str | Path, cwd: Path) -> str:
    """What a program prints; a failure shows what it complained about."""
    done = subprocess.run(
        words, cwd=cwd, env=environment(), capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, since building leaves its traces."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source / name)
    build = ("build", "--wheel", "--no-build-isolation", "--python", sys.executable)
    run(UV, *build, "--out-dir", folder, source, cwd=folder)
    [made] = folder.glob("*.whl")
    return made


@pytest.fixture
def command(wheel: Path, tmp_path: Path) -> Path:
    """`deposit-watcher` in an environment that holds the run lock and the wheel alone."""
    folder = tmp_path / "environment"
    python = folder / "bin" / "python"
    run(UV, "venv", "--python", sys.executable, folder, cwd=tmp_path)
    install = (UV, "pip", "install", "--python", python)
    run(*install, "--require-hashes", "-r", ROOT / "requirements" / "run.txt", cwd=tmp_path)
    run(*install, "--no-deps", wheel, cwd=tmp_path)
    return folder / "bin" / "deposit-watcher"


def answer(url: str) -> tuple[int, object]:
    """Status and body of a GET; raises URLError while nobody listens."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def await_ready(api: str, daemon: subprocess.Popen[bytes]) -> tuple[int, object]:
    """The first answer of /readyz that is 200, or the last one before time is up."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            status, body = answer(f"{api}/readyz")
        except urllib.error.URLError as error:
            assert daemon.poll() is None, "the daemon ended"
            status, body = 0, error
        if status == 200 or time.monotonic() > deadline:
            return status, body
        time.sleep(0.1)


def test_the_wheel_holds_the_three_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        names = opened.namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"watcher", "chains", "storage", f"deposit_watcher-{__version__}.dist-info"}
    migrations = {path.name for path in (ROOT / "storage/migrations/versions").glob("*.py")}
    assert {f"storage/migrations/versions/{name}" for name in migrations} <= set(names)
    pages = {path.name for path in (ROOT / "watcher/web").glob("[mst]*/**/*") if path.is_file()}
    assert {"base.html", "style.css", "en.toml"} <= pages
    assert pages <= {name.rpartition("/")[2] for name in names if name.startswith("watcher/web/")}
    assert any(name.endswith("/LICENSE") for name in names)


def test_the_installed_wheel_inits_migrates_and_runs(command: Path, tmp_path: Path) -> None:
    home = tmp_path / "elsewhere"
    home.mkdir()
    assert run(command, "--version", cwd=home) == f"deposit-watcher {__version__}\n"
    run(command, "init", cwd=home)
    assert {path.name for path in home.iterdir()} == {"watcher.toml", "watcher.key"}
    run(command, "migrate", cwd=home)
    assert (home / "watcher.db").exists()

    port = free_port()
    with Anvil() as node:
        node.mine(3)
        settings = environment(
            WATCHER_SERVER__PORT=str(port),
            WATCHER_NETWORKS__ETHEREUM__ENABLED="true",
            WATCHER_NETWORKS__ETHEREUM__GENESIS_HASH="any",
            WATCHER_NETWORKS__ETHEREUM__ENDPOINTS=json.dumps([{"name": "anvil", "url": node.url}]),
        )
        daemon = subprocess.Popen([command, "run"], cwd=home, env=settings)
        try:
            ready = await_ready(f"http://127.0.0.1:{port}", daemon)
            assert ready == (200, {"ready": True, "reasons": []})
            assert answer(f"http://127.0.0.1:{port}/healthz") == (200, {"ok": True})
        finally:
            daemon.send_signal(signal.SIGTERM)
            code = daemon.wait(30)
    assert code == 0
