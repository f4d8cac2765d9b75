"""The sandbox: a whole instance on embedded nodes, with nothing real in it.

It is an ordinary instance whose configuration has a [sandbox] table: its endpoints are nodes that
the daemon itself runs, on chains that it mines, beside its database.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet

import storage
from chains import NETWORKS
from chains.sandbox.control import LOOPBACK
from chains.sandbox.evm import flavour as evm
from chains.sandbox.evm import polygon
from chains.sandbox.evm.node import EVM_KIND, EvmNode
from chains.sandbox.node import open_node
from chains.sandbox.tron import flavour as tron
from chains.sandbox.tron.node import TRON_KIND, TronNode
from storage import Conn, Engine
from watcher import clock, merchants, wallets
from watcher.config import ConfigError, Settings
from watcher.config_file import TOKEN_BYTES, create_file
from watcher.domain.money import Family, Network
from watcher.keys import digest, load_box
from watcher.policy import Policy
from watcher.sandbox import Node

Mine = Callable[[], Coroutine[Any, Any, None]]
"""Mines on one network until it is cancelled."""

FINAL_AFTER = 30  # blocks; quicker than the true networks, and room for a reorg
FLAVOURS: dict[str, Callable[..., evm.Flavour]] = {
    "ethereum": evm.ethereum,
    "polygon": polygon.polygon,
}
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
url = {database}

[admin]
token = {token}

[secrets]
key_file = {key_file}

[sandbox]
folder = {folder}
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
finality_depth = 30
poll_seconds = 1
start_block = 0

[networks.tron]
endpoints = [{{ name = "sandbox", url = "http://127.0.0.1:18090" }}]
genesis_hash = "any"
confirmations = 3
poll_seconds = 1
start_block = 0

[webhooks]
allow_private_addresses = true

[rates]
sources = []

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
    key_file = folder / "watcher.key"
    if not key_file.exists():  # a start that was broken off may have left one
        create_file(key_file, Fernet.generate_key().decode() + "\n")
    texts = {
        "token": secrets.token_urlsafe(TOKEN_BYTES),
        "database": f"sqlite:///{folder}/watcher.db",
        "key_file": str(key_file),
        "folder": str(folder),
    }
    quoted = {name: json.dumps(text, ensure_ascii=False) for name, text in texts.items()}
    create_file(path, _CONFIG.format(**quoted))


def nodes_of(settings: Settings) -> dict[Network, Node]:
    """The embedded nodes, where the endpoints are that they answer at; none but in a sandbox.

    Raises:
        ConfigError: a network that no node here plays, or an endpoint elsewhere.
    """
    if settings.sandbox is None:
        return {}
    return {
        Network(name): _node_of(Network(name), chosen.endpoints[0].url.get_secret_value())
        for name, chosen in settings.networks.items()
        if chosen.enabled
    }


def _node_of(network: Network, url: str) -> Node:
    if network not in (*FLAVOURS, "tron"):
        raise ConfigError(f"networks.{network}: a sandbox has no node that plays it")
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname != LOOPBACK or not parts.port:
        raise ConfigError(
            f"networks.{network}.endpoints: must be http://{LOOPBACK}:PORT, of a free port"
        )
    return Node(network, NETWORKS[network].family, url)


@asynccontextmanager
async def open_nodes(settings: Settings) -> AsyncIterator[list[Mine]]:
    """Answer on every network; yields what mines, for whoever keeps the tasks.

    Raises:
        ConfigError: as `nodes_of`, or a port is in use, or a chain's file is another's.
    """
    pace = 0 if settings.sandbox is None else settings.sandbox.seconds_per_block
    async with AsyncExitStack() as stack:
        nodes = []
        for node in nodes_of(settings).values():
            try:
                nodes.append(await stack.enter_async_context(_open_node(settings, node)))
            except OSError as error:
                raise ConfigError(
                    f"networks.{node.network}: the embedded node cannot listen at {node.url}: "
                    f"{error.strerror}"
                ) from error
            except ValueError as error:
                raise ConfigError(f"networks.{node.network}: {error}") from error
        yield [partial(node.mine_every, pace) for node in nodes]


async def seed(engine: Engine, settings: Settings, policy: Policy) -> str:
    """A merchant with a wallet of every family; the text of a key that works, kept in a file."""
    assert settings.sandbox is not None
    file = settings.sandbox.folder / "api-key"
    kept = file.read_text("ascii").strip() if file.exists() else ""
    box = load_box(settings.secrets.key_file)

    async def work(conn: Conn) -> str:
        now = clock.now()
        known = await storage.merchants.listing(conn)
        merchant = known[0] if known else await merchants.add_merchant(conn, "Sandbox shop", now)
        held = {wallet.family for wallet, _ in await storage.wallets.listing(conn)}
        wanted = {network.spec.family for network in policy.networks.values()}
        for family in sorted(wanted - held):
            await wallets.add_xpub(conn, merchant.id, family, XPUBS[family], 0, now)
        if kept and await storage.keys.find(conn, digest(kept)):
            return kept
        return (await merchants.add_key(conn, box, merchant.id, False, None, now)).text

    text = await storage.repeat(engine, work)
    if text != kept:
        file.unlink(missing_ok=True)
        create_file(file, text + "\n")
    return text


def greeting(settings: Settings, command: str, config: Path, key: str) -> str:
    """How to use it: one screen, with `command` as this program is called."""
    url = f"http://{settings.server.host}:{settings.server.port}"
    body = json.dumps({"price": {"amount": "9.99", "currency": "USD"}, "methods": ["tron:usdt"]})
    return f"""
Deposit Watcher, a sandbox on {", ".join(settings.networks)}: everything in it is made up.

  API          {url}/v1/invoices, described at {url}/docs
  API key      {key}
  dashboard    {url}/admin/, opened by the admin token
  admin token  in {config}
  status       {url}/admin/status, or: {command} status

Open an invoice:

  curl -s {url}/v1/invoices -H 'Authorization: Bearer {key}' \\
    -H 'Content-Type: application/json' -d '{body}'

Pay it on the page at its checkout_url, or here, and watch it become paid three blocks later:

  {command} sandbox pay INVOICE
"""


def _open_node(settings: Settings, node: Node) -> AbstractAsyncContextManager[EvmNode | TronNode]:
    assert settings.sandbox is not None
    spec, chosen = NETWORKS[node.network], settings.networks[node.network]
    file = settings.sandbox.folder / f"{spec.name}.chain"
    port = urlsplit(node.url).port or 0
    if spec.name == "tron":
        flavour = tron.tron(spec.assets)
        return open_node(TRON_KIND, flavour, file, port=port, finality_blocks=FINAL_AFTER)
    made = FLAVOURS[spec.name](chosen.chain_id or spec.chain_id, spec.assets)
    return open_node(EVM_KIND, made, file, port=port, finality_blocks=FINAL_AFTER)
