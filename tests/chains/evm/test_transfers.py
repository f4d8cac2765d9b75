"""Which parts of a proven block are payments; rules of chains.md 2.6, 2.8 and 6."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest

from chains.base import ChainDataError
from chains.evm.blocks import Listing, Refusal
from tests.chains.evm.made import (
    PAYER,
    SHOP,
    SIGNER,
    TOKEN,
    TRANSFER,
    ZERO_HASH,
    hash_of,
    make_answers,
    make_log,
    make_receipt,
    make_transaction,
    signed,
    word,
)
from tests.chains.evm.recorded import NATIVE, Answers, Json, encoded, listing, method, read
from watcher.domain.blocks import Transfer
from watcher.domain.money import Address

APPROVAL = "0x8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925"
CREDITED, CALL = 7, {"value": "0x0"}


def found(*pairs: tuple[Json, Json]) -> list[tuple[str, int]]:
    """Positions and units of the transfers in a block, with TOKEN listed."""
    return [(move.position, move.units) for move in transfers(make_answers(*pairs))]


def transfers(answers: Answers) -> tuple[Transfer, ...]:
    return read(answers, TOKEN).block.transfers


def refused(*pairs: tuple[Json, Json]) -> list[tuple[str, str]]:
    """Positions and reasons of what a block claims in vain."""
    return [(no.position, no.reason) for no in read(make_answers(*pairs), TOKEN).refusals]


def test_a_payment_in_the_native_coin() -> None:
    tx = make_transaction()
    answers = make_answers((tx, make_receipt()))
    expected = Transfer(hash_of(tx), "value", NATIVE, Address(PAYER), Address(SHOP), CREDITED)
    assert transfers(answers) == (expected,)
    assert read(answers).refusals == ()


def test_a_payment_in_a_listed_token() -> None:
    tx = make_transaction(**CALL, to=TOKEN)
    answers = make_answers((tx, make_receipt(make_log(5))))
    expected = Transfer(hash_of(tx), "log/0", method(TOKEN), Address(PAYER), Address(SHOP), 5)
    assert transfers(answers) == (expected,)


def test_a_token_that_is_not_listed_is_nothing() -> None:
    answers = make_answers((make_transaction(**CALL), make_receipt(make_log())))
    reading = read(answers)
    assert (reading.block.transfers, reading.refusals) == ((), ())


def test_value_comes_before_logs_transactions_in_order_withdrawals_last() -> None:
    pairs = [(make_transaction(nonce=hex(n)), make_receipt(make_log(5))) for n in (1, 2)]
    paid = {"index": "0x1", "validatorIndex": "0x2", "address": SHOP, "amount": "0x3"}
    answers = make_answers(*pairs, withdrawals=[paid])
    positions = [(move.tx_hash, move.position) for move in transfers(answers)]
    first, second = (hash_of(tx) for tx, _ in pairs)
    assert positions == [
        *((first, "value"), (first, "log/0"), (second, "value"), (second, "log/0")),
        (None, "withdrawal/0"),
    ]


def test_a_log_is_counted_within_its_transaction() -> None:
    other = make_log(address=SHOP)
    pairs = [
        (make_transaction(**CALL), make_receipt(other, other)),
        (make_transaction(**CALL, nonce="0x2"), make_receipt(other, make_log(5), make_log(6))),
    ]
    assert found(*pairs) == [("log/1", 5), ("log/2", 6)]


@pytest.mark.parametrize(
    ("tx", "receipt", "reason"),
    [
        ({}, {"status": "0x0"}, "failed transaction"),
        ({}, {"status": None, "root": ZERO_HASH}, "status unknown"),
    ],
)
def test_a_value_that_may_not_have_moved_is_refused(tx: Json, receipt: Json, reason: str) -> None:
    pair = (make_transaction(**tx), make_receipt(**receipt))
    assert found(pair) == []
    assert refused(pair) == [("value", reason)]


@pytest.mark.parametrize("tx", [{"value": "0x0"}, {"to": None}])
def test_no_value_and_a_new_contract_are_no_payment(tx: Json) -> None:
    pair = (make_transaction(**tx), make_receipt())
    assert (found(pair), refused(pair)) == ([], [])


@pytest.mark.parametrize("spelled", [str, str.upper], ids=["as ever", "in capitals"])
def test_a_value_to_oneself_changes_nothing_and_is_refused(spelled: Callable[[str], str]) -> None:
    tx = signed(make_transaction(to=SIGNER)) | {"from": "0x" + spelled(SIGNER[2:])}
    pair = (tx, make_receipt())
    assert (found(pair), refused(pair)) == ([], [("value", "pays itself")])


@pytest.mark.parametrize(
    ("tx", "words"),
    [
        (signed(make_transaction()), f"was not sent by {SHOP}"),
        (make_transaction(s="0x0"), "is signed by nobody"),
        (make_transaction(v="0x1"), "is signed by nobody"),
    ],
    ids=["another signed", "no signature", "no parity"],
)
def test_a_payment_is_not_hidden_by_a_sender_that_the_signature_contradicts(
    tx: Json, words: str
) -> None:
    answers = make_answers(({**tx, "from": SHOP}, make_receipt()))
    with pytest.raises(ChainDataError, match=rf"^block 100: transaction 0x\w+ {words}"):
        read(answers)


def test_a_tokens_transfer_to_oneself_is_refused() -> None:
    log = make_log(topics=[TRANSFER, word(int(SHOP, 16)), word(int(SHOP, 16))])
    pair = (make_transaction(**CALL), make_receipt(log))
    assert (found(pair), refused(pair)) == ([], [("log/0", "pays itself")])


def test_before_byzantium_a_log_means_success() -> None:
    receipt = make_receipt(make_log(5), status=None, root=ZERO_HASH)
    assert found((make_transaction(**CALL), receipt)) == [("log/0", 5)]


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ({"data": word(0)}, "amount is zero"),
        ({"data": "0x"}, "amount is not 32 bytes"),
        ({"data": word(5) + "00"}, "amount is not 32 bytes"),
        ({"topics": [TRANSFER]}, "1 topics instead of 3"),
        ({"topics": [TRANSFER, word(1), word(2), word(3)]}, "4 topics instead of 3"),
        ({"topics": [TRANSFER, word(1 << 160), word(2)]}, "a topic is no address"),
        ({"topics": [TRANSFER, word(1), word(1 << 255)]}, "a topic is no address"),
    ],
)
def test_a_transfer_of_another_shape_is_refused(log: Json, reason: str) -> None:
    pair = (make_transaction(**CALL), make_receipt(make_log(**log)))
    assert found(pair) == []
    assert refused(pair) == [("log/0", reason)]


@pytest.mark.parametrize("topics", [[], [APPROVAL, word(1), word(2)]])
def test_another_event_of_a_listed_token_is_nothing(topics: list[str]) -> None:
    pair = (make_transaction(**CALL), make_receipt(make_log(topics=topics)))
    assert (found(pair), refused(pair)) == ([], [])


def test_a_log_of_a_failed_transaction_is_refused() -> None:
    pair = (make_transaction(**CALL), make_receipt(make_log(), status="0x0"))
    assert (found(pair), refused(pair)) == ([], [("log/0", "failed transaction")])


def test_the_largest_amount_is_kept_exact() -> None:
    pair = (make_transaction(**CALL), make_receipt(make_log(2**256 - 1)))
    assert found(pair) == [("log/0", 2**256 - 1)]


def test_a_withdrawal_is_in_gwei_and_of_no_transaction() -> None:
    empty, paid = (
        {"index": hex(n), "validatorIndex": "0x2", "address": SHOP, "amount": hex(3 * n)}
        for n in (0, 1)
    )
    answers = make_answers(withdrawals=[empty, paid])
    expected = Transfer(None, "withdrawal/1", NATIVE, None, Address(SHOP), 3_000_000_000)
    assert transfers(answers) == (expected,)


def test_an_address_is_recognised_however_a_node_spells_it() -> None:
    block, receipts = make_answers((make_transaction(), make_receipt(make_log(5)))).decoded()
    spelled = "0x" + TOKEN[2:].upper()
    block["transactions"][0]["to"] = "0x" + SHOP[2:].upper()
    receipts[0]["logs"][0]["address"] = spelled
    assert [(move.to, move.units) for move in transfers(encoded(block, receipts))] == [
        (SHOP, CREDITED),
        (SHOP, 5),
    ]


@pytest.mark.parametrize("token", [TOKEN.upper().replace("X", "x"), "0x" + "f" * 39 + "e"])
def test_a_listing_refuses_what_could_never_match_or_is_reserved(token: str) -> None:
    with pytest.raises(ValueError, match=r"canonical|reserved"):
        listing(token)


def test_what_a_worker_takes_and_gives_can_be_pickled() -> None:
    pair = (make_transaction(), make_receipt(make_log(0), make_log(5)))
    reading = read(make_answers(pair), TOKEN)
    assert isinstance(reading.refusals[0], Refusal)
    assert pickle.loads(pickle.dumps(reading)) == reading
    copy: Listing = pickle.loads(pickle.dumps(listing(TOKEN)))
    assert copy == listing(TOKEN)


def test_a_block_knows_its_place_and_what_it_cost_to_send() -> None:
    answers = make_answers(number="0x64", timestamp="0x10", parentHash=word(9))
    block = read(answers).block
    assert (block.ref.number, block.ref.timestamp) == (100, 16)
    assert (block.ref.parent_hash, len(block.ref.hash)) == (word(9)[2:], 64)
    assert block.size == len(answers.block) + len(answers.receipts)
