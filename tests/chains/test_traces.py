"""Ether that contracts send, seen by the client at real nodes; and who must vouch for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web

from chains import endpoints
from chains.base import ChainDataError, ChainUnavailable, EndpointRefused
from chains.evm.client import EvmClient
from chains.evm.tracing import PATIENCE, STATES_KEPT
from chains.sandbox.evm.contracts import BATCH, TRAP, batch, toy_contracts, trapped
from chains.sandbox.evm.orders import Order
from tests import proxy as faults
from tests.anvil import Anvil
from tests.chains.test_evm_client import ALICE, BOB, ETH, RECEIPTS, open_client, states
from tests.proxy import Call, Fault, Proxy
from watcher.domain.blocks import Transfer
from watcher.domain.money import Address

Change = Callable[[Call], Awaitable[Any]]
"""What a node answers instead of the truth."""

GETH, PARITY = "debug_traceBlockByHash", "trace_block"
UNKNOWN = faults.error({"code": -32601, "message": "the method does not exist"})
AWAY = faults.status(503)
KEEPER, LENDER, MAKER = (f"0x{digit * 20}" for digit in ("5e", "1e", "3a"))
ENDS = f"0x73{ALICE[2:]}ff"  # PUSH20 Alice SELFDESTRUCT
LENDS = f"0x600060006000600073{KEEPER[2:]}5af400"  # DELEGATECALL of KEEPER with its value
MAKES = "0x60016000600034f500"  # CREATE2(its value, no code, salt 1)


@pytest.fixture
def anvil() -> Iterator[Anvil]:
    with Anvil() as node:
        for address, contract in toy_contracts([ETH]).items():
            node.set_code(address, contract.code)
        yield node


@pytest.fixture
async def nodes(anvil: Anvil) -> AsyncIterator[list[Proxy]]:
    """Three endpoints of one node, each with faults of its own."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Proxy(anvil.url)) for _ in range(3)]


def order(anvil: Anvil, order: Order) -> None:
    anvil.send(order.to, order.value, data=f"0x{order.data.hex()}")


def pay(anvil: Anvil, *units: int) -> None:
    """Mine a block in which one contract pays Alice so often."""
    order(anvil, batch([Order(Address(ALICE), each, b"") for each in units]))
    anvil.mine()


def untraced(*nodes: Proxy) -> None:
    for node in nodes:
        node.fail(UNKNOWN, GETH, PARITY)


async def internal(client: EvmClient, number: int = 1) -> list[Transfer]:
    block = await client.block(number)
    assert block is not None
    return [move for move in block.transfers if move.position.startswith("trace/")]


async def found(client: EvmClient, number: int = 1) -> list[tuple[str, str, int]]:
    return [(each.position, each.to, each.units) for each in await internal(client, number)]


def tells(client: EvmClient) -> list[bool | None]:
    return [report.traces for report in client.endpoints()]


# What counts.


@pytest.mark.parametrize("tracer", [GETH, PARITY])
async def test_each_payment_of_a_contract_counts_once(
    anvil: Anvil, nodes: list[Proxy], tracer: str
) -> None:
    pay(anvil, 5, 7)
    nodes[0].fail(UNKNOWN, PARITY if tracer == GETH else GETH)
    async with open_client(nodes[0].url, traces="required") as client:
        assert await found(client) == [("trace/0", ALICE, 5), ("trace/1", ALICE, 7)]
        block = await client.block(1)
        assert tells(client) == [True]
    assert block is not None
    assert (block.transfers[0].position, block.transfers[0].to) == ("value", BATCH)
    assert int(anvil.rpc("eth_getBalance", ALICE, "latest"), 16) == 12


