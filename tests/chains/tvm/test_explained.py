"""Why each part of a Tron transaction that looks like a payment is none; chains.md 4 and 6."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from chains.base import Refusal
from chains.tvm.address import text
from chains.tvm.blocks import read_block
from tests.chains.tvm.made import (
    CONTRACT,
    PAYER,
    SHOP,
    TOKEN,
    make_answers,
    make_call,
    make_log,
    transfer,
    transfer_asset,
    trigger,
    word,
)
from tests.chains.tvm.recorded import Json, listing
from watcher.domain.blocks import Hash

APPROVAL = "8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925"
NO_VALUE = ("value", "amount is zero")


def explained(raw: bytes, info: Json | None = None, result: str = "SUCCESS") -> list[Refusal]:
    """What is said of a transaction beside what it pays; TOKEN is listed."""
    answers = make_answers(
        (raw, info or {}), (transfer(9, nonce=5), {}), results=[result, "SUCCESS"]
    )
    hash = Hash(sha256(raw).hexdigest())
    reading = read_block(*answers, replace(listing(TOKEN), explained=hash))
    assert {each.tx_hash for each in reading.refusals} <= {hash}
    return list(reading.refusals)


def reasons(raw: bytes, info: Json | None = None, result: str = "SUCCESS") -> list[tuple[str, str]]:
    return [(each.position, each.reason) for each in explained(raw, info, result)]


@pytest.mark.parametrize(
    ("raw", "result", "said"),
    [
        (transfer(0), "SUCCESS", [NO_VALUE]),
        (transfer(7, ""), "SUCCESS", [("value", "receiver is no address")]),
        (trigger(7), "REVERT", [("value", "failed transaction")]),
        (trigger(7), "OUT_OF_ENERGY", [("value", "failed transaction")]),
        (transfer_asset("USDT"), "SUCCESS", [NO_VALUE, ("value/USDT", "asset is not listed")]),
        (trigger(), "SUCCESS", [NO_VALUE]),
    ],
)
def test_an_order_that_pays_nobody(raw: bytes, result: str, said: list[tuple[str, str]]) -> None:
    assert reasons(raw, result=result) == said


@pytest.mark.parametrize(
    ("log", "result", "reason"),
    [
        (make_log(address=CONTRACT), "SUCCESS", "asset is not listed"),
        (
            make_log(topics=[APPROVAL, word(PAYER), word(SHOP)]),
            "SUCCESS",
            "Approval, which moves nothing",
        ),
        (make_log(topics=[64 * "7"]), "SUCCESS", "another event than a transfer"),
        (make_log(topics=[]), "SUCCESS", "no event"),
        (make_log(0), "SUCCESS", "amount is zero"),
        (make_log(), "OUT_OF_TIME", "failed transaction"),
        ({}, "SUCCESS", "asset is not listed"),
    ],
)
def test_a_log_that_pays_nobody(log: Json, result: str, reason: str) -> None:
    assert reasons(trigger(), {"log": [log]}, result) == [NO_VALUE, ("log/0", reason)]


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ({"rejected": True}, "rejected call"),
        ({"callValueInfo": [{"callValue": 0}]}, "amount is zero"),
    ],
)
def test_a_call_that_pays_nobody(call: Json, reason: str) -> None:
    said = reasons(trigger(), {"internal_transactions": [make_call(**call)]})
    assert said == [NO_VALUE, ("internal/0", reason)]


def test_a_refused_move_says_what_it_claims() -> None:
    info = {"log": [make_log(5)], "internal_transactions": [make_call(6)]}
    _, call, log = explained(trigger(), info, "OUT_OF_TIME")
    shop = text(bytes.fromhex(SHOP)[1:])
    assert (call.contract, call.to, call.units) == (None, shop, 6)
    assert (log.contract, log.to, log.units) == (text(bytes.fromhex(TOKEN)[1:]), shop, 5)
