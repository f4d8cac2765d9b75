"""What counts as money in a proven block, and what only looks like it."""

from __future__ import annotations

import pytest

from chains.base import ChainDataError
from chains.tvm.address import text
from chains.tvm.blocks import Listing, Reading, read_block
from chains.tvm.protobuf import content, integer, message
from tests.chains.tvm.made import (
    CONTRACT,
    PAYER,
    SHOP,
    TOKEN,
    TRANSFER,
    make_answers,
    make_call,
    make_log,
    transfer,
    transfer_asset,
    trigger,
    word,
)
from tests.chains.tvm.recorded import NETWORK, TEN, TRX, Json, method, read
from watcher.domain.blocks import Transfer
from watcher.domain.money import Address

COIN = 1002000


def shown(address: str) -> Address:
    return text(bytes.fromhex(address)[1:])


def one(raw: bytes, info: Json | None = None, result: str = "SUCCESS") -> Reading:
    """The reading of a block with this transaction; TOKEN and COIN are listed."""
    return read(make_answers((raw, info or {}), results=[result]), TOKEN, coins=(str(COIN),))


def paid(reading: Reading) -> list[tuple[str, str, str, int]]:
    return [(t.position, t.method, t.to, t.units) for t in reading.block.transfers]


def refused(reading: Reading) -> list[tuple[str, str]]:
    assert reading.block.transfers == ()
    return [(no.position, no.reason) for no in reading.refusals]


def test_trx_is_paid_by_a_transfer() -> None:
    (found,) = one(transfer(7)).block.transfers
    assert found == Transfer(found.tx_hash, "value", TRX, shown(PAYER), shown(SHOP), 7)


@pytest.mark.parametrize("amount", [0, -1, -(2**63)])
def test_no_amount_is_no_payment(amount: int) -> None:
    assert refused(one(transfer(amount))) == []


def test_the_largest_amount_is_paid() -> None:
    assert paid(one(transfer(2**63 - 1)))[0][3] == 2**63 - 1


@pytest.mark.parametrize("receiver", ["", SHOP[2:], "42" + SHOP[2:], SHOP + "00"])
def test_a_receiver_that_is_no_address_is_not_paid(receiver: str) -> None:
    assert refused(one(transfer(7, receiver))) == [("value", "receiver is no address")]


def test_an_order_that_is_written_in_two_parts_is_both() -> None:
    name = content(1, b"type.googleapis.com/protocol.TransferContract")
    order = content(1, bytes.fromhex(PAYER)) + content(2, bytes.fromhex(SHOP)) + integer(3, 7)
    contract = integer(1, 1) + message(2, name) + message(2, content(2, order))
    assert paid(one(message(11, contract))) == [("value", TRX, shown(SHOP), 7)]


@pytest.mark.parametrize(
    ("raw", "position"),
    [
        (transfer(7, PAYER), "value"),
        (transfer_asset(str(COIN), 7, PAYER), f"value/{COIN}"),
        (trigger(7, PAYER), "value"),
    ],
    ids=["TRX", "TRC-10", "a call"],
)
def test_an_order_to_oneself_is_refused(raw: bytes, position: str) -> None:
    assert refused(one(raw)) == [(position, "pays itself")]


def test_a_call_brings_its_contract_trx_once() -> None:
    assert paid(one(trigger(7))) == [("value", TRX, shown(CONTRACT), 7)]


def test_a_failed_call_brings_nothing() -> None:
    assert refused(one(trigger(7), result="REVERT")) == [("value", "failed transaction")]


def test_a_call_may_bring_trx_and_a_coin() -> None:
    assert paid(one(trigger(7, token=COIN, tokens=8))) == [
        ("value", TRX, shown(CONTRACT), 7),
        (f"value/{COIN}", TEN, shown(CONTRACT), 8),
    ]


def test_a_listed_coin_is_paid_by_its_id() -> None:
    assert paid(one(transfer_asset(str(COIN)))) == [(f"value/{COIN}", TEN, shown(SHOP), 7)]


