"""A real EVM node for one test: anvil on a free loopback port, mining only when told to."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

TRANSFER = "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
START_SECONDS = 10.0


def find_anvil() -> str:
    """The binary: $ANVIL_BIN, PATH, or the npm package beside the tests."""
    root = Path(__file__).parent.parent
    packaged = sorted(root.glob("node_modules/@foundry-rs/anvil-*/bin/anvil"))
    for found in (os.environ.get("ANVIL_BIN"), shutil.which("anvil"), *map(str, packaged)):
        if found:
            return found
    raise RuntimeError("no anvil: set ANVIL_BIN, or run `npm ci --ignore-scripts`")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def token_code(decimals: int) -> str:
    """Runtime code of a bare token: `decimals()`, and any other call is transfer(address,uint256).

    It emits Transfer(caller, address, amount) and keeps no balances, so nobody needs any.
    """
    return (
        "0x60003560e01c63313ce567146049576024356000526004353"
        f"37f{TRANSFER}60206000a3600160005260206000f35b60{decimals:02x}60005260206000f3"
    )


class Anvil:
    """One node, ended by `stop` or by leaving the context; it keeps nothing on disk."""

    def __init__(
        self, *args: str, chain_id: int = 1, port: int | None = None, epoch_slots: int = 4
    ) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._dir = tempfile.mkdtemp(prefix="anvil-")
        self._ids = itertools.count()
        options = {
            "--port": self.port,
            "--chain-id": chain_id,
            "--accounts": 4,
            "--slots-in-an-epoch": epoch_slots,  # finalized is two epochs below the head
            "--max-persisted-states": 0,
            "--cache-path": self._dir,
        }
        words = [str(word) for option in options.items() for word in option]
        self.process = subprocess.Popen(
            [find_anvil(), "--silent", "--no-mining", *words, *args], stdin=subprocess.DEVNULL
        )
        try:
            self._wait_until_answering()
            self.accounts: list[str] = self.rpc("eth_accounts")
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        shutil.rmtree(self._dir, ignore_errors=True)

    def rpc(self, method: str, *params: object) -> Any:
        """The result of one call; RuntimeError with the node's words."""
        call = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        request = urllib.request.Request(
            self.url, json.dumps(call).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            answer = json.load(response)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def mine(self, blocks: int = 1, *, seconds: int = 12) -> None:
        """Mine, `seconds` of chain time apart; waiting transactions go into the first block."""
        for _ in range(blocks):
            self.rpc("anvil_setNextBlockTimestamp", self.time() + seconds)
            self.rpc("evm_mine")

    def number(self) -> int:
        return int(self.rpc("eth_blockNumber"), 16)

    def time(self) -> int:
        """The newest block's timestamp."""
        return int(self.block("latest")["timestamp"], 16)

    def block(self, number: int | str, *, full: bool = False) -> Any:
        asked = hex(number) if isinstance(number, int) else number
        return self.rpc("eth_getBlockByNumber", asked, full)

    def hash(self, number: int) -> str:
        """Hash of a block, without 0x."""
        return str(self.block(number)["hash"][2:])

    def send(self, to: str, wei: int, *, sender: int = 0, data: str = "0x") -> str:
        """Offer a transaction for the next block; its hash, with 0x."""
        transaction = {
            "from": self.accounts[sender],
            "to": to,
            "value": hex(wei),
            "data": data,
            "gas": hex(200_000),
        }
        return str(self.rpc("eth_sendTransaction", transaction))

    def set_code(self, address: str, code: str) -> None:
        self.rpc("anvil_setCode", address, code)

    def put_token(self, address: str, decimals: int = 6) -> None:
        """Put the bare token of `token_code` at `address`."""
        self.set_code(address, token_code(decimals))

    def send_token(self, contract: str, to: str, units: int, *, sender: int = 0) -> str:
        """Offer a token transfer for the next block; the transaction's hash, with 0x."""
        data = f"0xa9059cbb{int(to, 16):064x}{units:064x}"
        return self.send(contract, 0, sender=sender, data=data)

    def reorg(self, depth: int, transactions: Sequence[Sequence[object]] = ()) -> None:
        """Replace the newest `depth` blocks; [transaction, block index] pairs go into the new."""
        self.rpc("anvil_reorg", depth, list(transactions))

    def rollback(self, blocks: int) -> None:
        """Take the newest blocks off; the head goes down."""
        self.rpc("anvil_rollback", blocks)

    def _wait_until_answering(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.rpc("eth_chainId")
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("anvil does not start") from None
                time.sleep(0.005)