async def test_both_tracers_tell_the_same_of_every_kind_of_call(
    anvil: Anvil, nodes: list[Proxy]
) -> None:
    for address, code in ((KEEPER, ENDS), (LENDER, LENDS), (MAKER, MAKES)):
        anvil.set_code(address, code)
    order(anvil, trapped(Address(ALICE), 3))  # the outermost call fails
    order(anvil, batch([trapped(Address(ALICE), 4)]))  # an inner one fails
    anvil.send(KEEPER, 9)  # ends in favour of Alice
    anvil.send(LENDER, 11)  # lends itself to KEEPER's code, and so ends in favour of Alice
    anvil.send(MAKER, 13)  # to a new contract
    anvil.mine()
    async with open_client(nodes[0].url, traces="required") as client:
        moves = await found(client)
    nodes[0].fail(UNKNOWN, GETH)
    async with open_client(nodes[0].url, traces="required") as client:
        assert await found(client) == moves
    *ends, (_, made, endowment) = moves
    assert ends == [("trace/0", ALICE, 9), ("trace/0", ALICE, 11)]
    assert (endowment, int(anvil.rpc("eth_getBalance", made, "latest"), 16)) == (13, 13)
    assert int(anvil.rpc("eth_getBalance", ALICE, "latest"), 16) == 20
    assert int(anvil.rpc("eth_getBalance", TRAP, "latest"), 16) == 0


async def test_blocks_without_transactions_are_not_traced(anvil: Anvil, nodes: list[Proxy]) -> None:
    anvil.mine()
    async with open_client(nodes[0].url, traces="auto") as client:
        assert await found(client) == []
    assert nodes[0].calls[GETH] == 0


async def test_off_never_asks_and_says_so(anvil: Anvil, nodes: list[Proxy]) -> None:
    pay(anvil, 5)
    async with open_client(nodes[0].url, traces="off") as client:
        await client.survey()
        assert await found(client) == []
        assert client.warnings() == ['ETH that contracts send: by audit only, since traces = "off"']
        assert tells(client) == [None]
    assert nodes[0].calls[GETH] == nodes[0].calls[PARITY] == 0


# Who traces.


async def test_auto_follows_without_traces_and_says_so(anvil: Anvil, nodes: list[Proxy]) -> None:
    pay(anvil, 5)
    untraced(nodes[0])
    async with open_client(nodes[0].url, traces="auto") as client:
        assert await found(client) == []
        assert (states(client), tells(client)) == (["healthy"], [False])
        assert list(client.warnings()) == [
            "ETH that contracts send: by audit only, since no endpoint is known to trace",
            "1 of the blocks 1 to 1 were read without traces: "
            "ETH that contracts sent there shows by audit only",
        ]
        await client.block(1)
        assert nodes[0].calls[GETH] == nodes[0].calls[PARITY] == 1  # known from then on


async def test_required_takes_no_block_without_traces(anvil: Anvil, nodes: list[Proxy]) -> None:
    pay(anvil, 5)
    untraced(nodes[0])
    async with open_client(nodes[0].url, traces="required") as client:
        for _ in range(2):
            with pytest.raises(EndpointRefused, match=r'gives no traces.*; traces = "required"'):
                await client.block(1)
        assert (await client.head()).number == 1
        assert (states(client), tells(client)) == (["healthy"], [False])


async def test_a_survey_finds_out_who_traces(anvil: Anvil, nodes: list[Proxy]) -> None:
    untraced(nodes[0])
    async with open_client(nodes[0].url, nodes[1].url, traces="auto") as client:
        assert tells(client) == [None, None]
        await client.survey()
        assert tells(client) == [False, True]
        assert client.warnings() == [
            "ETH that contracts send is confirmed on the word of b, the only one to trace"
        ]
        pay(anvil, 5)
        assert await found(client) == [("trace/0", ALICE, 5)]
    assert nodes[0].calls[RECEIPTS] == 0


@pytest.mark.parametrize("fault", [AWAY, UNKNOWN, faults.result(None)])
async def test_who_traced_is_waited_for(anvil: Anvil, nodes: list[Proxy], fault: Fault) -> None:
    pay(anvil, 5)
    untraced(nodes[1])
    async with open_client(nodes[0].url, nodes[1].url, traces="auto") as client:
        await client.survey()
        nodes[0].fail(fault, GETH)
        for _ in range(2):
            with pytest.raises(ChainUnavailable):
                await client.block(1)
        assert tells(client) == [True, False]
    nodes[0].heal()
    async with open_client(nodes[0].url, nodes[1].url, traces="auto") as client:
        assert await found(client) == [("trace/0", ALICE, 5)]


