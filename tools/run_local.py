"""`make run`: the daemon beside a local Ethereum node that mines a block a second.

Everything is made anew in .local/ at each start and stays there to look at. The node plays
Ethereum with a genesis of its own, so nothing here is live, and everyone knows the wallet's keys.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from cryptography.fernet import Fernet

import storage
from chains import NETWORKS
from chains.ethereum import EVM
from tests.anvil import Anvil
from watcher import merchants, wallets
from watcher.clock import now
from watcher.config import load
from watcher.daemon import build_policy, open_database
from watcher.domain.money import Network
from watcher.keys import load_box

LOCAL = Path(__file__).parent.parent / ".local"
CONFIG = LOCAL / "watcher.toml"
COMMAND = Path(sys.executable).with_name("deposit-watcher")
# m/44'/60'/1' of the public test phrase "test test … junk"; the node's own accounts are at 0'.
XPUB = (
    "xpub6Ce9NcJvTk372KjsGfWqbcex5DumjpNquQLApoeQUavSCjEc823BV1tb4rXUuPuht8"
    "h2hSxkg2EXUaKUJmniJvRZAELxypsCzBFdtosmV76"
)
BLOCK_SECONDS = 1
START_SECONDS = 60
STOP_SECONDS = 20

TOML = """\
[server]
port = {port}

[database]
url = "sqlite:///{folder}/watcher.db"

[admin]
token = "{token}"

[secrets]
key_file = "{folder}/watcher.key"

[networks.ethereum]
endpoints = [{{ name = "anvil", url = "{node_url}" }}]
genesis_hash = "any"
confirmations = 3
assets = ["ETH", "USDT", "USDC", "DAI"]
poll_seconds = 1
start_block = 0

[rates]
fixed = {{ "ETH/USD" = "3000", "USDT/USD" = "1", "USDC/USD" = "1", "DAI/USD" = "1" }}
"""

GREETING = """
Deposit Watcher runs. Nothing here is real money. Ctrl-C ends it.

  API       {api}/v1      key {key}
  status    {command} --config {config} status
            curl -s {api}/admin/status -H 'Authorization: Bearer {token}'
            {api}/healthz and /readyz need no key
  node      {node_url}      a block every {block_seconds} s, 3 confirmations

Open an invoice:

  curl -s {api}/v1/invoices -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \
-d '{body}'

Pay it: 0.01 ETH, which is 30 USD at the fixed rate, to its address (quotes[0].address):

  curl -s {node_url} -H 'Content-Type: application/json' -d '{payment}'

See it become confirming, then paid:

  curl -s {api}/v1/invoices -H 'Authorization: Bearer {key}'
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--port", type=int, default=8080, help="of the API")
    parser.add_argument("--node-port", type=int, default=8545, help="of the local node")
    asked = parser.parse_args()
    for port, option in ((asked.port, "--port"), (asked.node_port, "--node-port")):
        if not is_free(port):
            print(f"port {port} is in use; try: make run ARGS='{option} N'", file=sys.stderr)
            return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with Anvil(port=asked.node_port) as node:
            return run_beside(node, asked.port)
    except KeyboardInterrupt:
        return 0


def run_beside(node: Anvil, port: int) -> int:
    """Prepare, start the daemon, greet when it is ready, and wait for its end."""
    api = f"http://127.0.0.1:{port}"
    for symbol in ("USDT", "USDC", "DAI"):
        put_token(node, symbol)
    node.rpc("evm_setIntervalMining", BLOCK_SECONDS)
    token = write_files(node, port)
    key = asyncio.run(open_shop())
    daemon = subprocess.Popen([COMMAND, "--config", CONFIG, "run"])
    try:
        await_ready(daemon, api)
        print(greeting(node, api, token, key), flush=True)
        return daemon.wait()
    finally:
        daemon.terminate()
        daemon.wait(STOP_SECONDS)


def put_token(node: Anvil, symbol: str) -> None:
    """A bare token where Ethereum has the real one."""
    assets = {asset.symbol: asset for asset in NETWORKS[Network("ethereum")].assets}
    contract = assets[symbol].contract
    assert contract is not None
    node.put_token(contract, assets[symbol].decimals)


def write_files(node: Anvil, port: int) -> str:
    """A fresh .local/ with configuration and key file; returns the admin token."""
    shutil.rmtree(LOCAL, ignore_errors=True)
    LOCAL.mkdir(mode=0o700)
    key_file = LOCAL / "watcher.key"
    key_file.touch(mode=0o600)
    key_file.write_text(Fernet.generate_key().decode() + "\n")
    token = secrets.token_urlsafe(24)
    CONFIG.touch(mode=0o600)
    CONFIG.write_text(TOML.format(port=port, folder=LOCAL, token=token, node_url=node.url))
    return token


async def open_shop() -> str:
    """A merchant with a wallet; returns its API key."""
    settings = load(CONFIG, {})
    box = load_box(settings.secrets.key_file)
    async with (
        open_database(settings, build_policy(settings)) as engine,
        storage.write(engine) as conn,
    ):
        merchant = await merchants.add_merchant(conn, "Example", now())
        await wallets.add_xpub(conn, merchant.id, EVM, XPUB, 0, now())
        return (await merchants.add_key(conn, box, merchant.id, False, None, now())).text


def await_ready(daemon: subprocess.Popen[bytes], api: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_ready(api):
        if daemon.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("the daemon did not become ready; its log is above")
        time.sleep(0.1)


def is_ready(api: str) -> bool:
    try:
        with urllib.request.urlopen(f"{api}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.URLError:
        return False


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def greeting(node: Anvil, api: str, token: str, key: str) -> str:
    body = {"price": {"amount": "30", "currency": "USD"}, "methods": ["ethereum:eth"]}
    sent = {"from": node.accounts[0], "to": "ADDRESS", "value": hex(10**16)}
    payment = {"jsonrpc": "2.0", "id": 1, "method": "eth_sendTransaction", "params": [sent]}
    return GREETING.format(
        api=api,
        key=key,
        token=token,
        command=COMMAND.relative_to(LOCAL.parent),
        config=CONFIG.relative_to(LOCAL.parent),
        node_url=node.url,
        block_seconds=BLOCK_SECONDS,
        body=json.dumps(body, separators=(",", ":")),
        payment=json.dumps(payment, separators=(",", ":")),
    )


if __name__ == "__main__":
    sys.exit(main())