@pytest.mark.parametrize("name", ["USDT", "TRX", "1002001", "1002000 ", ""])
def test_a_coin_by_another_name_is_not_looked_at(name: str) -> None:
    assert refused(one(transfer_asset(name))) == []


def test_a_log_of_a_listed_contract_pays() -> None:
    (found,) = one(trigger(), {"log": [make_log(5)]}).block.transfers
    assert (found.position, found.method) == ("log/0", method(TOKEN))
    assert (found.sender, found.to, found.units) == (shown(PAYER), shown(SHOP), 5)


def test_a_batch_pays_by_each_log_and_counts_logs_within_the_transaction() -> None:
    stranger = make_log(1, address=CONTRACT)
    found = paid(one(trigger(), {"log": [make_log(5), stranger, make_log(5)]}))
    assert [(position, units) for position, _, _, units in found] == [("log/0", 5), ("log/2", 5)]


def test_what_the_call_returned_says_nothing() -> None:
    info = {"log": [make_log()], "contractResult": ["00" * 32]}
    assert len(paid(one(trigger(), info))) == 1


@pytest.mark.parametrize("prefix", ["", "41"])
def test_a_contract_is_known_with_and_without_prefix(prefix: str) -> None:
    log = make_log(address=TOKEN)
    assert len(paid(one(trigger(), {"log": [log | {"address": prefix + log["address"]}]}))) == 1


def test_a_receiver_may_keep_its_prefix_within_its_word() -> None:
    log = make_log(topics=[TRANSFER, word(PAYER), 22 * "0" + SHOP])
    assert paid(one(trigger(), {"log": [log]}))[0][2] == shown(SHOP)


def test_digits_may_be_in_upper_case() -> None:
    log = make_log()
    log = {**log, "address": log["address"].upper(), "topics": [t.upper() for t in log["topics"]]}
    assert len(paid(one(trigger(), {"log": [log]}))) == 1


@pytest.mark.parametrize("result", ["OUT_OF_TIME", "JVM_STACK_OVER_FLOW"])
def test_logs_left_by_code_that_failed_do_not_pay(result: str) -> None:
    reading = one(trigger(), {"log": [make_log()]}, result)
    assert refused(reading) == [("log/0", "failed transaction")]


FLAWS: list[tuple[Json, str]] = [
    ({"topics": [TRANSFER]}, "1 topics instead of 3"),
    ({"topics": [TRANSFER, word(PAYER), word(SHOP), word(SHOP)]}, "4 topics instead of 3"),
    ({"data": ""}, "amount is not 32 bytes"),
    ({"data": "00" * 31 + "05" + "00"}, "amount is not 32 bytes"),
    ({"data": "00" * 32}, "amount is zero"),
    ({"topics": [TRANSFER, word(PAYER), 23 * "0" + "1" + SHOP[2:]]}, "a topic is no address"),
    ({"topics": [TRANSFER, word(PAYER), SHOP]}, "a topic is no address"),
    ({"topics": [TRANSFER, word(SHOP), 22 * "0" + SHOP]}, "pays itself"),
]


@pytest.mark.parametrize(("fields", "reason"), FLAWS)
def test_a_log_of_another_shape_does_not_pay(fields: Json, reason: str) -> None:
    assert refused(one(trigger(), {"log": [make_log(**fields)]})) == [("log/0", reason)]


@pytest.mark.parametrize(
    "log",
    [
        make_log(address=CONTRACT),
        make_log(topics=["8c5be1e5" + TRANSFER[8:], word(PAYER), word(SHOP)]),
        make_log(topics=[]),
        {},
    ],
)
def test_another_event_or_contract_is_not_looked_at(log: Json) -> None:
    assert refused(one(trigger(), {"log": [log]})) == []


@pytest.mark.parametrize("note", ["call", "create", "suicide"])
def test_a_call_from_a_contract_pays(note: str) -> None:
    call = make_call(5, note=note.encode().hex())
    reading = one(trigger(), {"internal_transactions": [call]})
    assert paid(reading) == [("internal/0", TRX, shown(SHOP), 5)]
    assert reading.block.transfers[0].sender == shown(CONTRACT)


