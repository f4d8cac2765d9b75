"""Endpoints on two branches of one chain: what they call final is not one block."""

from __future__ import annotations

from chains.base import ClientOptions, EndpointSettings
from chains.ethereum import ETHEREUM
from chains.evm.client import EvmClient
from chains.evm.worker import read_here as read_evm
from chains.sandbox.control import Reorg
from chains.tron import TRON
from chains.tvm.client import TronClient
from chains.tvm.client import read_here as read_tron
from tests.chains.sandbox.evm import open_evm
from tests.chains.sandbox.tron import open_tron
from watcher.domain.blocks import Hash


async def test_finality_needs_one_block_and_not_one_number_on_an_evm_network() -> None:
    async with open_evm() as one, open_evm() as other:
        for node in (one, other):
            node.mine(30)
        options = ClientOptions(
            [EndpointSettings("a", one.url), EndpointSettings("b", other.url)],
            ETHEREUM.assets,
            ETHEREUM.chain_id,
            None,
            agreement=2,
        )
        client = EvmClient(ETHEREUM, options, read=read_evm)
        assert await client.finalized() is not None
        other.reorg(Reorg(depth=20, blocks=20))
        assert await client.finalized() is None
        await client.close()


async def test_finality_needs_one_block_and_not_one_number_on_tron() -> None:
    async with open_tron() as one, open_tron() as other:
        for node in (one, other):
            node.mine(40)
        options = ClientOptions(
            [EndpointSettings("a", one.url), EndpointSettings("b", other.url)],
            TRON.assets,
            TRON.chain_id,
            Hash(next(iter(one.chain.blocks)).hash),
            agreement=2,
        )
        client = TronClient(TRON, options, read=read_tron)
        assert await client.finalized() is not None
        other.reorg(Reorg(depth=30, blocks=30))
        assert await client.finalized() is None
        await client.close()
