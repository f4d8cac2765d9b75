"""What contracts send of the coin, by either tracer: what counts, and what is refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from chains.base import ChainDataError
from chains.evm.blocks import read_block
from chains.evm.traces import CALL_TRACER, PARITY, Traces
from tests.chains.evm.made import SHOP, make_answers, make_log, make_receipt, make_transaction, word
from tests.chains.evm.recorded import NATIVE, Answers, Json, listing, mainnet
from tests.chains.evm.traced import CONTRACT, call_traces, make_call, make_root, parity_traces
from tests.realdata import realdata
from watcher.domain.blocks import Transfer
from watcher.domain.money import Address

Tell = Callable[[Answers, Sequence[Json]], Traces]
TRACERS = pytest.mark.parametrize("tell", [call_traces, parity_traces], ids=["geth", "parity"])
OTHER = "0x" + "e" * 40
RECORDED = [4370006, 4404763, 468179, 7280016, 11098450, 13998626, 15753009, 17053184]


def called(**fields: Json) -> Json:
    """A transaction that pays 7 wei to CONTRACT."""
    return make_transaction(to=CONTRACT, **fields)


def plain(**receipt: Json) -> Answers:
    return make_answers((called(), make_receipt(**receipt)))


def internal(answers: Answers, traces: Traces) -> list[Transfer]:
    moves = read_block(answers.block, answers.receipts, listing(), traces).block.transfers
    return [move for move in moves if move.position.startswith("trace/")]


def sent(tell: Tell, *calls: Json) -> list[tuple[str, str, int]]:
    """(position, to, wei) of what CONTRACT sends by these calls."""
    answers = plain()
    found = internal(answers, tell(answers, [make_root(*calls)]))
    return [(move.position, move.to, move.units) for move in found]


@TRACERS
def test_a_call_that_pays_is_a_transfer_beside_the_transactions_own_value(tell: Tell) -> None:
    answers = plain()
    traces = tell(answers, [make_root(make_call(5))])
    reading = read_block(answers.block, answers.receipts, listing(), traces)
    value, inner = reading.block.transfers
    assert (value.position, value.to, value.units) == ("value", CONTRACT, 7)
    assert inner == Transfer(value.tx_hash, "trace/0", NATIVE, Address(CONTRACT), Address(SHOP), 5)
    assert reading.block.size == sum(map(len, (answers.block, answers.receipts, traces.content)))


PAID = make_call(5)
COUNTED: list[tuple[str, list[Json], list[tuple[str, str, int]]]] = [
    ("two to one address", [PAID, PAID], [("trace/0", SHOP, 5), ("trace/1", SHOP, 5)]),
    ("deep", [make_call(0, make_call(3, PAID, to=OTHER), to=OTHER)],
     [("trace/0", OTHER, 3), ("trace/1", SHOP, 5)]),
    ("a contract with an endowment", [make_call(5, type="CREATE2")], [("trace/0", SHOP, 5)]),
    ("a contract that ends", [make_call(5, type="SELFDESTRUCT")], [("trace/0", SHOP, 5)]),
    ("after a precompile", [make_call(0, to=f"0x{1:040x}"), PAID], [("trace/0", SHOP, 5)]),
    ("around a precompile", [make_call(5, to=f"0x{4:040x}"), PAID], [("trace/0", SHOP, 5)]),
    ("within a delegatecall", [make_call(9, PAID, type="DELEGATECALL")], [("trace/0", SHOP, 5)]),
    ("capitals", [make_call(5, to=SHOP[:2] + SHOP[2:].upper())], [("trace/0", SHOP, 5)]),
]  # fmt: skip
NOTHING: list[tuple[str, list[Json]]] = [
    ("nothing sent", [make_call(0)]),
    ("delegatecall shows its caller's value", [make_call(7, type="DELEGATECALL")]),
    ("callcode pays oneself", [make_call(7, type="CALLCODE")]),
    ("staticcall", [{key: PAID[key] for key in ("from", "to")} | {"type": "STATICCALL"}]),
    ("failed", [make_call(5, error="out of gas")]),
    ("within what failed", [make_call(1, PAID, to=OTHER, error="execution reverted")]),
    ("deep within", [make_call(0, make_call(0, PAID, to=OTHER), to=OTHER, error="revert")]),
    ("to oneself", [make_call(5, to=CONTRACT)]),
    ("ends in favour of itself", [make_call(5, type="SELFDESTRUCT", to=CONTRACT)]),
    ("not created", [make_call(5, type="CREATE", to=None, error="out of gas")]),
]


@TRACERS
@pytest.mark.parametrize(("calls", "found"), [row[1:] for row in COUNTED],
                         ids=[row[0] for row in COUNTED])  # fmt: skip
def test_what_counts(tell: Tell, calls: list[Json], found: list[tuple[str, str, int]]) -> None:
    assert sent(tell, *calls) == found


@TRACERS
@pytest.mark.parametrize("calls", [row[1] for row in NOTHING], ids=[row[0] for row in NOTHING])
def test_what_moves_nothing(tell: Tell, calls: list[Json]) -> None:
    assert sent(tell, *calls) == []
    assert sent(tell, *calls, PAID) == [("trace/0", SHOP, 5)]


@TRACERS
def test_nothing_within_a_failed_transaction_counts(tell: Tell) -> None:
    answers = plain(status="0x0")
    assert internal(answers, tell(answers, [make_root(PAID, error="execution reverted")])) == []


@TRACERS
def test_a_transaction_that_creates_a_contract_may_pay_from_it(tell: Tell) -> None:
    answers = make_answers((make_transaction(to=None), make_receipt()))
    (found,) = internal(answers, tell(answers, [make_root(PAID, type="CREATE")]))
    assert (found.position, found.to, found.units) == ("trace/0", SHOP, 5)


@contextmanager
def unbounded() -> Iterator[None]:
    """Let Python's own encoder nest as deep as the machine does."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    yield
    sys.setrecursionlimit(limit)


