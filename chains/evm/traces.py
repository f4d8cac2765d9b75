"""What contracts send of the native coin: a node's traces of a proven block, read and checked.

No hash commits to a trace: `prove` says nothing of it, and an endpoint's word is believed only as
far as others repeat it (`client.corroborate`). What can be compared is: a trace must cover every
transaction of the block, and its outermost call be that transaction, with the receipt's outcome.

Both kinds of nodes are read into the same frames: geth's callTracer gives a tree of calls for each
transaction, Parity's trace_block a list of all calls with their places in the tree.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Literal

import msgspec

from chains.base import TRACE, ChainDataError, Refusal
from chains.evm.logs import ITSELF, SUCCESS, canonical, tx_hash
from chains.evm.messages import Message, Receipt, Transaction
from chains.evm.proof import Proven
from chains.evm.rlp import address, content, number
from watcher.domain.blocks import Transfer
from watcher.domain.money import Address, Method

Tracer = Literal["debug_traceBlockByHash", "trace_block"]
CALL_TRACER: Tracer = "debug_traceBlockByHash"
PARITY: Tracer = "trace_block"

RECURSION_LIMIT = 3000
# Calls go 1024 deep, two levels of JSON each: with Python's 1000 anyone could pay for a transaction
# whose trace we cannot read. An 8 MB stack holds 20000 levels.
sys.setrecursionlimit(max(sys.getrecursionlimit(), RECURSION_LIMIT))

MOVING = frozenset({"CALL", "CREATE", "CREATE2", "SELFDESTRUCT"})
STILL = frozenset({"CALLCODE", "DELEGATECALL", "STATICCALL"})
"""What moves nothing; a DELEGATECALL all the same shows the value that its caller was given."""
LAST_PRECOMPILE = 0x1FF
"""Nobody's addresses up to here; some nodes leave out calls to them (go-ethereum #23927)."""


@dataclass(frozen=True, slots=True)
class Traces:
    """A node's answer, as it sent it, and to which method."""

    tracer: Tracer
    content: bytes


@dataclass(frozen=True, slots=True)
class Frame:
    """One call of a transaction."""

    kind: str
    sender: str
    to: str | None
    value: str | None
    failed: bool
    """It or one around it: nothing of it stays."""


class CallFrame(Message):
    """A call by geth's callTracer, with those that it made."""

    type: str
    sender: str = msgspec.field(name="from")
    to: str | None = None
    value: str | None = None
    error: str | None = None
    calls: list[CallFrame] = msgspec.field(default_factory=list)


class CallTrace(Message):
    """A transaction's outermost call, or why there is none."""

    result: CallFrame | None = None
    error: str | None = None
    tx_hash: str | None = None
    """None: older nodes do not say."""


class Action(Message):
    """What a call by Parity's tracer does; which fields it has depends on its type."""

    sender: str | None = msgspec.field(name="from", default=None)
    to: str | None = None
    value: str | None = None
    call_type: str | None = None
    address: str | None = None
    refund_address: str | None = None
    balance: str | None = None


class Outcome(Message):
    """Where a contract was created."""

    address: str | None = None


class ParityTrace(Message):
    """One call by Parity's tracer; block rewards belong to no transaction."""

    type: str
    action: Action
    block_hash: str
    trace_address: list[int]
    """Its place in the tree of its transaction's calls: () is the outermost."""
    transaction_hash: str | None = None
    transaction_position: int | None = None
    result: Outcome | None = None
    error: str | None = None


_call_traces = msgspec.json.Decoder(list[CallTrace])
_parity_traces = msgspec.json.Decoder(list[ParityTrace])


def internal_moves(
    proven: Proven, traces: Traces, method: Method, explained: str | None = None
) -> list[list[Transfer | Refusal]]:
    """What the calls within each transaction moved, by transaction, in the order of the calls.

    Of the transaction with the hash `explained` also the calls that show a value and moved none,
    at `call/<i>` of all that it made.

    The outermost call is left out: it is the transaction's own value. A position is the number of
    the call among those that moved something, since places in the tree differ by node.

    Raises:
        ChainDataError: the traces contradict the block, or do not cover it.
    """
    height = proven.ref.number
    read = _calls if traces.tracer == CALL_TRACER else _parity_calls
    try:
        calls = read(proven, traces.content)
        pairs = zip(proven.block.transactions, proven.receipts, calls, strict=True)
        return [
            _moves(tx, receipt, frames, method, tx.hash == explained)
            for tx, receipt, frames in pairs
        ]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise ChainDataError(f"traces of block {height}: {error}") from error


def _moves(
    tx: Transaction, receipt: Receipt, frames: Sequence[Frame], method: Method, explained: bool
) -> list[Transfer | Refusal]:
    outermost, *inner = frames
    _require_same(tx, receipt, outermost)
    found: list[Transfer | Refusal] = []
    moved = 0
    for index, frame in enumerate(inner):
        reason = _unmoved(tx, frame)
        if reason is None:
            sender, payee, wei = _payment(tx, frame)
            reason = _unpaid(sender, payee)
            if reason is None:
                position = f"{TRACE}{moved}"
                found.append(Transfer(tx_hash(tx.hash), position, method, sender, payee, wei))
                moved += 1
        if explained and reason is not None and frame.value and frame.value != "0x0":
            to, units = canonical(frame.to) if frame.to else None, number(frame.value)
            found.append(Refusal(tx_hash(tx.hash), f"call/{index}", reason, None, to, units))
    return found


