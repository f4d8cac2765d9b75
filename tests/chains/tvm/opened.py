"""The Tron client on nodes that replay the recorded chain, and what that chain knows."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from chains import NETWORKS
from chains.base import ClientOptions, EndpointSettings
from chains.tvm.address import text
from chains.tvm.client import Read, TronClient, read_here
from tests.chains.tvm.recorded import FORKS, PRIVATE, Answers, Json, chain, load
from tests.javatron import JavaTron
from watcher.domain.blocks import Block, Hash
from watcher.domain.money import Address, Asset, Network

TRON = NETWORKS[Network("tron")]
TRX = TRON.assets[0]
LABELS = load(*PRIVATE, "labels.json")
USDT = Asset(TRON.name, "USDT", 6, text(bytes.fromhex(LABELS["contracts"]["USDT"])[1:]))
TEN = Asset(TRON.name, "TEN", 0, Address(LABELS["trc10"]))
GENESIS = Hash(load(*PRIVATE, "blocks.getblockbynum.json")[0]["blockID"])


@asynccontextmanager
async def open_client(
    *nodes: JavaTron | EndpointSettings,
    read: Read | None = read_here,
    genesis: Hash | None = GENESIS,
    chain_id: int = 1,
    agreement: int = 1,
    assets: Sequence[Asset] = (TRX, USDT, TEN),
) -> AsyncIterator[TronClient]:
    """A client of endpoints named a, b, … that reads within this process."""
    endpoints = [
        EndpointSettings(name, node.url) if isinstance(node, JavaTron) else node
        for name, node in zip("abc", nodes, strict=False)
    ]
    options = ClientOptions(endpoints, assets, chain_id, genesis, agreement)
    client = TronClient(TRON, options, read=read)
    try:
        yield client
    finally:
        await client.close()


def states(client: TronClient) -> list[str]:
    return [report.state for report in client.endpoints()]


async def block_of(client: TronClient, number: int) -> Block:
    """The block at `number`, which is there."""
    block = await client.block(number)
    assert block is not None
    return block


def fork(name: str) -> tuple[list[Json], list[Json]]:
    """One side of the true fork, above the genesis block of another net that it came without."""
    blocks, infos = chain(*FORKS, name=name)
    zero, no_infos = chain(*PRIVATE)
    return [zero[0], *blocks], [no_infos[0], *infos]


def put(node: JavaTron, made: Answers) -> None:
    """Let this be block 7."""
    node.blocks[7], node.infos[7] = json.loads(made.block), json.loads(made.infos)
