"""One suite of client behaviour, for every family: what a client must make of what a node does.

A family adds a row to `NODES`: its embedded node behind the interface of `Node` below, served on
loopback with the wire protocol of its network. The client under test is the one that is shipped.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, get_args

import pytest

from chains.base import (
    ChainClient,
    ChainDataError,
    ChainUnavailable,
    EndpointRefused,
    Holding,
    WrongChain,
)
from chains.sandbox.control import Faults, Lie
from tests.chains.sandbox.evm import EvmRow, PolygonRow
from tests.chains.sandbox.tron import TronRow
from watcher.domain.blocks import Block
from watcher.domain.money import Address, Asset


class Node(Protocol):
    """A node with block 0, that mines when it is told to."""

    url: str
    faults: Faults
    coin: Asset
    """The native one."""
    shop: Address
    """Who is paid."""
    stranger: Address
    """Who never is."""

    def client(self) -> ChainClient:
        """A new client of this node only; closed with it."""

    def pay(self, *units: int) -> None:
        """Mine one block with payments of the native coin, in this order."""

    def mine(self, blocks: int = 1) -> None:
        """Mine blocks without transactions."""

    def reorg(self, depth: int, blocks: int) -> None:
        """Put `blocks` without transactions in place of the newest `depth`."""


NODES: list[Callable[[], AbstractAsyncContextManager[Node]]] = [
    EvmRow.open,
    PolygonRow.open,
    TronRow.open,
]


@pytest.fixture(params=NODES, ids=["ethereum", "polygon", "tron"])
async def node(request: pytest.FixtureRequest) -> AsyncIterator[Node]:
    async with request.param() as node:
        yield node


def units(block: Block | None) -> list[int]:
    """What the block's transfers move; there must be a block."""
    assert block is not None
    return [transfer.units for transfer in block.transfers]


# What is there.


async def test_a_block_has_every_transfer_in_order(node: Node) -> None:
    node.pay(5, 7, 5)
    block = await node.client().block(1)
    assert units(block) == [5, 7, 5]
    assert block is not None
    assert {transfer.method for transfer in block.transfers} == {node.coin.method}
    assert len({(transfer.tx_hash, transfer.position) for transfer in block.transfers}) == 3


async def test_a_block_without_transactions_is_a_block(node: Node) -> None:
    node.mine()
    assert units(await node.client().block(1)) == []


async def test_blocks_link_to_the_one_below(node: Node) -> None:
    node.mine(3)
    client = node.client()
    blocks = [await client.block(number) for number in range(4)]
    refs = [block.ref for block in blocks if block is not None]
    assert [ref.number for ref in refs] == [0, 1, 2, 3]
    assert [ref.parent_hash for ref in refs[1:]] == [ref.hash for ref in refs[:-1]]
    assert await client.genesis() == refs[0].hash
    assert await client.head() == refs[-1]


async def test_finality_is_at_or_below_the_head_and_moves_on(node: Node) -> None:
    client = node.client()
    node.mine(30)
    first = await client.finalized()
    node.mine(10)
    second = await client.finalized()
    assert first is not None
    assert second is not None
    assert 0 < first.number < 30
    assert second.number == first.number + 10
    block = await client.block(first.number)
    assert block is not None
    assert block.ref == first


async def test_who_repeats_a_hash_corroborates_and_who_left_it_does_not(node: Node) -> None:
    node.pay(5)
    client = node.client()
    block = await client.block(1)
    assert block is not None
    assert await client.corroborate(block.ref, block.transfers) == {"a"}
    node.reorg(1, 2)
    assert await client.corroborate(block.ref, block.transfers) == frozenset()


async def test_what_accounts_hold_is_what_final_blocks_paid_them(node: Node) -> None:
    node.pay(5, 7)
    node.mine(50)
    node.pay(11)  # not final yet
    client = node.client()
    final = await client.finalized()
    assert final is not None
    held = await client.balances([node.stranger, node.shop], [node.coin], final)
    assert list(held) == [
        Holding(node.stranger, node.coin.method, 0, final.number, final.number),
        Holding(node.shop, node.coin.method, 12, final.number, final.number),
    ]


async def test_nobody_and_nothing_are_no_questions(node: Node) -> None:
    client = node.client()
    genesis = await client.block(0)
    assert genesis is not None
    assert list(await client.balances([], [node.coin], genesis.ref)) == []
    assert list(await client.balances([node.shop], [], genesis.ref)) == []


# What is not there, or not yet.


async def test_an_absent_block_is_none_until_it_is_there(node: Node) -> None:
    client = node.client()
    assert await client.block(1) is None
    node.pay(5)
    assert units(await client.block(1)) == [5]
    assert await client.block(2) is None