def _unmoved(tx: Transaction, frame: Frame) -> str | None:
    """Why a call moved nothing; None: it did."""
    if frame.kind not in MOVING:
        if frame.kind not in STILL:
            raise ValueError(f"transaction {tx.hash}: unknown kind of call {frame.kind!r:.40}")
        return f"{frame.kind} moves nothing"
    if frame.failed:
        return "reverted call"
    return "amount is zero" if frame.value == "0x0" else None


def _unpaid(sender: Address, to: Address) -> str | None:
    """Why what moved is nobody's payment; None: it is somebody's."""
    if sender == to:
        return ITSELF
    return "pays a precompile" if int(to, 16) <= LAST_PRECOMPILE else None


def _payment(tx: Transaction, frame: Frame) -> tuple[Address, Address, int]:
    """Who pays whom how much; ValueError where the frame does not say."""
    if frame.to is None or frame.value is None:
        raise ValueError(f"transaction {tx.hash}: a {frame.kind} without recipient or value")
    for text in (frame.sender, frame.to):
        content(address(text))
    return canonical(frame.sender), canonical(frame.to), number(frame.value)


def _require_same(tx: Transaction, receipt: Receipt, outermost: Frame) -> None:
    """The outermost call is the transaction, and ended as the receipt says."""
    creates = outermost.kind == "CREATE"
    same = (
        outermost.kind in ("CALL", "CREATE")
        and canonical(outermost.sender) == canonical(tx.sender)
        and outermost.value == tx.value
        and creates == (tx.to is None)
        and (creates or canonical(outermost.to or "") == canonical(tx.to or ""))
        and (receipt.root is not None or outermost.failed == (receipt.status != SUCCESS))
    )
    if not same:
        raise ValueError(f"transaction {tx.hash} is not what is traced")


def _calls(proven: Proven, content: bytes) -> list[list[Frame]]:
    """The calls by geth's tracer; the answers are in the order of the transactions."""
    traced = _call_traces.decode(content)
    transactions = proven.block.transactions
    if len(traced) != len(transactions):
        raise ValueError(f"{len(traced)} for {len(transactions)} transactions")
    calls = []
    for tx, trace in zip(transactions, traced, strict=True):
        if trace.tx_hash not in (None, tx.hash):
            raise ValueError(f"{trace.tx_hash!r:.80} in place of transaction {tx.hash}")
        if trace.result is None or trace.error is not None:
            raise ValueError(f"transaction {tx.hash} was not traced: {trace.error!r:.80}")
        calls.append(list(_unfolded(trace.result)))
    return calls


def _unfolded(outermost: CallFrame) -> Iterator[Frame]:
    """The tree of calls, each before those that it made; without recursion, as it may be deep."""
    stack = [(outermost, False)]
    while stack:
        call, outside_failed = stack.pop()
        failed = outside_failed or call.error is not None
        yield Frame(call.type, call.sender, call.to, call.value, failed)
        stack.extend((inner, failed) for inner in reversed(call.calls))


def _parity_calls(proven: Proven, content: bytes) -> list[list[Frame]]:
    """The calls by Parity's tracer, sorted into transactions."""
    traced = [trace for trace in _parity_traces.decode(content) if trace.type != "reward"]
    if any(trace.block_hash != proven.block.hash for trace in traced):
        raise ValueError("of another block")
    groups = [
        (hash_text, list(group))
        for hash_text, group in groupby(traced, attrgetter("transaction_hash"))
    ]
    hashes = [tx.hash for tx in proven.block.transactions]
    if [hash_text for hash_text, _ in groups] != hashes:
        raise ValueError("they are not those of the block's transactions, in order")
    return [list(_ordered(hash_text, group)) for hash_text, group in groups]


def _ordered(hash_text: str, traces: Sequence[ParityTrace]) -> Iterator[Frame]:
    failed: dict[tuple[int, ...], bool] = {}
    for trace in sorted(traces, key=attrgetter("trace_address")):
        place = tuple(trace.trace_address)
        if place in failed or (place and place[:-1] not in failed):
            raise ValueError(f"transaction {hash_text}: a call twice, or of none that is there")
        failed[place] = trace.error is not None or (bool(place) and failed[place[:-1]])
        yield _parity_frame(trace, failed[place])
    if not failed:
        raise ValueError(f"transaction {hash_text} was not traced")


def _parity_frame(trace: ParityTrace, failed: bool) -> Frame:
    action = trace.action
    match trace.type:
        case "call":
            kind = (action.call_type or "").upper()
            return Frame(kind, action.sender or "", action.to, action.value, failed)
        case "create":
            to = trace.result.address if trace.result else None
            return Frame("CREATE", action.sender or "", to, action.value, failed)
        case "suicide":
            to, value = action.refund_address, action.balance
            return Frame("SELFDESTRUCT", action.address or "", to, value, failed)
    return Frame(trace.type, "", None, None, failed)
