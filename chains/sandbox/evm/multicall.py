"""Multicall3, which answers many questions in one call and says of which block (chains.md 2.6)."""

from __future__ import annotations

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from chains.sandbox.evm.machine import Contract, Frame, Machine, Reverted
from chains.sandbox.state import HEIGHT, coin
from watcher.domain.money import Address

MULTICALL = Address("0xca11bde05977b3631167028862be2a173976ca11")
AGGREGATE = bytes.fromhex("82ad56cb")  # aggregate3((address target, bool allowFailure, bytes)[])
BLOCK_NUMBER = bytes.fromhex("42cbb15c")  # getBlockNumber()
COIN_BALANCE = bytes.fromhex("4d2301cc")  # getEthBalance(address)


def _run(machine: Machine, frame: Frame) -> bytes:
    selector, words = frame.data[:4], frame.data[4:]
    try:
        if selector == AGGREGATE:
            return _aggregate(machine, frame, decode(["(address,bool,bytes)[]"], words)[0])
        if selector == BLOCK_NUMBER:
            return encode(["uint256"], [machine.state[HEIGHT]])
        if selector == COIN_BALANCE:
            return encode(["uint256"], [machine.state[coin(decode(["address"], words)[0])]])
    except (DecodingError, OverflowError) as error:
        raise Reverted("execution reverted") from error
    raise Reverted("execution reverted")


def _aggregate(
    machine: Machine, frame: Frame, questions: tuple[tuple[Address, bool, bytes], ...]
) -> bytes:
    results = []
    for target, may_fail, data in questions:
        asked = machine.call(Frame(MULTICALL, target, 0, data), inside=frame)
        if asked.error is not None and not may_fail:
            raise Reverted("execution reverted: Multicall3: call failed")
        results.append((asked.error is None, asked.output))
    return encode(["(bool,bytes)[]"], [results])


# Only ever asked, never part of a transaction: it has no bytecode that a real EVM could run.
MULTICALL3 = Contract("0xfe", _run)
