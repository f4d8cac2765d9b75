"""A node that changes one field of a true block, whichever: the block is taken elsewhere, whole.

Embedded nodes, so that every kind of payment stands in one block; recorded ones are elsewhere.
"""

from __future__ import annotations

import json
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web

from chains.base import ChainClient
from chains.ethereum import ETHEREUM
from chains.evm.rules import ETHEREUM_RULES
from chains.polygon import POLYGON
from chains.polygon import RULES as POLYGON_RULES
from chains.sandbox.control import Faults, serve
from chains.sandbox.evm.flavour import ethereum
from chains.sandbox.evm.node import EVM_KIND
from chains.sandbox.evm.polygon import polygon
from chains.sandbox.node import Kind, Node
from chains.sandbox.tron.node import TRON_KIND
from tests.chains.sandbox import evm, tron
from tests.faults import Place, alter_at, places_of

PAYMENTS = (("plain", False), ("plain", True), ("internal", False), ("internal", True))
"""Way, and whether a token pays."""

EVM_UNREAD = frozenset(
    {
        *("size", "effectiveGasPrice", "from", "gasUsed", "to", "type"),
        *(
            f"transactions.{name}"
            for name in ("blockHash", "blockNumber", "gasPrice", "transactionIndex", "v")
        ),
    }
)
CALL_FIELDS = (
    "callValueInfo.callValue",
    "caller_address",
    "note",
    "transferTo_address",
)
# A transaction is read from raw_data_hex, which its id commits to; raw_data only shows it.
RAW = ("expiration", "fee_limit", "ref_block_bytes", "ref_block_hash", "timestamp")
VALUES = ("amount", "call_value", "contract_address", "data", "owner_address", "to_address")
TRON_UNREAD = frozenset(
    {
        *("contractResult", "contract_address", "fee", "internal_transactions.hash"),
        *("receipt.energy_fee", "receipt.energy_usage_total", "receipt.net_fee"),
        *(f"transactions.raw_data.{name}" for name in RAW),
        *(f"transactions.raw_data.contract.{name}" for name in ("type", "parameter.type_url")),
        *(f"transactions.raw_data.contract.parameter.value.{name}" for name in VALUES),
    }
)


class Liar:
    """A node's door at which one answer is another."""

    def __init__(self, kind: Kind[Any, Any], node: Node[Any, Any]) -> None:
        self._door = kind.door(node)
        self.question = ""
        self.told: Any = None
        """What the node itself answered last to the question."""
        self._true: Any = None
        self._place: Place = ()

    def alter(self, true: Any, place: Place) -> None:
        """Change that field where the node gives that answer."""
        self._true, self._place = true, place

    def _change(self, said: Any) -> Any:
        self.told = said
        return alter_at(said, self._place, random.Random(1))[0] if said == self._true else said

    async def answer(self, request: web.Request) -> web.StreamResponse:
        asked = request.path.strip("/") or json.loads(await request.read())["method"]
        response = await self._door(request)
        if asked != self.question:
            return response
        assert isinstance(response, web.Response)
        said = json.loads(response.text or "")
        if request.path.strip("/"):
            return web.json_response(self._change(said))
        return web.json_response({**said, "result": self._change(said["result"])})


class Bench(ABC):
    """A liar and its honest twin, and a client that asks the liar first."""

    questions: tuple[str, str]
    """What brings a block, and what brings its results."""
    uncommitted: frozenset[str] = frozenset()
    """Fields that change what is read, since no hash vouches for them."""
    unread: frozenset[str]
    """Fields that are nothing to us."""

    def __init__(self, liar: Liar, urls: list[str], node: Node[Any, Any]) -> None:
        self.liar, self.urls, self.node = liar, urls, node

    @abstractmethod
    def client(self) -> ChainClient:
        """One that asks the liar first."""


class EthereumBench(Bench):
    questions = ("eth_getBlockByNumber", "eth_getBlockReceipts")
    shop, token = evm.SHOP, evm.contract(ETHEREUM.assets[1])
    opened = staticmethod(lambda: evm.open_evm(ethereum(1, ETHEREUM.assets)))
    kind: Kind[Any, Any] = EVM_KIND
    uncommitted = frozenset({"transactions.from"})  # the signature would tell; no root does
    unread = EVM_UNREAD

    def client(self) -> ChainClient:
        return evm.evm_client(*self.urls, spec=ETHEREUM, rules=ETHEREUM_RULES)


class PolygonBench(EthereumBench):
    token = evm.contract(POLYGON.assets[1])
    uncommitted = frozenset()  # there logs name the payer
    unread = EVM_UNREAD | {"transactions.from"}
    opened = staticmethod(lambda: evm.open_evm(polygon(137, POLYGON.assets)))

    def client(self) -> ChainClient:
        return evm.evm_client(*self.urls, spec=POLYGON, rules=POLYGON_RULES)


class TronBench(Bench):
    questions = ("wallet/getblockbynum", "wallet/gettransactioninfobyblocknum")
    shop, token = tron.SHOP, tron.USDT.contract
    opened = staticmethod(tron.open_tron)
    kind: Kind[Any, Any] = TRON_KIND
    uncommitted = frozenset(
        {
            *("log.address", "log.data", "log.topics"),
            *(f"internal_transactions.{name}" for name in CALL_FIELDS),
        }
    )
    unread = TRON_UNREAD

    def client(self) -> ChainClient:
        return tron.tron_client(self.node, urls=self.urls)


BENCHES = [EthereumBench, PolygonBench, TronBench]


@pytest.fixture(params=BENCHES)
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    kind = request.param
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(kind.opened())
        for way, by_token in PAYMENTS:
            contract = kind.token if by_token else None
            order = {"to": kind.shop, "units": "7", "contract": contract, "way": way}
            node.take("sandbox_pay", order)
        node.mine()
        liar = Liar(kind.kind, node)
        url = await stack.enter_async_context(serve(liar.answer, Faults()))
        yield kind(liar, [url, node.url], node)


async def contents(bench: Bench) -> tuple[object, str]:
    """What a fresh client has of the block, and what it thinks of the liar."""
    client = bench.client()
    try:
        block = await client.block(1)
        assert block is not None
        return (block.ref, block.transfers), client.endpoints()[0].state
    finally:
        await client.close()


async def true_answer(bench: Bench, question: str) -> Any:
    """What the node says to one of the questions for the block."""
    bench.liar.question = question
    await contents(bench)
    return bench.liar.told


def field_of(place: Place) -> str:
    """The same for every transaction, log or call."""
    return ".".join(step for step in place if isinstance(step, str))


def ends_of(said: Any) -> list[Place]:
    """Where each field stands first and last."""
    places = places_of(said)
    first = {field_of(place): place for place in reversed(places)}
    last = {field_of(place): place for place in places}
    return list(dict.fromkeys([*first.values(), *last.values()]))


async def test_no_field_of_a_true_block_can_be_changed_but_those_that_no_hash_commits_to(
    bench: Bench,
) -> None:
    true, _ = await contents(bench)
    unnoticed, changed = set(), set()
    for question in bench.questions:
        said = await true_answer(bench, question)
        for place in ends_of(said):
            bench.liar.alter(said, place)
            got, state = await contents(bench)
            if got != true:
                changed.add(field_of(place))
            elif state == "healthy":
                unnoticed.add(field_of(place))
    assert changed == bench.uncommitted
    assert unnoticed - changed == bench.unread
