"""How fast full blocks of three networks are read, beside mere fetching and beside libraries.

    python -m benchmarks.clients [--realdata DIR]

From a server in a process of its own on loopback, 4 blocks in flight: a recorded Ethereum block of
210 transactions, the Polygon block of 560 of `benchmarks.polygon`, and a Tron block of 300, half of
which pay TRX and half call a listed token, with true hashes and a true signature.

fetch    both answers, nothing read of them: what no reader can beat
client   our client: decoded, proven and searched in its worker process
traced   the same with the block's traces, a third answer
web3     `eth.get_block(number, True)` and `eth.get_logs` of the same tokens' transfers
tronpy   `get_block`; it has nothing that reads logs

CPU is per block, of this process and the worker; the libraries prove nothing. The ways take turns,
so that a busy machine slows them alike; medians.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from tronpy import AsyncTron
from tronpy.providers.async_http import AsyncHTTPProvider as TronProvider
from web3 import AsyncHTTPProvider, AsyncWeb3
from web3.middleware import ExtraDataToPOAMiddleware

from benchmarks.harness.cost import Cost, Meter
from benchmarks.harness.fetch import TRON_PATHS, Fetch
from benchmarks.harness.replay import replaying
from benchmarks.polygon import RECORDED, full_block
from chains.base import ChainClient, ClientOptions, EndpointSettings, NetworkSpec, Traces
from chains.ethereum import ETHEREUM
from chains.evm.header import encode_header
from chains.evm.messages import Block
from chains.evm.rlp import hashed
from chains.polygon import POLYGON
from chains.tron import TRON
from chains.tvm.address import raw
from tests.chains.tvm.made import NUMBER, make_answers, make_log, transfer, trigger

BLOCKS, IN_FLIGHT, ROUNDS = 16, 4, 5
ETHEREUM_BLOCK = 15_753_009
TRON_TRANSACTIONS = 300
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"

Json = Any  # what a node sends
Work = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Case:
    """One network's full block, as its node answers."""

    spec: NetworkSpec
    number: int
    transactions: int
    answers: dict[str, bytes] = field(repr=False)

    @property
    def tokens(self) -> list[str]:
        return [asset.contract for asset in self.spec.assets if asset.contract is not None]

    def open(self, url: str, traces: Traces = "off") -> ChainClient:
        spec, settings = self.spec, EndpointSettings("node", url)
        options = ClientOptions([settings], spec.assets, spec.chain_id, None, traces=traces)
        return spec.open_client(spec, options)


def main() -> None:
    """Print one table per network."""
    beside = Path(__file__).parent.parent.parent / "shared" / "realdata"
    parser = argparse.ArgumentParser()
    parser.add_argument("--realdata", type=Path, default=os.environ.get("REALDATA", beside))
    folder = Path(parser.parse_args().realdata)
    for case in (ethereum_case(folder), polygon_case(folder), tron_case()):
        with replaying(case.answers) as url:
            asyncio.run(measure(case, url))


def ethereum_case(folder: Path) -> Case:
    """A recorded block with its traces."""
    block, receipts, frames = (
        json.loads((folder / f"ethereum/mainnet-{ETHEREUM_BLOCK}.{part}.json").read_text())
        for part in ("block", "receipts", "calltraces")
    )
    traces = [{"result": frame} for frame in frames]
    return evm_case(
        ETHEREUM, block, receipts, {"debug_traceBlockByHash": msgspec.json.encode(traces)}
    )


def polygon_case(folder: Path) -> Case:
    """As full as Polygon's blocks get."""
    block, receipts = (
        json.loads((folder / f"polygon/polygon-{RECORDED}.{part}.json").read_text())
        for part in ("block", "receipts")
    )
    full, placed = map(json.loads, full_block(block, receipts))
    return evm_case(POLYGON, full, placed, {})


def evm_case(spec: NetworkSpec, block: Json, receipts: Json, more: dict[str, bytes]) -> Case:
    """What a node answers to our client and to web3 about this block, and of no other."""
    tokens = {asset.contract for asset in spec.assets}
    logs = [
        log
        for receipt in receipts
        for log in receipt["logs"]
        if log["address"].lower() in tokens and log["topics"][:1] == [TRANSFER]
    ]
    first = {**block, "number": "0x0", "transactions": []}
    first["hash"] = f"0x{hashed(encode_header(msgspec.convert(first, Block)))}"
    said = {
        "eth_chainId": hex(spec.chain_id),
        "eth_getBlockByNumber 0x0": first,
        "eth_getBlockByNumber": block,
        "eth_getBlockReceipts": receipts,
        "eth_getLogs": logs,
    }
    answers = {name: msgspec.json.encode(answer) for name, answer in said.items()}
    return Case(spec, int(block["number"], 16), len(receipts), {**answers, **more})


