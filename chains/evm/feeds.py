"""What Chainlink's price feeds say, as endpoints tell it: an answer that no block's hash proves."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from chains.base import EndpointRefused
from chains.endpoint import Endpoint
from chains.evm.multicall import aggregate, call
from chains.evm.rpc import NoState, Reverted
from chains.health import Missing
from watcher.domain.money import Address, power
from watcher.domain.rates import Feed, Round

LATEST_ROUND = bytes.fromhex("feaf968c")  # latestRoundData(), AggregatorV3Interface
DECIMALS = bytes.fromhex("313ce567")  # decimals()
ROUND = ["uint80", "int256", "uint256", "uint256", "uint80"]
MOST_DECIMALS = 36
BEHIND = 2  # blocks below the head, so that every endpoint has it


async def read(node: Endpoint, number: int, feeds: Sequence[Feed]) -> list[Round]:
    """What the feeds said after that block; those that said nothing usable are left out.

    Raises:
        Missing: the node keeps no state of that block, or answers no calls of contracts.
    """
    asked = [(feed.address, data) for feed in feeds for data in (LATEST_ROUND, DECIMALS)]
    try:
        outputs = await aggregate(node, number, asked)
        if outputs is None:
            outputs = await asyncio.gather(*(_one(node, number, *each) for each in asked))
    except (NoState, EndpointRefused) as error:  # it may serve blocks well all the same
        raise Missing(f"no price feeds at block {number}: {error}") from error
    pairs = zip(feeds, outputs[::2], outputs[1::2], strict=True)
    found = (decode_round(feed, latest, decimals) for feed, latest, decimals in pairs)
    return [each for each in found if each is not None]


async def _one(node: Endpoint, number: int, address: Address, data: bytes) -> bytes | None:
    try:
        return await call(node, number, address, data)
    except Reverted:
        return None


def decode_round(feed: Feed, latest: bytes | None, decimals: bytes | None) -> Round | None:
    """A round as latestRoundData() gives it; None unless it is whole and its price above zero."""
    try:
        number, answer, _, updated_at, answered_in = decode(ROUND, latest or b"")
        [places] = decode(["uint8"], decimals or b"")
    except DecodingError:
        return None
    if answer <= 0 or updated_at == 0 or answered_in < number or places > MOST_DECIMALS:
        return None
    return Round(feed, Fraction(answer, power(places)), updated_at)


def agreed(told: Iterable[Sequence[Round]], agreement: int) -> list[Round]:
    """What most endpoints tell of each feed; vouched where `agreement` of them do, undisputed."""
    by_feed: dict[Feed, Counter[Round]] = {}
    for rounds in told:
        for each in rounds:
            by_feed.setdefault(each.feed, Counter())[each] += 1
    chosen = []
    for counted in by_feed.values():
        (first, count), *others = counted.most_common(2)
        disputed = bool(others) and others[0][1] == count
        chosen.append(replace(first, vouched=count >= agreement and not disputed))
    return chosen