async def test_half_a_block_is_unavailable_and_never_less(node: Node) -> None:
    node.pay(5)
    node.faults.absent = True
    with pytest.raises(ChainUnavailable):
        await node.client().block(1)
    node.faults.absent = False
    assert units(await node.client().block(1)) == [5]


async def test_a_lagging_node_has_an_older_head_and_no_newer_block(node: Node) -> None:
    node.mine(4)
    node.pay(5)
    node.faults.lag = 2
    client = node.client()
    assert (await client.head()).number == 3
    assert units(await client.block(3)) == []
    assert await client.block(5) is None
    node.faults.lag = 0
    assert (await client.head()).number == 5
    assert units(await client.block(5)) == [5]


async def test_a_block_below_a_head_already_told_cannot_be_absent(node: Node) -> None:
    node.mine(3)
    client = node.client()
    assert (await client.head()).number == 3
    node.faults.lag = 1
    with pytest.raises(ChainUnavailable):
        await client.block(3)


# What is refused.


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_a_refusal_is_unavailable_and_hides_the_url(node: Node, status: int) -> None:
    node.faults.status = status
    with pytest.raises(ChainUnavailable) as error:
        await node.client().head()
    assert not isinstance(error.value, EndpointRefused)
    assert node.url not in str(error.value)
    assert node.url.removeprefix("http://") not in str(error.value)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_forbidden_endpoint_will_not_answer_later_either(node: Node, status: int) -> None:
    node.faults.status = status
    with pytest.raises(EndpointRefused):
        await node.client().head()


async def test_a_refusal_in_the_middle_of_the_work_is_never_an_empty_block(node: Node) -> None:
    node.pay(5)
    client = node.client()
    assert (await client.head()).number == 1
    node.faults.status = 429
    with pytest.raises(ChainUnavailable):
        await client.block(1)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_refusal_is_never_an_empty_account(node: Node, status: int) -> None:
    node.pay(5)
    client = node.client()
    newest = await client.head()
    assert newest.number == 1
    node.faults.status = status
    with pytest.raises(ChainUnavailable):
        await client.balances([node.shop], [node.coin], newest)


async def test_a_rate_limit_says_how_long_to_wait(node: Node) -> None:
    node.faults.status, node.faults.retry_after = 429, 17
    with pytest.raises(ChainUnavailable) as error:
        await node.client().head()
    assert error.value.retry_after == pytest.approx(17, abs=1)


async def test_a_dropped_connection_is_unavailable(node: Node) -> None:
    node.faults.drop = True
    with pytest.raises(ChainUnavailable) as error:
        await node.client().block(0)
    assert node.url not in str(error.value)


# What is not true.


@pytest.mark.parametrize("lie", get_args(Lie))
async def test_a_lie_is_never_a_block(node: Node, lie: Lie) -> None:
    node.pay(5, 7)
    node.faults.lie = lie
    client = node.client()
    with pytest.raises(ChainDataError):
        await client.block(1)
    assert [report.state for report in client.endpoints()] == ["quarantined"]
    node.faults.lie = None
    assert units(await node.client().block(1)) == [5, 7]


async def test_another_chain_is_refused_before_anything_is_read(node: Node) -> None:
    node.pay(5)
    node.faults.wrong_chain = True
    client = node.client()
    with pytest.raises(WrongChain):
        await client.head()
    assert [report.state for report in client.endpoints()] == ["quarantined"]


# What changes.


async def test_a_reorg_gives_other_blocks_upon_the_same_one(node: Node) -> None:
    node.mine(2)
    node.pay(5)
    node.mine()
    client = node.client()
    before = [await client.block(number) for number in range(5)]
    node.reorg(2, 3)
    after = [await client.block(number) for number in range(6)]
    hashes = [[block.ref.hash for block in blocks if block] for blocks in (before, after)]
    assert hashes[0][:3] == hashes[1][:3]
    assert not set(hashes[0][3:]) & set(hashes[1][3:])
    assert (units(before[3]), units(after[3])) == ([5], [])
    assert after[3] is not None
    assert after[3].ref.parent_hash == hashes[0][2]
    assert (await client.head()).hash == hashes[1][-1]


async def test_a_shorter_branch_shows_at_its_own_head(node: Node) -> None:
    node.mine(4)
    client = node.client()
    old = await client.block(2)
    assert (await client.head()).number == 4
    node.reorg(3, 1)
    head = await client.head()
    assert head.number == 2
    assert old is not None
    assert head.hash != old.ref.hash