async def test_a_fault_at_the_start_is_not_taken_for_a_node_without_traces(
    anvil: Anvil, nodes: list[Proxy]
) -> None:
    pay(anvil, 5)
    untraced(nodes[1])
    nodes[0].fail(AWAY, GETH)
    async with open_client(nodes[0].url, nodes[1].url, traces="auto") as client:
        await client.survey()
        with pytest.raises(ChainUnavailable):
            await client.block(1)
        assert tells(client) == [None, False]
        assert states(client)[1] == "healthy"
    nodes[0].heal()
    async with open_client(nodes[0].url, nodes[1].url, traces="auto") as client:
        assert await found(client) == [("trace/0", ALICE, 5)]


async def test_who_only_ever_fails_to_trace_is_not_waited_for_in_the_end(
    anvil: Anvil, nodes: list[Proxy]
) -> None:
    pay(anvil, 5)
    nodes[0].fail(AWAY, GETH)
    async with open_client(nodes[0].url, traces="auto") as client:
        for _ in range(PATIENCE):
            await client.survey()
        assert await found(client) == []
        assert "1 of the blocks 1 to 1 were read without traces" in "".join(client.warnings())


async def test_another_endpoint_that_traces_steps_in(anvil: Anvil, nodes: list[Proxy]) -> None:
    pay(anvil, 5)
    async with open_client(nodes[0].url, nodes[1].url, traces="auto") as client:
        await client.survey()
        nodes[0].fail(AWAY, GETH)
        assert await found(client) == [("trace/0", ALICE, 5)]
        assert list(client.warnings()) == []


async def test_a_block_too_old_to_be_traced_is_taken_and_counted(
    anvil: Anvil, nodes: list[Proxy]
) -> None:
    pay(anvil, 5)
    anvil.rpc("anvil_mine", hex(100))
    pay(anvil, 6)
    gone = faults.error({"code": -32000, "message": "required historical state unavailable"})
    nodes[0].fail(gone, GETH, block=f"0x{anvil.hash(1)}")
    async with open_client(nodes[0].url, traces="auto") as client:
        await client.survey()
        with pytest.raises(ChainUnavailable):  # another that traces may have been asked next
            await client.block(1)
        assert await found(client, 1) == []
        assert await found(client, 102) == [("trace/0", ALICE, 6)]
        assert states(client) == ["healthy"]
        assert "1 of the blocks 1 to 1 were read without traces" in client.warnings()[-1]
    async with open_client(nodes[0].url, traces="required") as client:
        await client.survey()
        for _ in range(2):
            with pytest.raises(ChainUnavailable, match='traces = "required"'):
                await client.block(1)


async def test_a_young_block_is_never_too_old(anvil: Anvil, nodes: list[Proxy]) -> None:
    pay(anvil, 5)
    async with open_client(nodes[0].url, traces="auto") as client:
        await client.survey()
        nodes[0].fail(faults.error({"code": -32000, "message": "missing trie node 0a"}), GETH)
        for _ in range(2):
            with pytest.raises(ChainUnavailable):
                await client.block(1)


# What is not true.


async def shorter(call: Call) -> Any:
    return (await call.ask())[:-1]


async def doubled(call: Call) -> Any:
    traces = await call.ask()
    traces[0]["result"]["value"] = hex(2 * int(traces[0]["result"]["value"], 16))
    return traces


async def timed_out(call: Call) -> Any:
    return [{"txHash": each["txHash"], "error": "execution timeout"} for each in await call.ask()]


@pytest.mark.parametrize("lie", [shorter, doubled, timed_out])
async def test_traces_that_contradict_the_block_quarantine_who_gave_them(
    anvil: Anvil, nodes: list[Proxy], lie: Change
) -> None:
    pay(anvil, 5)
    nodes[0].fail(replying(lie), GETH)
    async with open_client(nodes[0].url, traces="auto") as client:
        with pytest.raises(ChainDataError, match="traces of block 1"):
            await client.block(1)
        assert states(client) == ["quarantined"]
    async with open_client(nodes[0].url, nodes[1].url, traces="auto") as client:
        assert await found(client) == [("trace/0", ALICE, 5)]
        assert states(client) == ["quarantined", "healthy"]


