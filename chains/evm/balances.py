"""What accounts held after one block: by Multicall3 where it stands, else one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter

from eth_abi.abi import encode

from chains.asking import occasionally, require_same
from chains.base import ChainDataError, ChainUnavailable, Holding
from chains.endpoint import Endpoint
from chains.endpoints import EndpointPool
from chains.evm import calls
from chains.evm.multicall import MULTICALL, aggregate, call
from chains.evm.rpc import NoState, Reverted
from chains.health import Missing
from watcher.domain.blocks import BlockRef
from watcher.domain.money import Address, Asset

COIN_BALANCE = bytes.fromhex("4d2301cc")  # getEthBalance(address)
TOKEN_BALANCE = bytes.fromhex("70a08231")  # balanceOf(address), ERC-20

AT_ONCE = 300  # questions in one call: some 10 million gas, a fifth of what nodes allow a call
ONE_BY_ONE = 8  # requests at a time where that contract is missing

Question = tuple[Address, Asset]


async def units_held(
    node: Endpoint, final: BlockRef, number: int, asked: Sequence[Question]
) -> list[int | None]:
    """The answers to at most `AT_ONCE` questions; None where a token gives no balance.

    Raises:
        Missing: the node does not keep the state after that block, or has not come to `final`.
        ChainUnavailable: it is on a fork without `final`.
        ChainDataError: it spoke of another block, or gave what is no answer.
    """
    theirs = await calls.block_ref(node, final.number)
    require_same(final, None if theirs is None else theirs.hash)
    try:
        found = await _by_multicall(node, number, asked)
        return await _one_by_one(node, number, asked) if found is None else found
    except NoState as error:
        raise Missing(f"no state of block {number}: {error}") from error


async def has_code(node: Endpoint, final: BlockRef, number: int, address: Address) -> bool:
    """Whether code stood at `address`: a contract's, or lent to its owner (EIP-7702).

    Raises as `units_held` does.
    """
    theirs = await calls.block_ref(node, final.number)
    require_same(final, None if theirs is None else theirs.hash)
    try:
        code = await node.call("eth_getCode", [address, hex(number)], calls.Data)
    except NoState as error:
        raise Missing(f"no state of block {number}: {error}") from error
    if code is None:
        raise ChainUnavailable(f"no code at block {number}, not even an empty one")
    return code != "0x"


async def repeat(
    pool: EndpointPool, holdings: Sequence[Holding], assets: Sequence[Asset], final: BlockRef
) -> list[frozenset[str]]:
    """Who says the same of each, after the same block, in a chain with `final`."""
    listed = {asset.method: asset for asset in assets}
    names: list[frozenset[str]] = []
    for number, same_block in groupby(holdings, attrgetter("last")):
        held = list(same_block)
        for start in range(0, len(held), AT_ONCE):
            few = held[start : start + AT_ONCE]
            asked = [(each.address, listed[each.method]) for each in few]
            read = partial(units_held, final=final, number=number, asked=asked)
            said = await pool.each(occasionally(read))
            names += [
                frozenset(name for name, units in said.items() if units[place] == each.units)
                for place, each in enumerate(few)
            ]
    return names


async def _by_multicall(
    node: Endpoint, number: int, asked: Sequence[Question]
) -> list[int | None] | None:
    """None where Multicall3 cannot be asked."""
    outputs = await aggregate(node, number, [_inner_call(each) for each in asked])
    if outputs is None:
        return None
    found = [None if output is None else _number(output) for output in outputs]
    if any(f is None for (_, asset), f in zip(asked, found, strict=True) if not asset.contract):
        raise ChainDataError("balances: no balance of the coin, which every account has")
    return found


def _inner_call(question: Question) -> tuple[Address, bytes]:
    """(who is asked, with what)."""
    address, asset = question
    if asset.contract is None:
        return MULTICALL, COIN_BALANCE + encode(["address"], [address])
    return asset.contract, TOKEN_BALANCE + encode(["address"], [address])


async def _one_by_one(node: Endpoint, number: int, asked: Sequence[Question]) -> list[int | None]:
    """By the block's number, which must mean the same block before and after."""
    before = await calls.block_ref(node, number)
    found: list[int | None] = []
    for start in range(0, len(asked), ONE_BY_ONE):
        few = asked[start : start + ONE_BY_ONE]
        found += await asyncio.gather(*map(partial(_one, node, number), few))
    if before is None or await calls.block_ref(node, number) != before:
        raise ChainUnavailable(f"block {number} changed while its state was read")
    return found


async def _one(node: Endpoint, number: int, question: Question) -> int | None:
    address, asset = question
    if asset.contract is None:
        held = await node.call("eth_getBalance", [address, hex(number)], calls.Quantity)
        if held is None:
            raise ChainUnavailable(f"no balance at block {number}")
        return int(held, 16)
    data = TOKEN_BALANCE + encode(["address"], [address])
    try:
        return _number(await call(node, number, asset.contract, data))
    except Reverted:
        return None


def _number(output: bytes) -> int | None:
    """A uint256; None for anything else, and above all for nothing, which is not 0."""
    return int.from_bytes(output, "big") if len(output) == 32 else None
