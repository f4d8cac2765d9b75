"""Carrying out transactions: what they cost, move and tell, as a node's infos have it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

import msgspec

from chains.sandbox.chain import Json
from chains.sandbox.evm.flavour import silent
from chains.sandbox.evm.machine import Frame, Log, Machine
from chains.sandbox.state import State, coin, holding
from chains.sandbox.tron.accounts import heard, wire
from chains.sandbox.tron.flavour import Flavour
from chains.sandbox.tron.orders import FEE_LIMIT, Signed
from chains.tvm.contracts import NAMES, TRANSFER_ASSET
from chains.tvm.messages import Transaction
from chains.tvm.proof import encode_transaction
from watcher.domain.money import Address

FUNDS = 10**11 * 10**6
"""What an account is given before it pays, when it has little: a toy's pocket is deep."""
SUN_PER_BYTE, SUN_PER_ENERGY = 1_000, 100
CALL, SUICIDE = b"call".hex(), b"suicide".hex()
WORDS = {
    "REVERT": "REVERT opcode executed",
    "OUT_OF_ENERGY": "Not enough energy for 'SSTORE' operation executing",
    "OUT_OF_TIME": "CPU timeout for 'SSTORE' operation executing",
}


@dataclass(frozen=True, slots=True)
class Executed:
    """A transaction and what came of it."""

    fields: Json
    """As a node sends it."""
    encoded: bytes
    """What txTrieRoot is taken over."""
    info: Json
    """But for the block that it stands in."""


def execute(flavour: Flavour, state: State, tx: Signed) -> Executed:
    """Carry out a transaction whose turn it is."""
    sender = heard(tx.contract["owner_address"])
    if state[coin(sender)] < FUNDS // 2 and not tx.spends:
        state[coin(sender)] += FUNDS
    result, told = _carry_out(flavour, state, tx, sender)
    fields = {"ret": [{"contractRet": result}], **tx.fields}
    encoded = encode(fields)
    receipt = _charged(told.pop("receipt", {}), len(encoded), staked=tx.spends)
    fee = receipt.get("net_fee", 0) + receipt.get("energy_fee", 0)
    state[coin(sender)] -= fee
    paid = _unless_empty("fee", fee)
    info = {"id": tx.id, **paid, "contractResult": [""], "receipt": receipt, **told}
    return Executed(fields, encoded, info)


def affordable(state: State, tx: Signed) -> bool:
    """Whether its sender has what it moves; the payers are given that."""
    if not tx.spends:
        return True
    contract = tx.contract
    sender, units = heard(contract["owner_address"]), int(contract.get("amount", 0))
    if contract["type"] == NAMES[TRANSFER_ASSET]:
        name = Address(bytes.fromhex(contract["asset_name"]).decode())
        return state[holding(name, sender)] >= units
    return state[coin(sender)] >= units + int(contract.get("call_value", 0))


def _charged(receipt: Json, size: int, *, staked: bool) -> Json:
    """A receipt with what was paid for, or with what whoever has staked need not pay for."""
    energy = receipt.get("energy_usage_total", 0)
    if staked:
        return {**receipt, **_unless_empty("energy_usage", energy), "net_usage": size}
    return {
        **receipt,
        **_unless_empty("energy_fee", energy * SUN_PER_ENERGY),
        "net_fee": size * SUN_PER_BYTE,
    }


def _carry_out(flavour: Flavour, state: State, tx: Signed, sender: Address) -> tuple[str, Json]:
    """Move what is ordered: the result, and what only some kinds tell of themselves."""
    contract = tx.contract
    if tx.runs_code:
        return _call(flavour, state, tx)
    to, units = heard(contract["to_address"]), contract["amount"]
    if contract["type"] == NAMES[TRANSFER_ASSET]:
        name = Address(bytes.fromhex(contract["asset_name"]).decode())
        _move(state, holding(name, sender), holding(name, to), units)
    else:
        _move(state, coin(sender), coin(to), units)
    return "SUCCESS", {}


def encode(fields: Json) -> bytes:
    """The bytes of a whole transaction."""
    raw = bytes.fromhex(fields["raw_data_hex"])
    return encode_transaction(msgspec.convert(fields, Transaction), raw)


def _move(state: State, payer: str, payee: str, units: int) -> None:
    """Take and give; of a TRC-10 token a payer may have less than nothing, so nobody must issue."""
    state[payer] -= units
    state[payee] += units


def _call(flavour: Flavour, state: State, tx: Signed) -> tuple[str, Json]:
    """Run a contract: its result, and what the info says of it."""
    contract = tx.contract
    to = heard(contract["contract_address"])
    data, value = bytes.fromhex(contract.get("data", "")), contract.get("call_value", 0)
    machine = Machine(state, flavour.contracts, silent)
    mark = state.mark()
    frame = machine.call(Frame(heard(contract["owner_address"]), to, value, data))
    result = tx.ending if frame.error is None else "REVERT"
    if result != "SUCCESS":
        state.rollback(mark)
    # A node forgets what was logged before a failure, but not when time ran out (chains.md 4.4).
    logs = machine.logs if result in ("SUCCESS", "OUT_OF_TIME") else []
    return result, {
        **({} if result == "SUCCESS" else _failure(result)),
        "contractResult": [frame.output.hex() if result == "SUCCESS" else ""],
        "contract_address": wire(to),
        "receipt": _receipt(result, frame, len(logs)),
        **_unless_empty("log", [_log(log) for log in logs]),
        **_unless_empty("internal_transactions", list(_inner(tx, frame, result))),
    }


def _failure(result: str) -> Json:
    return {"result": "FAILED", "resMessage": WORDS[result].encode().hex()}


def _receipt(result: str, frame: Frame, logs: int) -> Json:
    """About what it would take, or all that the payer allowed; no one but the fee depends on it."""
    energy = 650 + 13_000 * logs + 9_000 * sum(1 for _ in _below(frame))
    if result.startswith("OUT_OF"):
        energy = FEE_LIMIT // SUN_PER_ENERGY
    return {"result": result, "energy_usage_total": energy}


def _log(log: Log) -> Json:
    topics = [topic[2:] for topic in log.topics]
    return {"address": log.address[2:], "topics": topics, **_unless_empty("data", log.data[2:])}


def _inner(tx: Signed, frame: Frame, result: str) -> Iterator[Json]:
    """The calls from contracts, each before those that it made in turn."""
    calls = _below(frame, rejected=result != "SUCCESS")
    for index, (call, rejected) in enumerate(calls):
        lent = call.kind == "DELEGATECALL"  # told as a call of itself that moves nothing
        yield {
            "hash": sha256(f"{tx.id} {index}".encode()).hexdigest(),
            "caller_address": wire(call.sender),
            "transferTo_address": wire(call.sender if lent else call.to),
            "callValueInfo": [_unless_empty("callValue", 0 if lent else call.value)],
            "note": SUICIDE if call.kind == "SELFDESTRUCT" else CALL,
            **_unless_empty("rejected", rejected),
        }


def _below(frame: Frame, *, rejected: bool = False) -> Iterator[tuple[Frame, bool]]:
    """The calls that `frame` made, and whether they, or one that they hang on, failed."""
    for call in frame.calls:
        lost = rejected or call.error is not None
        yield call, lost
        yield from _below(call, rejected=lost)


def _unless_empty(name: str, value: object) -> Json:
    return {name: value} if value else {}
