"""What makes an instance a sandbox: its files, its nodes, and what is in it from the start."""

from __future__ import annotations

from pathlib import Path

import pytest

import storage
from storage import Engine
from watcher.config import ConfigError, Settings, load
from watcher.daemon import build_policy
from watcher.daemon.sandbox import greeting, nodes_of, open_nodes, prepare, seed
from watcher.domain.money import Network
from watcher.keys import digest


def made(folder: Path, **changes: str) -> Settings:
    """The configuration that a first start writes, with some text in it replaced."""
    path = folder / "watcher.toml"
    prepare(path)
    text = path.read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return load(path, {})


def test_a_first_start_writes_a_configuration_for_its_owner_only(tmp_path: Path) -> None:
    settings = made(tmp_path / 'a "new" folder')
    assert settings.sandbox is not None
    assert build_policy(settings).livemode is False
    for name in ("watcher.toml", "watcher.key"):
        assert (settings.sandbox.folder / name).stat().st_mode & 0o077 == 0


def test_a_later_start_writes_nothing(tmp_path: Path) -> None:
    prepare(tmp_path / "watcher.toml")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    prepare(tmp_path / "watcher.toml")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_first_start_that_was_broken_off_is_taken_up(tmp_path: Path) -> None:
    prepare(tmp_path / "watcher.toml")
    key = (tmp_path / "watcher.key").read_bytes()
    (tmp_path / "watcher.toml").unlink()
    prepare(tmp_path / "watcher.toml")
    assert (tmp_path / "watcher.key").read_bytes() == key


def test_every_enabled_network_has_a_node(tmp_path: Path) -> None:
    settings = made(tmp_path, **{"[networks.tron]": "[networks.tron]\nenabled = false"})
    nodes = nodes_of(settings)
    assert list(nodes) == ["ethereum", "polygon"]
    assert nodes[Network("polygon")].url == "http://127.0.0.1:18546"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("127.0.0.1:18545", "192.0.2.1:18545", "networks.ethereum.endpoints: must be http://127."),
        ("http://127.0.0.1:18090", "http://127.0.0.1", "networks.tron.endpoints: must be http://"),
        ("[networks.ethereum]", "[networks.sepolia]", "networks.sepolia: a sandbox has no node"),
    ],
)
async def test_a_node_that_we_do_not_run_is_refused(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    settings = made(tmp_path, **{old: new})
    with pytest.raises(ConfigError, match=f"^{sentence}"):
        async with open_nodes(settings):
            raise AssertionError("it opened")


async def test_what_is_in_it_is_there_once_and_its_key_is_kept(
    tmp_path: Path, engine: Engine
) -> None:
    settings = made(tmp_path)
    policy = build_policy(settings)
    key = await seed(engine, settings, policy)
    assert await seed(engine, settings, policy) == key
    async with storage.read(engine) as conn:
        assert len(await storage.merchants.listing(conn)) == 1
        families = [wallet.family for wallet, _ in await storage.wallets.listing(conn)]
        assert len(await storage.keys.listing(conn)) == 1
    assert sorted(families) == ["evm", "tron"]


@pytest.mark.parametrize("kept", [None, "sk_of_another_database"])
async def test_a_key_that_was_lost_or_is_of_other_books_is_replaced(
    tmp_path: Path, engine: Engine, kept: str | None
) -> None:
    settings = made(tmp_path)
    policy = build_policy(settings)
    lost = await seed(engine, settings, policy)
    file = tmp_path / "api-key"
    file.unlink()
    if kept is not None:
        file.write_text(kept)
    key = await seed(engine, settings, policy)
    assert key not in (lost, kept)
    assert file.read_text().strip() == key
    async with storage.read(engine) as conn:
        assert await storage.keys.find(conn, digest(key)) is not None
        assert len(await storage.merchants.listing(conn)) == 1


def test_the_greeting_names_the_program_as_it_was_called(tmp_path: Path) -> None:
    settings = made(tmp_path)
    said = greeting(settings, "bin/watch --config a.toml", Path("a.toml"), "sk_1")
    assert "8080/docs" in said
    assert "bin/watch --config a.toml sandbox pay INVOICE" in said
    assert "Authorization: Bearer sk_1" in said