@TRACERS
def test_calls_as_deep_as_the_machine_allows_are_read(tell: Tell) -> None:
    call = PAID
    for _ in range(1023):
        call = make_call(0, call, to=OTHER)
    answers = plain()
    with unbounded():
        traces = tell(answers, [make_root(call)])
    (found,) = internal(answers, traces)
    assert (found.position, found.to, found.units) == ("trace/0", SHOP, 5)


def test_what_is_nested_without_end_is_refused() -> None:
    bottomless = Traces(CALL_TRACER, b'[{"result":' + b'{"type":"CALL","calls":[' * 50_000)
    with pytest.raises(ChainDataError, match=r"^traces of block 100: "):
        internal(plain(), bottomless)


@TRACERS
def test_a_contradiction_to_the_block_is_refused(tell: Tell) -> None:
    answers = plain()
    true = make_root(PAID)
    for lie in (
        {"value": "0x8"},
        {"from": OTHER},
        {"to": OTHER},
        {"type": "CREATE"},
        {"type": "DELEGATECALL"},
        {"error": "execution reverted"},
    ):
        with pytest.raises(ChainDataError, match=r"traces of block 100: .* is not what is traced"):
            internal(answers, tell(answers, [true | lie]))
    failed = plain(status="0x0")
    with pytest.raises(ChainDataError, match="is not what is traced"):
        internal(failed, tell(failed, [true]))


@TRACERS
@pytest.mark.parametrize("call", [
    make_call(5, type="EXTCALL"), make_call(5, to=None), make_call(5, to="0x12"),
    PAID | {"value": "5"}, PAID | {"value": "0x05"}, make_call(5, to="0x" + "g" * 40),
], ids=["unknown kind", "no recipient", "short", "no quantity", "zeros", "no digits"])  # fmt: skip
def test_a_call_that_makes_no_sense_is_refused(tell: Tell, call: Json) -> None:
    with pytest.raises(ChainDataError, match=r"^traces of block 100: "):
        sent(tell, call)


def two() -> tuple[Answers, list[Json]]:
    """A block of two transactions, and what they call."""
    pairs = [(called(nonce=nonce), make_receipt()) for nonce in ("0x1", "0x2")]
    return make_answers(*pairs), [make_root(PAID), make_root(make_call(6))]


Change = Callable[[list[Any]], object]
COVERS: list[tuple[str, Change]] = [
    ("one missing", lambda traces: traces.pop()),
    ("first missing", lambda traces: traces.pop(0)),
    ("none", lambda traces: traces.clear()),
    ("another order", lambda traces: traces.reverse()),
    ("one twice", lambda traces: traces.append(traces[-1])),
    ("another transaction", lambda traces: traces[0].update(
        {"txHash": word(1), "transactionHash": word(1)})),
    ("null", lambda traces: traces.__setitem__(0, None)),
]  # fmt: skip


