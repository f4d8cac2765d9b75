"""The sandbox: a whole instance on embedded nodes, with nothing real in it.

It is an ordinary instance whose configuration has a [sandbox] table: its endpoints are nodes that
the daemon itself runs, on chains that it mines, beside its database.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import typer
from cryptography.fernet import Fernet

import storage
from chains import NETWORKS
from chains.base import NetworkSpec
from chains.sandbox.evm import flavour as evm
from chains.sandbox.evm import node as evm_node
from chains.sandbox.evm import polygon
from chains.sandbox.tron import flavour as tron
from chains.sandbox.tron import node as tron_node
from storage import Conn, Engine
from watcher import clock, merchants, wallets
from watcher.config import ConfigError, Settings
from watcher.config_file import TOKEN_BYTES, create_file
from watcher.domain.money import Family, Network
from watcher.keys import load_box

FINAL_AFTER = 8  # blocks; far quicker than the true networks
# Extended public keys of the phrase that every developer's tool begins with, "test test … junk":
# m/44'/60'/1' and m/44'/195'/0'. Everyone knows the private ones.
XPUBS = {
    Family("evm"): (
        "xpub6Ce9NcJvTk372KjsGfWqbcex5DumjpNquQLApoeQUavSCjEc823BV1tb4rXUuPuht8"
        "h2hSxkg2EXUaKUJmniJvRZAELxypsCzBFdtosmV76"
    ),
    Family("tron"): (
        "xpub6BuRy7ZmkGfP2RWhoor1kWB1w9DvrtmJbFBvnC1bQ4SB5NbCHTyQYCJSXZtxDbFyH"
        "TmC7wkU2he3nYYdpZ3Vf6qUAkXSnL6RPif4BDtDEKr"
    ),
}

_CONFIG = """\
# A sandbox: made-up money on chains that the daemon mines itself. Never put anything real here.

[server]
port = 8080

[database]
url = "sqlite:///{folder}/watcher.db"

[admin]
token = "{token}"

[secrets]
key_file = "{folder}/watcher.key"

[sandbox]
folder = "{folder}"
seconds_per_block = 1

# Chain ids of no true network, so that a wallet that scans a payment code finds nothing to pay on.
[networks.ethereum]
endpoints = [{{ name = "sandbox", url = "http://127.0.0.1:18545" }}]
chain_id = 31337
genesis_hash = "any"
confirmations = 3
poll_seconds = 1
start_block = 0

[networks.polygon]
endpoints = [{{ name = "sandbox", url = "http://127.0.0.1:18546" }}]
chain_id = 31338
genesis_hash = "any"
confirmations = 3
poll_seconds = 1
start_block = 0

[networks.tron]
endpoints = [{{ name = "sandbox", url = "http://127.0.0.1:18090" }}]
genesis_hash = "any"
confirmations = 3
poll_seconds = 1
start_block = 0

[rates.fixed]
"ETH/USD" = "3000"
"WETH/USD" = "3000"
"WBTC/USD" = "90000"
"POL/USD" = "0.5"
"TRX/USD" = "0.25"
"USDT/USD" = "1"
"USDC/USD" = "1"
"USDC.E/USD" = "1"
"DAI/USD" = "1"
"EUR/USD" = "1.1"
"""


def prepare(path: Path) -> None:
    """Write a sandbox's configuration and key file, where there is none yet."""
    if path.exists():
        return
    folder = path.parent.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    create_file(folder / "watcher.key", Fernet.generate_key().decode() + "\n")
    token = secrets.token_urlsafe(TOKEN_BYTES)
    create_file(path, _CONFIG.format(folder=folder, token=token))


@asynccontextmanager
async def run_nodes(settings: Settings) -> AsyncIterator[None]:
    """Answer and mine on every network, at the ports that its endpoints name."""
    if settings.sandbox is None:
        yield
        return
    folder, pace = settings.sandbox.folder, settings.sandbox.seconds_per_block
    async with AsyncExitStack() as stack:
        group = await stack.enter_async_context(asyncio.TaskGroup())
        mining = []
        for name, chosen in settings.networks.items():
            port = urlsplit(chosen.endpoints[0].url.get_secret_value()).port
            opened = _open_node(NETWORKS[Network(name)], chosen.chain_id, folder, port or 0)
            try:
                node = await stack.enter_async_context(opened)
            except OSError as error:
                raise ConfigError(
                    f"networks.{name}: the embedded node cannot listen on port {port}: "
                    f"{error.strerror}"
                ) from error
            mining.append(group.create_task(node.mine_every(pace)))
        yield
        for task in mining:
            task.cancel()


def node_urls(settings: Settings) -> dict[Network, str]:
    """Where the embedded nodes answer; none but in a sandbox."""
    if settings.sandbox is None:
        return {}
    return {
        Network(name): chosen.endpoints[0].url.get_secret_value()
        for name, chosen in settings.networks.items()
    }


async def seed(engine: Engine, settings: Settings) -> str:
    """A merchant with wallets and a key, once; the text of that key, which the sandbox keeps."""
    assert settings.sandbox is not None
    kept = settings.sandbox.folder / "api-key"
    if kept.exists():
        return kept.read_text("ascii").strip()
    box = load_box(settings.secrets.key_file)

    async def work(conn: Conn) -> str:
        now = clock.now()
        merchant = await merchants.add_merchant(conn, "Sandbox shop", now)
        families = {NETWORKS[Network(name)].family for name in settings.networks}
        for family in sorted(families):
            await wallets.add_xpub(conn, merchant.id, family, XPUBS[family], 0, now)
        return (await merchants.add_key(conn, box, merchant.id, False, None, now)).text

    text = await storage.repeat(engine, work)
    create_file(kept, text + "\n")
    return text


def greet(settings: Settings, key: str) -> None:
    """Say how to use it: one screen, on standard output."""
    assert settings.sandbox is not None
    url = f"http://{settings.server.host}:{settings.server.port}"
    body = json.dumps({"price": {"amount": "9.99", "currency": "USD"}, "methods": ["tron:usdt"]})
    config = settings.sandbox.folder / "watcher.toml"
    typer.echo(f"""
Deposit Watcher, a sandbox on {", ".join(settings.networks)}: everything in it is made up.

  API          {url}/v1/invoices
  API key      {key}
  status       {url}/admin/status, or: deposit-watcher --config {config} status
  admin token  in {config}

Open an invoice:

  curl -s {url}/v1/invoices -H 'Authorization: Bearer {key}' \\
    -H 'Content-Type: application/json' -d '{body}'

Pay it, and watch it become paid three blocks later:

  deposit-watcher --config {config} sandbox pay INVOICE
""")


def _open_node(
    spec: NetworkSpec, chain_id: int | None, folder: Path, port: int
) -> AbstractAsyncContextManager[evm_node.EvmNode | tron_node.TronNode]:
    file = folder / f"{spec.name}.chain"
    if spec.family == "tron":
        return tron_node.open_node(
            tron.tron(spec.assets), file, port=port, finality_blocks=FINAL_AFTER
        )
    flavours: dict[str, Callable[..., evm.Flavour]] = {
        "ethereum": evm.ethereum,
        "polygon": polygon.polygon,
    }
    made = flavours[spec.name](chain_id or spec.chain_id, spec.assets)
    return evm_node.open_node(made, file, port=port, finality_blocks=FINAL_AFTER)
