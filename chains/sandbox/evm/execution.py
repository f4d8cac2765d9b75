"""Carrying out transactions: what they cost, move and log, and how geth would trace them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from chains.evm.encoding import encode_transaction
from chains.evm.messages import Transaction
from chains.sandbox.chain import Json
from chains.sandbox.evm import polygon
from chains.sandbox.evm.flavour import Flavour
from chains.sandbox.evm.machine import Frame, Log, Machine, Move
from chains.sandbox.evm.orders import Signed
from chains.sandbox.evm.polygon import Message
from chains.sandbox.state import State, coin, nonce
from watcher.domain.money import Address

FUNDS = 10**9 * 10**18
"""What an account is given before its first transaction: a toy's pocket is deep."""


@dataclass(frozen=True, slots=True)
class Executed:
    """A transaction and what came of it."""

    fields: Json
    encoded: bytes
    """The bytes under transactionsRoot."""
    succeeded: bool
    gas_used: int
    logs: tuple[Log, ...]
    trace: Json
    """geth's callTracer frame."""


def execute(flavour: Flavour, state: State, tx: Signed) -> Executed:
    """Carry out a transaction whose turn it is."""
    sent, sender = tx.fields, tx.sender
    value, data = int(sent["value"], 16), bytes.fromhex(sent["input"][2:])
    if state[nonce(sender)] == 0 and not tx.spends:
        state[coin(sender)] += FUNDS
    state[nonce(sender)] += 1
    before = state[coin(sender)], state[coin(flavour.producer)]

    machine = Machine(state, flavour.contracts, flavour.log_move)
    frame = Frame(sender, Address(sent["to"]), value, data)
    machine.call(frame, refused=tx.refused)
    gas_used = min(_gas(frame) + 1_500 * len(machine.logs), int(sent["gas"], 16))
    tip = gas_used * flavour.fees.tip
    state[coin(sender)] -= tip + gas_used * flavour.fees.base
    state[coin(flavour.producer)] += tip
    after = before[0] - tip, before[1] + tip  # bor's own sum, without what the call moved
    fee = flavour.log_fee(Move(sender, flavour.producer, tip, before, after))
    logs = (*machine.logs, *((fee,) if fee is not None else ()))
    encoded = encode_transaction(msgspec.convert(sent, Transaction))
    return Executed(sent, encoded, frame.error is None, gas_used, logs, _trace(frame, gas_used))


def execute_messages(state: State, messages: Sequence[Message]) -> Executed:
    """Carry out what came over the bridge, as the block's last transaction."""
    fields, encoded = polygon.state_sync(messages)
    logs = tuple(log for message in messages for log in polygon.carry_out(state, message))
    nothing = Frame(polygon.NOBODY, polygon.NOBODY, 0, b"")
    return Executed(fields, encoded, True, 0, logs, _trace(nothing, 0))


def _gas(frame: Frame) -> int:
    """About what it would take; no one but the fee depends on it."""
    return 21_000 + 16 * len(frame.data) + 10_000 * _inner_calls(frame)


def _inner_calls(frame: Frame) -> int:
    return sum(1 + _inner_calls(inner) for inner in frame.calls)


def _trace(frame: Frame, gas_used: int = 0) -> Json:
    trace: Json = {
        "type": frame.kind,
        "from": frame.sender,
        "to": frame.to,
        "value": hex(frame.value),
        "gas": hex(gas_used),
        "gasUsed": hex(gas_used),
        "input": f"0x{frame.data.hex()}",
    }
    if frame.output:
        trace["output"] = f"0x{frame.output.hex()}"
    if frame.error is not None:
        trace["error"] = frame.error
    if frame.calls:
        trace["calls"] = [_trace(inner) for inner in frame.calls]
    return trace
