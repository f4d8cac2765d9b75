"""What a node's two tracers say of a block, made of one tree of calls a transaction."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from chains.evm.traces import CALL_TRACER, PARITY, Traces
from tests.chains.evm.made import PAYER, SHOP
from tests.chains.evm.recorded import Answers, Json

CONTRACT = "0x" + "d" * 40
PRECOMPILES = frozenset(f"0x{number:040x}" for number in range(1, 18))


def make_call(value: int = 0, *calls: Json, to: str | None = SHOP, **fields: Json) -> Json:
    """A CALL of CONTRACT and those that it makes; `fields` replace its own."""
    call = {"type": "CALL", "from": CONTRACT, "to": to, "value": hex(value), **fields}
    return {**call, "calls": list(calls)} if calls else call


def make_root(*calls: Json, **fields: Json) -> Json:
    """The outermost call of `made.make_transaction(to=CONTRACT)`."""
    return make_call(7, *calls, to=CONTRACT, **{"from": PAYER, **fields})


def call_traces(answers: Answers, roots: Sequence[Json]) -> Traces:
    """As geth's callTracer tells."""
    transactions = answers.decoded()[0]["transactions"]
    traced = [
        {"txHash": tx["hash"], "result": root} for tx, root in zip(transactions, roots, strict=True)
    ]
    return Traces(CALL_TRACER, json.dumps(traced).encode())


def parity_traces(answers: Answers, roots: Sequence[Json]) -> Traces:
    """As Parity's tracer tells, which knows nothing of calls to precompiles without value."""
    block, _ = answers.decoded()
    traced = []
    for index, (tx, root) in enumerate(zip(block["transactions"], roots, strict=True)):
        place = {"transactionHash": tx["hash"], "transactionPosition": index}
        for entry in _flat(root, ()):
            traced.append({**entry, **place, "blockHash": block["hash"]})
    return Traces(PARITY, json.dumps(traced).encode())


def _flat(call: Json, path: tuple[int, ...]) -> Iterator[Json]:
    seen = [each for each in call.get("calls", ()) if not _untold(each)]
    error = {"error": call["error"]} if "error" in call else {}
    yield {**_entry(call), **error, "traceAddress": list(path), "subtraces": len(seen)}
    for index, inner in enumerate(seen):
        yield from _flat(inner, (*path, index))


def _untold(call: Json) -> bool:
    return call.get("to") in PRECOMPILES and call.get("value", "0x0") == "0x0"


def _entry(call: Json) -> Json:
    sender, to, value = call["from"], call.get("to"), call.get("value", "0x0")
    match call["type"]:
        case "CREATE" | "CREATE2":
            result = None if "error" in call else {"address": to}
            return {"type": "create", "action": {"from": sender, "value": value}, "result": result}
        case "SELFDESTRUCT":
            action = {"address": sender, "refundAddress": to, "balance": value}
            return {"type": "suicide", "action": action, "result": None}
    action = {"from": sender, "to": to, "value": value, "callType": call["type"].lower()}
    return {"type": "call", "action": action, "result": {"output": "0x"}}