def replying(change: Change) -> Fault:
    async def fault(call: Call) -> web.StreamResponse:
        return call.reply(result=await change(call))

    return fault


async def test_a_reorg_while_traces_are_asked_by_number_is_no_lie(
    anvil: Anvil, nodes: list[Proxy]
) -> None:
    pay(anvil, 5)
    nodes[0].fail(UNKNOWN, GETH)

    async def reorganize(call: Call) -> Any:
        anvil.rollback(1)
        anvil.send(BOB, 1)
        anvil.mine(seconds=99)
        return await call.ask()

    nodes[0].fail(replying(reorganize), PARITY, times=1)
    async with open_client(nodes[0].url, traces="auto") as client:
        with pytest.raises(ChainUnavailable, match="changed while it was read"):
            await client.block(1)
        assert "quarantined" not in states(client)


# Who vouches.


async def invented(call: Call) -> Any:
    """A payment to Bob that no other node knows of."""
    traces = await call.ask()
    first = traces[0]["result"]["calls"][0]
    traces[0]["result"]["calls"].append({**first, "to": BOB, "value": "0x63"})
    return traces


async def vouching(
    nodes: Sequence[Proxy], moves: Sequence[Transfer] | None = None, agreement: int = 2
) -> frozenset[str]:
    """Who repeats what block 1 sent by contracts; `moves`, or what the first endpoint told."""
    urls = [node.url for node in nodes]
    async with open_client(*urls, traces="auto", agreement=agreement) as client:
        await client.survey()
        block = await client.block(1)
        assert block is not None
        return await client.corroborate(block.ref, moves or await internal(client))


async def test_those_that_trace_must_repeat_it(anvil: Anvil, nodes: list[Proxy]) -> None:
    pay(anvil, 5)
    assert await vouching(nodes[:2]) == {"a", "b"}
    nodes[1].fail(AWAY, GETH, block=f"0x{anvil.hash(1)}")
    async with open_client(nodes[0].url, nodes[1].url, traces="auto", agreement=2) as client:
        block = await client.block(1)
        assert block is not None
        assert await client.corroborate(block.ref, await internal(client)) == {"a"}


async def test_what_one_endpoint_invented_is_not_repeated(anvil: Anvil, nodes: list[Proxy]) -> None:
    pay(anvil, 5)
    nodes[0].fail(replying(invented), GETH)
    async with open_client(nodes[0].url, traces="auto") as liar:
        true, false = await internal(liar)
    assert (false.to, false.units) == (BOB, 99)
    assert await vouching(nodes[:2], [false]) == {"a"}
    assert await vouching(nodes[:2], [true]) == {"a", "b"}
    assert await vouching(nodes, [false]) == {"a"}


@pytest.mark.parametrize("restarted", [False, True])
async def test_who_traces_does_not_vouch_for_a_block_that_it_has_forgotten(
    anvil: Anvil, nodes: list[Proxy], restarted: bool
) -> None:
    pay(anvil, 5)
    nodes[0].fail(replying(invented), GETH)
    async with open_client(nodes[0].url, nodes[1].url, traces="auto", agreement=2) as client:
        await client.survey()
        block = await client.block(1)
        assert block is not None
        true, false = await internal(client)
        assert await client.corroborate(block.ref, [false]) == {"a"}
        assert await client.corroborate(block.ref, [true]) == {"a", "b"}
        for _ in range(STATES_KEPT):
            anvil.mine()
        async with open_client(nodes[0].url, nodes[1].url, traces="auto", agreement=2) as another:
            asked = another if restarted else client
            await asked.survey()
            nodes[1].fail(faults.error({"code": -32000, "message": "missing trie node 0a"}), GETH)
            assert await asked.corroborate(block.ref, [false]) == {"a"}
            assert await asked.corroborate(block.ref, [true]) == {"a"}


async def test_where_nobody_repeats_it_any_more_the_block_alone_does_not_do(
    anvil: Anvil, nodes: list[Proxy]
) -> None:
    pay(anvil, 5)
    async with open_client(nodes[0].url, traces="auto") as client:
        block = await client.block(1)
        assert block is not None
        moves = await internal(client)
    untraced(*nodes)
    assert await vouching(nodes, moves) == frozenset()
    async with open_client(nodes[0].url, nodes[1].url, agreement=2) as trusting:
        assert await trusting.corroborate(block.ref, moves) == {"a", "b"}  # traces = "off"


