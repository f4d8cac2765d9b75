"""What proves a block of Polygon, and what it takes to be believed without: bridge, preview."""

from __future__ import annotations

import pytest

from chains.base import ChainDataError
from chains.evm.blocks import read_block
from tests.chains.evm.made import (
    SHOP,
    TOKEN,
    TRANSFER,
    ZERO_HASH,
    make_answers,
    make_log,
    make_receipt,
    make_transaction,
)
from tests.chains.evm.polygon import (
    NOBODY,
    POL,
    call,
    coin_log,
    made_up_hash,
    read,
    state_sync,
    topic,
)
from tests.chains.evm.recorded import Answers, Json, encoded
from tests.chains.evm.recorded import listing as ethereum_listing

PAID = (make_transaction(), make_receipt(coin_log()))
MINT = make_log(5, topics=[TRANSFER, topic(NOBODY), topic(SHOP)])


def refuse(answers: Answers, reason: str) -> None:
    with pytest.raises(ChainDataError, match=reason):
        read(answers, TOKEN)


def with_made_up(*logs: Json, tx: bool = True, receipt: bool = True) -> Answers:
    """A block with one payment, to which a node adds what it makes up for the bridge."""
    block, receipts = make_answers(PAID).decoded()
    its_hash = f"0x{made_up_hash(int(block['number'], 16), block['hash'])}"
    place = {
        "blockHash": block["hash"],
        "blockNumber": block["number"],
        "transactionHash": its_hash,
        "transactionIndex": "0x1",
    }
    if tx:
        made = call(**{"from": NOBODY, "to": NOBODY, "v": "0x0", "r": "0x0", "s": "0x0"})
        block["transactions"].append({**made, "hash": its_hash})
    if receipt:
        placed = [{**log, **place, "logIndex": "0x9"} for log in logs]
        receipts.append({**make_receipt(*placed), **place})
    return encoded(block, receipts)


def test_a_block_with_a_bridge_transaction_needs_no_second_endpoint() -> None:
    assert read(make_answers(PAID, state_sync(MINT))).unknown_fields == ()


def test_elsewhere_such_a_transaction_is_of_an_unknown_type() -> None:
    answers = make_answers(PAID, state_sync(MINT))
    reading = read_block(answers.block, answers.receipts, ethereum_listing())
    assert reading.unknown_fields == ("transaction type 0x7f",)


def test_another_unknown_type_needs_a_second_endpoint_here_too() -> None:
    new = (call(type="0x6a", hash=ZERO_HASH), make_receipt())
    reading = read(make_answers(new, state_sync(MINT)))
    assert reading.unknown_fields == ("transaction type 0x6a",)


def test_a_changed_receipt_of_the_bridge_is_refused() -> None:
    block, receipts = make_answers(PAID, state_sync(MINT)).decoded()
    receipts[1]["logs"][0]["data"] = receipts[1]["logs"][0]["data"][:-1] + "6"
    refuse(encoded(block, receipts), "receiptsRoot")


def test_a_bridge_transaction_left_out_is_refused() -> None:
    block, receipts = make_answers(PAID, state_sync(MINT)).decoded()
    block["transactions"].pop()
    receipts.pop()
    refuse(encoded(block, receipts), "transactionsRoot")


def test_a_bridge_transaction_made_up_is_refused() -> None:
    block, receipts = make_answers(PAID).decoded()
    other, more = make_answers(PAID, state_sync(MINT)).decoded()
    block["transactions"].append(other["transactions"][1])
    place = {"blockHash": block["hash"]}
    receipts.append({**more[1], **place, "logs": [{**more[1]["logs"][0], **place}]})
    refuse(encoded(block, receipts), "receiptsRoot")


def test_a_bridge_transaction_that_is_not_the_last_is_refused() -> None:
    refuse(make_answers(state_sync(MINT), PAID), "a state-sync transaction that is not the last")


def test_a_transaction_told_twice_is_refused_where_no_root_tells() -> None:
    """Two deposits of one hash and position would be taken for one."""
    twin = (make_transaction(nonce="0x2"), make_receipt(coin_log()))
    block, receipts = make_answers(PAID, twin, state_sync()).decoded()
    assert len(read(encoded(block, receipts)).block.transfers) == 2
    block["transactions"][1] = block["transactions"][0]
    for part in (receipts[1], *receipts[1]["logs"]):
        part["transactionHash"] = receipts[0]["transactionHash"]
    refuse(encoded(block, receipts), "stands there twice")


def test_the_logs_of_the_bridge_may_be_counted_anew() -> None:
    block, receipts = make_answers(PAID, state_sync(MINT)).decoded()
    receipts[1]["logs"][0]["logIndex"] = "0x0"
    assert len(read(encoded(block, receipts), TOKEN).block.transfers) == 2


@pytest.mark.parametrize(("tx", "receipt"), [(True, True), (True, False), (False, True)])
def test_what_a_node_makes_up_for_the_bridge_is_taken_off(tx: bool, receipt: bool) -> None:
    reading = read(with_made_up(tx=tx, receipt=receipt))
    assert [(m.method, m.units) for m in reading.block.transfers] == [(POL, 7)]
    assert reading.unknown_fields == ()


def test_money_in_a_made_up_receipt_is_refused() -> None:
    other = {**MINT, "address": SHOP}
    reading = read(with_made_up(coin_log(9), MINT, other, {**MINT, "topics": []}), TOKEN)
    assert [m.units for m in reading.block.transfers] == [7]
    reason = "state-sync receipt under no root"
    claims = [(no.position, no.reason) for no in reading.refusals]
    assert claims == [("log/0", reason), ("log/1", reason)]
    assert {no.tx_hash for no in reading.refusals} == {
        made_up_hash(100, f"0x{reading.block.ref.hash}")
    }


def test_a_transaction_made_up_under_another_hash_is_refused() -> None:
    block, receipts = with_made_up(MINT).decoded()
    for place in (block["transactions"][-1], receipts[-1]):
        name = "hash" if "hash" in place else "transactionHash"
        place[name] = place[name][:-1] + ("0" if place[name][-1] != "0" else "1")
    refuse(encoded(block, receipts), "transaction 1: its fields do not give its hash")


PREVIEWS: list[Json] = [
    {"preconfirmation": True, "blockHash": None},
    {"preconfirmation": True},
    {"blockHash": None, "blockNumber": None},
]


@pytest.mark.parametrize("preview", PREVIEWS)
def test_a_preconfirmation_is_refused_as_what_it_is(preview: Json) -> None:
    block, receipts = make_answers(PAID).decoded()
    receipts[0] |= preview
    for log in receipts[0]["logs"]:
        log["blockHash"] = ZERO_HASH
    refuse(encoded(block, receipts), "block 100: receipt 0 is a preconfirmation")


def test_a_log_of_another_block_is_refused() -> None:
    block, receipts = make_answers(PAID).decoded()
    receipts[0]["logs"][0]["blockHash"] = ZERO_HASH
    refuse(encoded(block, receipts), "stands elsewhere")