def test_a_rejected_call_does_not_pay() -> None:
    reading = one(trigger(), {"internal_transactions": [make_call(rejected=True)]})
    assert refused(reading) == [("internal/0", "rejected call")]


def test_a_contract_that_calls_itself_pays_nobody() -> None:
    call = make_call(transferTo_address=CONTRACT)
    reading = one(trigger(), {"internal_transactions": [call]})
    assert refused(reading) == [("internal/0", "pays itself")]


@pytest.mark.parametrize("note", ["freezeForEnergy", "voteWitness", "delegateResourceOfEnergy", ""])
def test_a_call_that_moves_no_money_does_not_pay(note: str) -> None:
    call = make_call(note=note.encode().hex())
    reading = one(trigger(), {"internal_transactions": [call]})
    assert refused(reading) == [("internal/-", "not a call that pays")]


def test_nodes_that_keep_more_kinds_of_calls_give_a_payment_the_same_position() -> None:
    votes = make_call(1, note=b"voteWitness".hex())
    freezes = make_call(2, note=b"freezeBalanceV2ForEnergy".hex(), rejected=True)
    lost, pays = make_call(3, rejected=True), make_call(4)
    ends = make_call(5, note=b"suicide".hex())
    kept = one(trigger(), {"internal_transactions": [lost, pays, ends]})
    featured = [votes, lost, freezes, pays, votes, ends, freezes]
    more = one(trigger(), {"internal_transactions": featured})
    assert paid(kept) == [
        ("internal/1", TRX, shown(SHOP), 4),
        ("internal/2", TRX, shown(SHOP), 5),
    ]
    assert more.block.transfers == kept.block.transfers
    refusals = [no for no in more.refusals if no.position != "internal/-"]
    assert refusals == list(kept.refusals)


def test_calls_of_a_failed_transaction_do_not_pay() -> None:
    reading = one(trigger(), {"internal_transactions": [make_call()]}, "REVERT")
    assert refused(reading) == [("internal/0", "failed transaction")]


@pytest.mark.parametrize("values", [[], [{}], [{"callValue": 0}], [{"callValue": -5}]])
def test_a_call_without_value_is_no_payment(values: Json) -> None:
    call = make_call(callValueInfo=values)
    assert refused(one(trigger(), {"internal_transactions": [call]})) == []


def test_a_call_may_pay_trx_and_coins_at_once() -> None:
    coin, stranger = ({"callValue": n, "tokenId": str(COIN + n)} for n in (0, 1))
    values = [{"callValue": 5}, coin | {"callValue": 6}, stranger]
    found = paid(one(trigger(), {"internal_transactions": [make_call(callValueInfo=values)]}))
    assert found == [
        ("internal/0", TRX, shown(SHOP), 5),
        (f"internal/0/{COIN}", TEN, shown(SHOP), 6),
    ]


def test_a_call_that_moves_one_coin_twice_is_a_lie() -> None:
    """Both would be one deposit, and the second amount would be lost."""
    values = [{"callValue": 5}, {"callValue": 7}]
    with pytest.raises(ChainDataError, match="twice"):
        one(trigger(), {"internal_transactions": [make_call(callValueInfo=values)]})


def test_trx_that_is_not_listed_is_not_looked_at() -> None:
    answers = make_answers((trigger(7), {"internal_transactions": [make_call()]}))
    reading = read_block(*answers, Listing(NETWORK, None, {}, {}))
    assert refused(reading) == []


def test_transfers_stand_in_order() -> None:
    first = {"internal_transactions": [make_call()], "log": [make_log()]}
    answers = make_answers((trigger(7), first), (transfer(8), {}))
    positions = [each.position for each in read(answers, TOKEN).block.transfers]
    assert positions == ["value", "internal/0", "log/0", "value"]


def test_a_block_tells_how_much_was_sent_for_it() -> None:
    answers = make_answers((transfer(), {}))
    assert read(answers).block.size == len(answers.block) + len(answers.infos)