async def test_a_repetition_may_take_as_long_as_traces_do(
    anvil: Anvil, nodes: list[Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    pay(anvil, 5)
    async with open_client(nodes[0].url, nodes[1].url, traces="auto", agreement=2) as client:
        await client.survey()
        block = await client.block(1)
        assert block is not None
        moves = await internal(client)
        monkeypatch.setattr(endpoints, "EACH_SECONDS", 0.05)
        nodes[1].fail(faults.delay(0.3), GETH)
        assert await client.corroborate(block.ref, moves) == {"a", "b"}


async def test_where_only_one_traces_the_others_vouch_for_the_block(
    anvil: Anvil, nodes: list[Proxy]
) -> None:
    pay(anvil, 5)
    untraced(nodes[1], nodes[2])
    assert await vouching(nodes[:2]) == {"a", "b"}
    assert await vouching(nodes, agreement=3) == {"a", "b", "c"}


async def test_who_does_not_trace_is_no_substitute_for_who_does(
    anvil: Anvil, nodes: list[Proxy]
) -> None:
    pay(anvil, 5)
    untraced(nodes[2])
    nodes[0].fail(replying(invented), GETH)
    async with open_client(nodes[0].url, traces="auto") as liar:
        _, false = await internal(liar)
    assert await vouching(nodes, [false]) == {"a"}


async def test_who_refuses_to_trace_any_more_still_gives_the_rest(
    anvil: Anvil, nodes: list[Proxy]
) -> None:
    pay(anvil, 5)
    async with open_client(nodes[0].url, nodes[1].url, traces="auto", agreement=2) as client:
        await client.survey()
        block = await client.block(1)
        assert block is not None
        moves = await internal(client)
        untraced(nodes[1])
        nodes[1].fail(UNKNOWN, "eth_getTransactionByHash")
        assert await client.corroborate(block.ref, moves) == {"a"}
        hash = moves[0].tx_hash
        assert hash is not None
        assert await client.transaction(hash) is not None
        assert [each.state for each in client.endpoints()] == ["healthy", "healthy"]


async def test_a_block_that_left_the_chain_is_vouched_for_by_nobody(
    anvil: Anvil, nodes: list[Proxy]
) -> None:
    pay(anvil, 5)
    untraced(nodes[1])
    async with open_client(nodes[0].url, nodes[1].url, traces="auto") as client:
        block = await client.block(1)
        assert block is not None
        moves = await internal(client)
        anvil.reorg(1)
        assert await client.corroborate(block.ref, moves) == frozenset()


# Reading again.


async def test_each_endpoint_that_traces_gives_its_own_copy(
    anvil: Anvil, nodes: list[Proxy]
) -> None:
    pay(anvil, 5)

    async def silent(call: Call) -> Any:
        traced = await call.ask()
        traced[0]["result"]["calls"] = []
        return call.reply(result=traced)

    nodes[0].fail(silent, GETH)
    untraced(nodes[2])
    urls = [each.url for each in nodes]
    async with open_client(*urls, traces="auto", agreement=2) as client:
        await client.survey()
        assert await found(client) == []
        copies = await client.copies(1)
        assert list(copies) == ["a", "b"]
        assert copies["a"].ref == copies["b"].ref
        traced = [m.units for m in copies["b"].transfers if m.position.startswith("trace/")]
        assert traced == [5]
        nodes[1].fail(AWAY, GETH)
        with pytest.raises(ChainUnavailable, match="block 1: 1 of 2 endpoints give its traces"):
            await client.copies(1)


@pytest.mark.parametrize("mode", ["auto", "off"])
async def test_where_nobody_traces_a_hash_commits_to_all_that_is_told(
    anvil: Anvil, nodes: list[Proxy], mode: Any
) -> None:
    pay(anvil, 5)
    untraced(*nodes)
    async with open_client(nodes[0].url, nodes[1].url, traces=mode, agreement=2) as client:
        await client.survey()
        assert await client.copies(1) == {}
