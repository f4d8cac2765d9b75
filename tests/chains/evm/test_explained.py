"""Why each part of a transaction that looks like a payment is none; rules of chains.md 6."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from chains.base import Refusal
from chains.evm.blocks import Listing, read_block
from chains.evm.logs import APPROVAL, LOG_TRANSFER
from chains.evm.traces import Traces
from chains.polygon import COIN
from tests.chains.evm import polygon, recorded
from tests.chains.evm.made import (
    PAYER,
    SHOP,
    TOKEN,
    TRANSFER,
    hash_of,
    make_answers,
    make_log,
    make_receipt,
    make_transaction,
    word,
)
from tests.chains.evm.polygon import by_contract, coin_log, fee_log
from tests.chains.evm.recorded import Answers, Json, mainnet
from tests.chains.evm.traced import CONTRACT, call_traces, make_call, make_root, parity_traces
from watcher.domain.blocks import Hash

CALL, ETHEREUM, POLYGON = {"value": "0x0"}, recorded.listing(TOKEN), polygon.listing(TOKEN)
RECORDED, BRIDGED = 17_053_184, 147_648
NO_VALUE = ("value", "amount is zero")
BY_LOGS = ("value", "the coin's moves are logs here")


def explained(answers: Answers, hash: Hash, listing: Listing) -> tuple[Refusal, ...]:
    """What is said of one transaction beside what it pays."""
    asked = replace(listing, explained=f"0x{hash}")
    return read_block(answers.block, answers.receipts, asked).refusals


def reasons(tx: Json, receipt: Json, listing: Listing = ETHEREUM) -> list[tuple[str, str]]:
    said = explained(make_answers((tx, receipt)), hash_of(tx), listing)
    return [(each.position, each.reason) for each in said]


@pytest.mark.parametrize(
    ("tx", "receipt", "reason"),
    [
        (CALL, {}, "amount is zero"),
        ({"to": None}, {}, "creates a contract"),
        ({}, {"status": "0x0"}, "failed transaction"),
    ],
)
def test_a_value_that_pays_nobody(tx: Json, receipt: Json, reason: str) -> None:
    assert reasons(make_transaction(**tx), make_receipt(**receipt)) == [("value", reason)]


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ({"address": PAYER}, "asset is not listed"),
        ({"topics": [APPROVAL, word(1), word(2)]}, "Approval, which moves nothing"),
        ({"topics": []}, "no event"),
        ({"topics": [word(7)]}, "another event than a transfer"),
        ({"topics": [LOG_TRANSFER, word(1), word(2), word(3)]}, "not the coin's own contract"),
        ({"topics": [TRANSFER, word(1), word(2), word(3)]}, "4 topics instead of 3"),
        ({"data": word(5) + "00"}, "amount is not 32 bytes"),
        ({"data": word(0)}, "amount is zero"),
    ],
)
def test_a_log_that_pays_nobody(log: Json, reason: str) -> None:
    said = reasons(make_transaction(**CALL), make_receipt(make_log(**log)))
    assert said == [NO_VALUE, ("log/0", reason)]


def test_a_refused_log_says_what_it_claims() -> None:
    tx = make_transaction(**CALL)
    answers = make_answers((tx, make_receipt(make_log(5), status="0x0")))
    [_, said] = explained(answers, hash_of(tx), ETHEREUM)
    assert (said.contract, said.to, said.units) == (TOKEN, SHOP, 5)


@pytest.mark.parametrize(
    ("logs", "reason"),
    [
        ([fee_log()], "fee log"),
        ([coin_log(token=TOKEN)], "names another token than the coin"),
        ([{**coin_log(), "address": SHOP}], "not the coin's own contract"),
        (by_contract(7, COIN)[2:], "repeats the chain's own log"),
        ([coin_log(0)], "amount is zero"),
    ],
)
def test_a_log_of_polygon_that_pays_nobody(logs: list[Json], reason: str) -> None:
    tx = make_transaction(**CALL)
    [value, *_, (_, last)] = reasons(tx, make_receipt(*logs), POLYGON)
    assert (value, last) == (BY_LOGS, reason)


def test_a_transfer_by_the_coins_contract_is_not_the_coins_move() -> None:
    tx = make_transaction(to=COIN)
    said = reasons(tx, make_receipt(*by_contract(7)), POLYGON)
    assert said == [
        BY_LOGS,
        ("log/2", "asset is not listed"),
        ("log/3", "names another token than the coin"),
    ]


def test_a_state_sync_receipt_under_no_root_is_refused_whole() -> None:
    answers = polygon.recorded(BRIDGED)
    made_up = polygon.made_up_hash(BRIDGED, answers.decoded()[0]["hash"])
    said = explained(answers, made_up, polygon.listing())
    assert {each.reason for each in said} == {"state-sync receipt under no root"}
    assert [each.position for each in said][:2] == ["value", "log/0"]


PAID = make_call(5)


@pytest.mark.parametrize("tell", [call_traces, parity_traces], ids=["geth", "parity"])
@pytest.mark.parametrize(
    ("calls", "reasons"),
    [
        ([make_call(7, type="DELEGATECALL")], [("call/0", "DELEGATECALL moves nothing")]),
        ([make_call(7, type="CALLCODE")], [("call/0", "CALLCODE moves nothing")]),
        ([make_call(5, error="out of gas")], [("call/0", "reverted call")]),
        ([make_call(0, PAID, to=PAYER, error="revert")], [("call/1", "reverted call")]),
        ([PAID, make_call(5, to=CONTRACT)], [("call/1", "pays itself")]),
        ([make_call(5, to=f"0x{4:040x}")], [("call/0", "pays a precompile")]),
        ([make_call(0), PAID], []),
    ],
)
def test_a_call_within_that_pays_nobody(
    tell: Callable[[Answers, Sequence[Json]], Traces],
    calls: list[Json],
    reasons: list[tuple[str, str]],
) -> None:
    tx = make_transaction(to=CONTRACT)
    answers = make_answers((tx, make_receipt()))
    asked = replace(ETHEREUM, explained=f"0x{hash_of(tx)}")
    traces = tell(answers, [make_root(*calls)])
    reading = read_block(answers.block, answers.receipts, asked, traces)
    assert [(each.position, each.reason) for each in reading.refusals] == reasons
    plain = read_block(answers.block, answers.receipts, ETHEREUM, traces)
    assert (plain.block, plain.refusals) == (reading.block, ())


def test_a_refused_call_says_what_it_claims() -> None:
    tx = make_transaction(to=CONTRACT)
    answers = make_answers((tx, make_receipt()))
    traces = call_traces(answers, [make_root(make_call(5, error="revert"))])
    asked = replace(ETHEREUM, explained=f"0x{hash_of(tx)}")
    [said] = read_block(answers.block, answers.receipts, asked, traces).refusals
    assert (said.contract, said.to, said.units) == (None, SHOP, 5)


def test_nothing_more_is_said_of_any_other_transaction() -> None:
    asked, other = (make_transaction(nonce=nonce, **CALL) for nonce in ("0x1", "0x2"))
    receipt = make_receipt(make_log(address=SHOP))
    answers = make_answers((asked, receipt), (other, receipt))
    said = explained(answers, hash_of(asked), ETHEREUM)
    assert {each.tx_hash for each in said} == {hash_of(asked)}


def test_an_explanation_of_a_true_transaction_misses_no_log_and_changes_no_payment() -> None:
    answers = mainnet(RECORDED)
    _, receipts = answers.decoded()
    plain = read_block(answers.block, answers.receipts, ETHEREUM)
    for receipt in receipts[:40]:
        hash = Hash(receipt["transactionHash"][2:])
        asked = replace(ETHEREUM, explained=f"0x{hash}")
        reading = read_block(answers.block, answers.receipts, asked)
        assert reading.block == plain.block
        moves = (*reading.block.transfers, *reading.refusals)
        positions = [move.position for move in moves if move.tx_hash == hash]
        logs = {f"log/{index}" for index in range(len(receipt["logs"]))}
        assert len(positions) == len(set(positions))
        assert set(positions) == {"value", *logs}
