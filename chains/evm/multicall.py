"""Multicall3 (chains.md 2.6): many questions in one call, which says of which block it speaks."""

from __future__ import annotations

from collections.abc import Sequence

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from chains.base import ChainDataError, ChainUnavailable
from chains.endpoint import Endpoint
from chains.evm import calls
from chains.evm.rpc import Reverted
from watcher.domain.money import Address

MULTICALL = Address("0xca11bde05977b3631167028862be2a173976ca11")
AGGREGATE = bytes.fromhex("82ad56cb")  # aggregate3((address target, bool allowFailure, bytes)[])
BLOCK_NUMBER = bytes.fromhex("42cbb15c")  # getBlockNumber()

Question = tuple[Address, bytes]
"""Who is asked, with what."""


async def aggregate(
    node: Endpoint, number: int, asked: Sequence[Question]
) -> list[bytes | None] | None:
    """The answers after that block, None for each call that failed.

    None in place of the list: the contract is not there, or the node allows no call of that size.

    Raises:
        ChainDataError: it spoke of another block, or gave what is no answer.
    """
    inner = [(MULTICALL, False, BLOCK_NUMBER), *((to, True, data) for to, data in asked)]
    data = AGGREGATE + encode(["(address,bool,bytes)[]"], [inner])
    try:
        output = await call(node, number, MULTICALL, data)
    except Reverted:
        return None
    if not output:
        return None
    try:
        [results] = decode(["(bool,bytes)[]"], output)
    except (DecodingError, OverflowError) as error:
        raise ChainDataError(f"not the answer of Multicall3: {error}") from error
    if len(results) != len(inner):
        raise ChainDataError(f"Multicall3: {len(results)} answers to {len(inner)} questions")
    (_, spoken_of), *answers = results
    calls.require_number(int.from_bytes(spoken_of, "big"), number)
    return [output if succeeded else None for succeeded, output in answers]


async def call(node: Endpoint, number: int, contract: Address, data: bytes) -> bytes:
    """What a contract gives, called after that block."""
    asked = {"to": contract, "data": f"0x{data.hex()}"}
    output = await node.call("eth_call", [asked, hex(number)], calls.Data)
    if output is None:
        raise ChainUnavailable(f"no answer of a contract at block {number}")
    return bytes.fromhex(output[2:])
