"""What `doctor` finds out about an EVM endpoint; asks it even where the pool would not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from chains.base import Capability, ChainUnavailable, ClientOptions, Traces
from chains.endpoint import Endpoint
from chains.evm import calls
from chains.evm.tracing import ask_traces
from chains.examining import Doubt, check, limits, told_age
from watcher.domain.blocks import BlockRef
from watcher.domain.money import Asset


async def examine(
    node: Endpoint,
    options: ClientOptions,
    require_chain: Callable[[Endpoint], Awaitable[str]],
    pace_seconds: int,
    *,
    traces: Traces | None,
) -> list[Capability]:
    """Every check of one endpoint; after a wrong chain or no answer at all, only that.

    Args:
        require_chain: says which chain it follows; raises WrongChain.
        traces: what to do without; None: no payment shows in traces only.
    """
    chain = await check(node, "chain", require_chain(node))
    if not chain.ok:
        return [chain]
    found = [chain]
    found.append(await check(node, "head", _head(node, pace_seconds, options.ahead_seconds)))
    found.append(await check(node, "finality", _finality(node)))
    found.append(await check(node, "receipts", _receipts(node)))
    if traces is not None:
        found.append(await check(node, "traces", _traces(node, traces)))
    for asset in options.assets:
        if asset.contract is not None:
            found.append(await check(node, f"token {asset.symbol}", _token(node, asset)))
    return found + limits(node)


async def _head(node: Endpoint, pace_seconds: int, ahead_seconds: int | None) -> str:
    return told_age(await calls.newest(node), pace_seconds, ahead_seconds)


async def _finality(node: Endpoint) -> str:
    final = await calls.block_ref(node, "finalized")
    if final is None:
        raise ChainUnavailable("the node knows no finalized block")
    return f"finalized block {final.number}"


async def _receipts(node: Endpoint) -> str:
    head = await calls.newest(node)
    receipts = await node.call("eth_getBlockReceipts", [f"0x{head.hash}"], list[object])
    if receipts is None:
        raise ChainUnavailable(f"no receipts of block {head.number}, just given")
    return f"{len(receipts)} in block {head.number}"


async def _traces(node: Endpoint, mode: Traces) -> str:
    if mode == "off":
        return "not asked for"
    head: BlockRef = await calls.newest(node)
    try:
        return (await ask_traces(node, head.number, f"0x{head.hash}")).tracer
    except ChainUnavailable as error:
        words = f"none; ETH that a contract sends is not seen with it: {error}"
        raise (ChainUnavailable if mode == "required" else Doubt)(words) from None


async def _token(node: Endpoint, asset: Asset) -> str:
    said = await calls.require_decimals(node, asset)
    if said is None:
        raise Doubt(f"nothing says decimals at {asset.contract}, as on private chains")
    return f"{said} decimals"
