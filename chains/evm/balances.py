"""What accounts held after one block: by Multicall3 where it stands, else one by one.

Multicall3 (chains.md 2.6) answers many questions in one call, and says of which block it speaks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from chains.base import ChainDataError, ChainUnavailable
from chains.endpoint import Endpoint
from chains.evm import calls
from chains.evm.rpc import NoState, Reverted
from chains.health import Missing
from watcher.domain.money import Address, Asset

MULTICALL = Address("0xca11bde05977b3631167028862be2a173976ca11")
AGGREGATE = bytes.fromhex("82ad56cb")  # aggregate3((address target, bool allowFailure, bytes)[])
BLOCK_NUMBER = bytes.fromhex("42cbb15c")  # getBlockNumber()
COIN_BALANCE = bytes.fromhex("4d2301cc")  # getEthBalance(address)
TOKEN_BALANCE = bytes.fromhex("70a08231")  # balanceOf(address), ERC-20

AT_ONCE = 300  # questions in one call: some 10 million gas, a fifth of what nodes allow a call
ONE_BY_ONE = 8  # requests at a time where that contract is missing

Question = tuple[Address, Asset]


async def units_held(node: Endpoint, number: int, asked: Sequence[Question]) -> list[int | None]:
    """The answers to at most `AT_ONCE` questions; None where a token gives no balance.

    Raises:
        Missing: the node does not keep the state after that block.
        ChainDataError: it spoke of another block, or gave what is no answer.
    """
    try:
        found = await _by_multicall(node, number, asked)
        return await _one_by_one(node, number, asked) if found is None else found
    except NoState as error:
        raise Missing(f"no state of block {number}: {error}") from error


async def _by_multicall(
    node: Endpoint, number: int, asked: Sequence[Question]
) -> list[int | None] | None:
    """None where the contract is not there, or the node allows no call of that size."""
    inner = [(MULTICALL, False, BLOCK_NUMBER), *map(_inner_call, asked)]
    data = AGGREGATE + encode(["(address,bool,bytes)[]"], [inner])
    try:
        output = await _call(node, number, MULTICALL, data)
    except Reverted:
        return None
    if not output:
        return None
    try:
        [results] = decode(["(bool,bytes)[]"], output)
    except (DecodingError, OverflowError) as error:
        raise ChainDataError(f"balances: not the answer of Multicall3: {error}") from error
    if len(results) != len(inner):
        raise ChainDataError(f"balances: {len(results)} answers to {len(inner)} questions")
    (_, spoken_of), *answers = results
    calls.require_number(int.from_bytes(spoken_of, "big"), number)
    found = [_number(output) if succeeded else None for succeeded, output in answers]
    if any(f is None for (_, asset), f in zip(asked, found, strict=True) if not asset.contract):
        raise ChainDataError("balances: no balance of the coin, which every account has")
    return found


def _inner_call(question: Question) -> tuple[str, bool, bytes]:
    """(who is asked, may it fail, with what)."""
    address, asset = question
    if asset.contract is None:
        return MULTICALL, True, COIN_BALANCE + encode(["address"], [address])
    return asset.contract, True, TOKEN_BALANCE + encode(["address"], [address])


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
        return _number(await _call(node, number, asset.contract, data))
    except Reverted:
        return None


async def _call(node: Endpoint, number: int, contract: Address, data: bytes) -> bytes:
    """What a contract gives, called after that block."""
    call = {"to": contract, "data": f"0x{data.hex()}"}
    output = await node.call("eth_call", [call, hex(number)], calls.Data)
    if output is None:
        raise ChainUnavailable(f"no answer of a contract at block {number}")
    return bytes.fromhex(output[2:])


def _number(output: bytes) -> int | None:
    """A uint256; None for anything else, and above all for nothing, which is not 0."""
    return int.from_bytes(output, "big") if len(output) == 32 else None
