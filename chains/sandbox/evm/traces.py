"""What Parity's tracer says of a block, from what geth's says of it."""

from __future__ import annotations

from collections.abc import Iterator

from chains.sandbox.chain import Json
from chains.sandbox.evm.chain import Mined


def parity_traces(mined: Mined) -> list[Json]:
    """Every call of the block as `trace_block` lists it, each before those that it made."""
    place = {"blockHash": mined.hash, "blockNumber": mined.number}
    return [
        {**call, **place, "transactionHash": trace["txHash"], "transactionPosition": index}
        for index, trace in enumerate(mined.traces)
        for call in _calls(trace["result"], [])
    ]


def _calls(frame: Json, address: list[int]) -> Iterator[Json]:
    inner = frame.get("calls", [])
    action = {name: frame[name] for name in ("from", "to", "value", "gas", "input")}
    call: Json = {"type": "call", "action": {**action, "callType": "call"}}
    if "error" in frame:
        call["error"] = frame["error"]
    else:
        call["result"] = {"gasUsed": frame["gasUsed"], "output": frame.get("output", "0x")}
    yield {**call, "subtraces": len(inner), "traceAddress": address}
    for index, each in enumerate(inner):
        yield from _calls(each, [*address, index])
