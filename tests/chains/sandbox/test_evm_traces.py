"""What the embedded node's tracers tell, and that the client counts it as it would elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from chains.sandbox.evm.contracts import batch, trapped
from chains.sandbox.evm.node import EvmNode
from chains.sandbox.evm.payments import internal, plain
from tests.anvil import Anvil
from tests.chains.sandbox.evm import OTHER, SHOP, evm_client, open_evm, rpc
from tests.chains.sandbox.test_evm_anvil import copy_block
from tests.proxy import Proxy, error


@pytest.fixture
async def node() -> AsyncIterator[EvmNode]:
    """A block with what a contract sends, twice, and what it does not."""
    async with open_evm() as node:
        node.chain.send(internal(None, SHOP, 5))
        node.chain.send(batch([plain(None, SHOP, 6), trapped(SHOP, 7), plain(None, OTHER, 8)]))
        node.mine()
        yield node


@pytest.mark.parametrize("refused", ["trace_block", "debug_traceBlockByHash"])
async def test_what_a_contract_sends_is_counted_by_either_tracer(
    node: EvmNode, refused: str
) -> None:
    async with Proxy(node.url) as proxy:
        proxy.fail(error({"code": -32601, "message": "not here"}), refused)
        client = evm_client(proxy.url, traces="required")
        block = await client.block(1)
        await client.close()
    assert block is not None
    sent = [(move.position, move.to, move.units) for move in block.transfers]
    assert [each for each in sent if each[0] != "value"] == [
        ("trace/0", SHOP, 5),
        ("trace/0", SHOP, 6),
        ("trace/1", OTHER, 8),
    ]


async def test_a_real_evm_lists_the_same_calls(node: EvmNode) -> None:
    with Anvil("--order", "fifo") as anvil:
        copy_block(node, anvil)
        theirs = anvil.rpc("trace_block", "0x1")
    ours = await rpc(node, "trace_block", "0x1")
    assert list(map(shape, ours)) == list(map(shape, theirs))


def shape(trace: dict[str, Any]) -> object:
    """All but gas and hashes, which both have; the words of an error differ."""
    names = ("type", "traceAddress", "subtraces", "transactionHash", "transactionPosition")
    action = {name: trace["action"][name] for name in ("from", "to", "value", "callType")}
    return [trace[name] for name in names], action, "error" in trace


async def test_a_block_that_is_not_there_has_no_traces(node: EvmNode) -> None:
    assert await rpc(node, "trace_block", "0x2") is None
    node.faults.lag = 1
    assert await rpc(node, "trace_block", "0x1") is None
