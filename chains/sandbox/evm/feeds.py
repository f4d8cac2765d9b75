"""Price feeds as Chainlink's: contracts that say a price and when it was set."""

from __future__ import annotations

from typing import Annotated

import msgspec
from eth_abi.abi import encode

from chains.sandbox.control import Units
from chains.sandbox.evm.machine import Contract, Frame, Machine, Reverted
from watcher.domain.money import Address

LATEST, DECIMALS = bytes.fromhex("feaf968c"), bytes.fromhex("313ce567")
USD_DECIMALS = 8  # of every feed in USD
PHASE = 1 << 64  # the number of the aggregator behind a feed is the upper part of a round's


class Feed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Order that a feed says another price, from the next block on."""

    address: str
    price: Units
    """In units of 10**-8 USD."""
    updated_at: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """Epoch seconds; None: the newest block's."""


def price(feed: Address) -> str:
    """The key of what a feed says."""
    return f"feed/{feed}/price"


def updated(feed: Address) -> str:
    """The key of when it was told to."""
    return f"feed/{feed}/updated"


def _run(machine: Machine, frame: Frame) -> bytes:
    if frame.data == DECIMALS:
        return encode(["uint8"], [USD_DECIMALS])
    since = machine.state[updated(frame.to)]
    if frame.data != LATEST or not since:  # a feed that was never fed refuses, too
        raise Reverted("execution reverted")
    turn = PHASE + since
    answer = (turn, machine.state[price(frame.to)], since, since, turn)
    return encode(["uint80", "int256", "uint256", "uint256", "uint80"], answer)


# Only ever asked, as Multicall3 is.
FEED = Contract("0xfe", _run)