def tron_case() -> Case:
    """A made block: no full one was ever recorded with its infos."""
    token = TRON.assets[1].contract
    assert token is not None
    log = {"log": [make_log(address=f"41{raw(token).hex()}")]}
    pairs = [
        (trigger(nonce=index), log) if index % 2 else (transfer(nonce=index), {})
        for index in range(TRON_TRANSACTIONS)
    ]
    made = make_answers(*pairs)
    block, infos = TRON_PATHS
    first = make_answers(number=0, txTrieRoot="00" * 32).block
    answers = {block: made.block, infos: made.infos, f"{block} 0": first}
    return Case(TRON, NUMBER, TRON_TRANSACTIONS, answers)


async def measure(case: Case, url: str) -> None:
    """Time all ways in turns, and print them."""
    fetch = Fetch(case.spec.name, url)
    clients = {"client": case.open(url)}
    if case.spec is ETHEREUM:
        clients["traced"] = case.open(url, "required")
    library, works, close = (tronpy_of if case.spec is TRON else web3_of)(case, url)
    ways: dict[str, Work] = {"fetch": lambda: fetch.block(case.number)}
    for name, client in clients.items():
        ways[name] = reader(client, case.number)
    ways[library] = works
    size = await fetch.block(case.number)
    rounds = [{name: await cost(work) for name, work in ways.items()} for _ in range(ROUNDS)]
    await fetch.close()
    await close()
    for client in clients.values():
        await client.close()
    print(f"{case.spec.name}: {case.transactions} transactions, {size // 1000} kB in two answers")
    show({name: Cost.median([each[name] for each in rounds]) for name in ways}, library)


def reader(client: ChainClient, number: int) -> Work:
    async def read() -> None:
        block = await client.block(number)
        assert block is not None
        assert block.transfers

    return read


def web3_of(case: Case, url: str) -> tuple[str, Work, Work]:
    """Its name, its way, and how to close it."""
    w3 = AsyncWeb3(AsyncHTTPProvider(url))
    if case.spec is POLYGON:
        w3.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)
    tokens = [w3.to_checksum_address(token) for token in case.tokens]

    async def read() -> None:
        block = await w3.eth.get_block(case.number, True)
        logs = await w3.eth.get_logs(
            {
                "fromBlock": case.number,
                "toBlock": case.number,
                "address": tokens,
                "topics": [TRANSFER],
            }
        )
        assert block["transactions"]
        assert logs

    return "web3", read, w3.provider.disconnect


def tronpy_of(case: Case, url: str) -> tuple[str, Work, Work]:
    """Its name, its way, and how to close it."""
    tron = AsyncTron(TronProvider(url))

    async def read() -> None:
        assert (await tron.get_block(case.number))["transactions"]

    return "tronpy", read, tron.close


async def cost(work: Work) -> Cost:
    """Of BLOCKS times that, IN_FLIGHT at once."""
    await work()
    left = iter(range(BLOCKS))

    async def one_after_another() -> None:
        for _ in left:
            await work()

    meter = await Meter.start()
    await asyncio.gather(*(one_after_another() for _ in range(IN_FLIGHT)))
    return await meter.cost(BLOCKS)


def show(costs: dict[str, Cost], library: str) -> None:
    print(f"{'':8} {'blocks/s':>9} {'of fetch':>9} {'CPU ms':>8}")
    for name, each in costs.items():
        share = each.blocks_per_second / costs["fetch"].blocks_per_second
        print(f"{name:8} {each.blocks_per_second:9.1f} {share:9.1%} {each.cpu_ms:8.2f}")
    ours, theirs = costs["client"], costs[library]
    faster, less = ours.blocks_per_second / theirs.blocks_per_second, theirs.cpu_ms / ours.cpu_ms
    print(f"client: {faster:.1f} times {library}'s speed, {library} takes {less:.1f} times its CPU")
    print(flush=True)


if __name__ == "__main__":
    main()