@TRACERS
@pytest.mark.parametrize("change", [row[1] for row in COVERS], ids=[row[0] for row in COVERS])
def test_traces_that_do_not_cover_the_block_are_refused(tell: Tell, change: Change) -> None:
    answers, roots = two()
    true = tell(answers, [make_root(), make_root()])
    traces = json.loads(true.content)
    change(traces)
    with pytest.raises(ChainDataError, match=r"traces of block 100: "):
        internal(answers, Traces(true.tracer, json.dumps(traces).encode()))
    assert [move.units for move in internal(answers, tell(answers, roots))] == [5, 6]


@pytest.mark.parametrize("fault", [
    {"error": "execution timeout"}, {"result": None}, {"error": "x", "result": make_root()},
])  # fmt: skip
def test_a_transaction_that_was_not_traced_fails_the_block(fault: Json) -> None:
    answers, roots = two()
    traces = json.loads(call_traces(answers, roots).content)
    traces[1] = ({"txHash": traces[1]["txHash"]}) | fault
    with pytest.raises(ChainDataError, match="was not traced"):
        internal(answers, Traces(CALL_TRACER, json.dumps(traces).encode()))


def test_older_nodes_do_not_name_the_transaction() -> None:
    answers, roots = two()
    nameless = json.dumps([{"result": root} for root in roots]).encode()
    assert [move.units for move in internal(answers, Traces(CALL_TRACER, nameless))] == [5, 6]


@pytest.mark.parametrize("fault", [
    lambda traces: traces[1].update(traceAddress=[1, 0]),
    lambda traces: traces[1].update(traceAddress=[]),
    lambda traces: traces[1].update(blockHash=word(9)),
    lambda traces: traces[0].update(traceAddress=[0]),
], ids=["of no call", "twice", "another block", "no outermost"])  # fmt: skip
def test_a_list_of_calls_that_is_no_tree_is_refused(fault: Change) -> None:
    answers = plain()
    traces = json.loads(parity_traces(answers, [make_root(PAID)]).content)
    fault(traces)
    with pytest.raises(ChainDataError, match=r"traces of block 100: "):
        internal(answers, Traces(PARITY, json.dumps(traces).encode()))


def test_block_rewards_belong_to_no_transaction() -> None:
    answers = plain()
    traces = json.loads(parity_traces(answers, [make_root(PAID)]).content)
    reward = {"type": "reward", "action": {"author": SHOP, "value": "0x5"}, "traceAddress": []}
    traces.append({**reward, "blockHash": traces[0]["blockHash"], "transactionHash": None})
    found = internal(answers, Traces(PARITY, json.dumps(traces).encode()))
    assert [move.position for move in found] == ["trace/0"]


@pytest.mark.parametrize("number", RECORDED)
def test_a_recorded_block_gives_what_is_true_of_it_by_both_tracers(number: int) -> None:
    answers = mainnet(number)
    recorded = json.loads(realdata("ethereum", f"mainnet-{number}.calltraces.json").read_bytes())
    known = json.loads(realdata("ethereum", f"mainnet-{number}.expected.json").read_bytes())
    expected = sorted(
        (each["tx"][2:], each["to"], int(each["amount"]))
        for each in known["deposits"]
        if each["kind"] == "internal"
    )
    found = internal(answers, call_traces(answers, recorded))
    assert sorted((move.tx_hash or "", move.to, move.units) for move in found) == expected
    assert found == internal(answers, parity_traces(answers, recorded))


def test_a_recorded_answer_of_paritys_tracer_is_read() -> None:
    answers = mainnet(1_000_000)
    recorded = json.loads(realdata("ethereum", "mainnet-1000000.trace_block.json").read_bytes())
    traces = Traces(PARITY, json.dumps(recorded["result"]).encode())
    assert internal(answers, traces) == []  # a callcode that shows 100 ETH is all there is


def test_logs_stand_between_value_and_calls() -> None:
    answers = make_answers((called(), make_receipt(make_log(4))))
    traces = call_traces(answers, [make_root(PAID)])
    token = listing(make_log()["address"])
    moves = read_block(answers.block, answers.receipts, token, traces).block.transfers
    assert [move.position for move in moves] == ["value", "log/0", "trace/0"]
