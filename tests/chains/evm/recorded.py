"""Recorded blocks: what a node sent, what is true of them, and ways to lie about them."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

from chains.evm.blocks import Listing, Reading, read_block
from tests.realdata import realdata
from watcher.domain.money import Address, Method, Network

NETWORK = Network("ethereum")
NATIVE = Method("ethereum:eth")

Json = Any  # what a node sends, on its way through a lie


@dataclass(frozen=True, slots=True)
class Answers:
    """A node's two answers for one block."""

    block: bytes
    receipts: bytes

    def decoded(self) -> tuple[Json, Json]:
        """Fresh objects, free to change."""
        return json.loads(self.block), json.loads(self.receipts)


def mainnet(number: int) -> Answers:
    """A recorded block of mainnet."""
    return Answers(
        realdata("ethereum", f"mainnet-{number}.block.json").read_bytes(),
        realdata("ethereum", f"mainnet-{number}.receipts.json").read_bytes(),
    )


def encoded(block: Json, receipts: Json) -> Answers:
    """What a node would send."""
    return Answers(json.dumps(block).encode(), json.dumps(receipts).encode())


def listing(*tokens: str) -> Listing:
    """List the native coin and these contracts, each under its own method."""
    return Listing(NETWORK, NATIVE, {Address(token): method(token) for token in tokens})


def method(token: str) -> Method:
    return Method(f"ethereum:{token}")


def read(answers: Answers, *tokens: str) -> Reading:
    return read_block(answers.block, answers.receipts, listing(*tokens))


def flipped(text: str, seed: str) -> str:
    """`text` with one digit changed, or one byte more than none; the same for the same seed."""
    if text == "0x":
        return "0x11"
    dice = random.Random(seed)
    at = dice.randrange(2, len(text))
    digit = dice.choice([digit for digit in "123456789abcdef" if digit != text[at]])
    return text[:at] + digit + text[at + 1 :]
