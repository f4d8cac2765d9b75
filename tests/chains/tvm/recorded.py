"""Recorded answers of java-tron nodes, and what must come out of them."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from chains.tvm.blocks import Listing, Reading, read_block
from tests.realdata import realdata
from watcher.domain.money import Method, Network

Json = Any
NETWORK, TRX, TEN = Network("tron"), Method("tron:trx"), Method("tron:ten")
PRIVATE = ("tron", "javatron-4.8.0-private")
FORKS = (*PRIVATE, "reorg")


class Answers(NamedTuple):
    """The two answers about one block, as a node sends them."""

    block: bytes
    infos: bytes


def load(*parts: str) -> Json:
    """A recorded file."""
    return json.loads(realdata(*parts).read_text())


def encoded(block: Json, infos: Json) -> Answers:
    """What a node would send."""
    return Answers(json.dumps(block).encode(), json.dumps(infos).encode())


def chain(*folder: str, name: str = "") -> tuple[list[Json], list[Json]]:
    """The blocks of a recorded chain and their infos, in order."""
    if name:
        return load(*folder, f"{name}.blocks.json"), load(*folder, f"{name}.infos.json")
    return (
        load(*folder, "blocks.getblockbynum.json"),
        load(*folder, "infos.gettransactioninfobyblocknum.json"),
    )


def listing(*contracts: str, coins: tuple[str, ...] = ()) -> Listing:
    """List TRX, TRC-20 contracts (20 bytes or with prefix, in hex) and TRC-10 ids."""
    tokens = {bytes.fromhex(contract[-40:]): method(contract) for contract in contracts}
    return Listing(NETWORK, TRX, tokens, dict.fromkeys(coins, TEN))


def method(contract: str) -> Method:
    return Method(f"tron:{contract[-40:]}")


def read(answers: Answers, *contracts: str, coins: tuple[str, ...] = ()) -> Reading:
    return read_block(answers.block, answers.infos, listing(*contracts, coins=coins))
