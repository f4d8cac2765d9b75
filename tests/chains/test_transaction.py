"""What clients say of one transaction: the same for every family, on its embedded node."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from chains.base import ChainDataError, ChainUnavailable
from tests.anvil import Anvil
from tests.chains.sandbox.evm import evm_client
from tests.chains.test_contract import NODES, Node
from watcher.domain.blocks import Hash, Transfer

NOBODYS = Hash("7e" * 32)


@pytest.fixture(params=NODES, ids=[each.__qualname__.partition(".")[0] for each in NODES])
async def node(request: pytest.FixtureRequest) -> AsyncIterator[Node]:
    async with request.param() as node:
        yield node


async def paid(node: Node, number: int = 1) -> Transfer:
    """The first payment in a block."""
    block = await node.client().block(number)
    assert block is not None
    return block.transfers[0]


async def test_a_payment_is_told_with_its_proven_block(node: Node) -> None:
    node.pay(5, 7)
    first = await paid(node)
    assert first.tx_hash is not None
    client = node.client()
    block, found = await client.block(1), await client.transaction(first.tx_hash)
    assert block is not None
    assert found is not None
    assert (found.hash, found.block) == (first.tx_hash, block.ref)
    assert first in found.moves
    assert [move.units for move in found.moves if isinstance(move, Transfer)] == [5]


async def test_what_nobody_knows_is_none(node: Node) -> None:
    node.pay(5)
    assert await node.client().transaction(NOBODYS) is None


async def test_that_nobody_answers_is_not_that_nobody_knows_it(node: Node) -> None:
    node.pay(5)
    node.faults.status = 503
    with pytest.raises(ChainUnavailable):
        await node.client().transaction(NOBODYS)


async def test_a_payment_that_left_the_chain_is_known_no_more(node: Node) -> None:
    node.pay(5)
    hash = (await paid(node)).tx_hash
    assert hash is not None
    node.reorg(1, 2)
    found = await node.client().transaction(hash)
    assert found is None or found.block is None


async def test_a_lie_about_the_block_is_no_explanation(node: Node) -> None:
    node.pay(5)
    hash = (await paid(node)).tx_hash
    assert hash is not None
    node.faults.lie = "no transfers"
    with pytest.raises(ChainDataError, match="block 1"):
        await node.client().transaction(hash)


async def test_a_transaction_that_waits_for_a_block_has_none() -> None:
    with Anvil() as anvil:
        hash = Hash(anvil.send("0x" + "a1" * 20, 5).removeprefix("0x"))
        client = evm_client(anvil.url)
        found = await client.transaction(hash)
        anvil.mine()
        mined = await client.transaction(hash)
        await client.close()
    assert found is not None
    assert (found.block, found.moves) == (None, ())
    assert mined is not None
    assert mined.block is not None
    assert [move.position for move in mined.moves] == ["value"]
