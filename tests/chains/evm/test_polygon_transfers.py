"""What is paid on Polygon: POL by the chain's own logs, each payment once (chains.md 3.3)."""

from __future__ import annotations

import pickle

import pytest

from chains.base import ChainDataError
from chains.evm.blocks import Listing
from chains.polygon import COIN
from tests.chains.evm.made import (
    PAYER,
    SHOP,
    TOKEN,
    TRANSFER,
    ZERO_HASH,
    hash_of,
    make_answers,
    make_log,
    make_receipt,
    make_transaction,
    word,
)
from tests.chains.evm.polygon import (
    MATIC,
    NOBODY,
    POL,
    by_contract,
    call,
    coin_log,
    fee_log,
    listing,
    read,
    state_sync,
    topic,
)
from tests.chains.evm.recorded import Json
from watcher.domain.blocks import Transfer
from watcher.domain.money import Address

SAFE = "0x" + "d" * 40
HIGH = word(1 << 160)


def found(*pairs: tuple[Json, Json]) -> list[tuple[str, str, int]]:
    """Positions, payers and units of what SHOP was paid in POL."""
    moves = read(make_answers(*pairs), TOKEN).block.transfers
    return [(m.position, str(m.sender), m.units) for m in moves if (m.method, m.to) == (POL, SHOP)]


def refused(*pairs: tuple[Json, Json]) -> list[tuple[str, str]]:
    """Positions and reasons of what a block claims in vain."""
    return [(no.position, no.reason) for no in read(make_answers(*pairs), TOKEN).refusals]


def test_a_payment_counts_by_its_log_and_its_value_does_not_count_again() -> None:
    tx = make_transaction()
    reading = read(make_answers((tx, make_receipt(coin_log(), fee_log()))))
    expected = Transfer(hash_of(tx), "log/0", POL, Address(PAYER), Address(SHOP), 7)
    assert (reading.block.transfers, reading.refusals) == ((expected,), ())


@pytest.mark.parametrize("token", [MATIC, COIN], ids=["mainnet", "a contract that names itself"])
def test_a_payment_through_the_coins_contract_counts_once(token: str) -> None:
    pair = (make_transaction(to=COIN), make_receipt(*by_contract(7, token), fee_log()))
    assert found(pair) == [("log/1", PAYER, 7)]
    assert refused(pair) == []


def test_two_payments_through_the_coins_contract_count_twice() -> None:
    logs = [*by_contract(7, COIN), *by_contract(7, COIN)]
    pair = (make_transaction(to=COIN), make_receipt(*logs))
    assert [(position, units) for position, _, units in found(pair)] == [("log/1", 7), ("log/5", 7)]


def test_only_the_very_same_move_is_a_repetition() -> None:
    """As if a contract called the coin's contract and then paid SHOP once more by itself."""
    *_, transfer, own = by_contract(7)
    later = [coin_log(8), transfer, coin_log(8), transfer, coin_log(7, SAFE)]
    pair = (call(), make_receipt(transfer, own, *later))
    assert [units for *_, units in found(pair)] == [8, 8, 7]


def test_a_tokens_transfer_of_the_very_same_takes_no_payment_away() -> None:
    *_, transfer, _ = by_contract(7)
    pair = (make_transaction(), make_receipt({**transfer, "address": TOKEN}, coin_log(7)))
    assert found(pair) == [("log/1", PAYER, 7)]


def test_an_internal_payment_counts() -> None:
    logs = [coin_log(7, PAYER, SAFE), coin_log(5, SAFE, SHOP)]
    pair = (make_transaction(to=SAFE), make_receipt(*logs))
    assert found(pair) == [("log/1", SAFE, 5)]


def test_a_reverted_inner_payment_leaves_no_log_and_does_not_count() -> None:
    pair = (make_transaction(to=SAFE), make_receipt(coin_log(7, PAYER, SAFE), fee_log()))
    assert found(pair) == []


def test_several_payments_of_one_transaction_all_count() -> None:
    logs = [coin_log(5, SAFE), coin_log(5, SAFE), coin_log(1, SAFE)]
    assert [units for *_, units in found((call(), make_receipt(*logs)))] == [5, 5, 1]


def test_a_failed_payment_is_none_and_needs_no_log() -> None:
    pair = (make_transaction(), make_receipt(fee_log(), status="0x0"))
    assert (found(pair), refused(pair)) == ([], [])


def test_a_log_of_a_failed_transaction_is_refused() -> None:
    pair = (call(), make_receipt(coin_log(), status="0x0"))
    assert (found(pair), refused(pair)) == ([], [("log/0", "failed transaction")])


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ({"data": 5 * word(0)[2:]}, "amount is zero"),
        ({"data": word(7)[2:]}, "data is not 160 bytes"),
        ({"data": word(7)[2:] + 5 * word(0)[2:]}, "data is not 160 bytes"),
        ({"topics": [topic(PAYER)]}, "3 topics instead of 4"),
        ({"topics": [HIGH, topic(SHOP)]}, "a topic is no address"),
        ({"topics": [topic(PAYER), HIGH]}, "a topic is no address"),
        ({"topics": [topic(SHOP), topic(SHOP)]}, "pays itself"),
    ],
)
def test_a_log_of_another_shape_is_refused(log: Json, reason: str) -> None:
    made = coin_log()
    changed = {"data": f"0x{log['data']}"} if "data" in log else {}
    if "topics" in log:
        changed = {"topics": [*made["topics"][:2], *log["topics"]]}
    pair = (call(), make_receipt({**made, **changed}))
    assert (found(pair), refused(pair)) == ([], [("log/0", reason)])


def test_the_same_log_of_another_contract_is_nothing() -> None:
    pair = (call(), make_receipt(coin_log(address=TOKEN), coin_log(address=SAFE)))
    assert (found(pair), refused(pair)) == ([], [])


@pytest.mark.parametrize("log", [coin_log(token=MATIC), fee_log(), by_contract()[2]])
def test_what_the_coins_contract_says_by_itself_is_nothing(log: Json) -> None:
    pair = (call(), make_receipt(log))
    assert (found(pair), refused(pair)) == ([], [])


def test_a_token_is_read_beside_the_coin() -> None:
    tx = make_transaction()
    moves = read(make_answers((tx, make_receipt(coin_log(), make_log(5)))), TOKEN).block.transfers
    assert [(m.method, m.position, m.units) for m in moves] == [
        (POL, "log/0", 7),
        (f"polygon:{TOKEN}", "log/1", 5),
    ]


@pytest.mark.parametrize(
    "logs",
    [
        pytest.param([], id="none"),
        pytest.param([fee_log()], id="fee"),
        pytest.param([coin_log(8)], id="other amount"),
        pytest.param([coin_log(7, SAFE)], id="other payer"),
        pytest.param([coin_log(7, to=SAFE)], id="other payee"),
        pytest.param([coin_log(token=MATIC)], id="by the contract"),
        pytest.param([coin_log(address=TOKEN)], id="of another contract"),
    ],
)
def test_a_value_that_no_log_tells_of_refuses_the_block(logs: list[Json]) -> None:
    answers = make_answers((make_transaction(), make_receipt(*logs)))
    with pytest.raises(ChainDataError, match=r"^block 100: .* moved a value that no log tells of"):
        read(answers)


def test_a_value_in_a_transaction_of_an_unknown_type_is_no_promise() -> None:
    new = make_transaction(type="0x6a", hash=ZERO_HASH)
    assert read(make_answers((new, make_receipt()))).block.transfers == ()


def test_a_new_contract_takes_its_value_by_log_alone() -> None:
    pair = (make_transaction(to=None), make_receipt(coin_log(7, PAYER, SAFE)))
    assert [m.to for m in read(make_answers(pair)).block.transfers] == [SAFE]
    assert read(make_answers((make_transaction(to=None), make_receipt()))).block.transfers == ()


def test_payers_and_contracts_are_recognised_however_a_node_spells_them() -> None:
    spelled = {"from": "0x" + PAYER[2:].upper(), "to": "0x" + SHOP[2:].upper()}
    log = coin_log(address=COIN.replace("0x", "0x").upper().replace("X", "x"))
    assert found((make_transaction(**spelled), make_receipt(log))) == [("log/0", PAYER, 7)]


def test_a_bridge_deposit_counts_in_pol_and_in_tokens() -> None:
    mint = make_log(5, topics=[TRANSFER, topic(NOBODY), topic(SHOP)])
    sync = state_sync(coin_log(7, COIN, SHOP), mint)
    answers = make_answers((make_transaction(), make_receipt(coin_log(7))), sync)
    reading = read(answers, TOKEN)
    bridged = [m for m in reading.block.transfers if m.tx_hash == "7f" * 32]
    assert [(m.method, m.position, m.sender, m.units) for m in bridged] == [
        (POL, "log/0", NOBODY, 7),
        (f"polygon:{TOKEN}", "log/1", NOBODY, 5),
    ]
    assert (len(reading.block.transfers), reading.unknown_fields) == (3, ())


@pytest.mark.parametrize("token", [COIN, "0x" + "f" * 39 + "e"])
def test_what_logs_the_coin_is_never_a_token(token: str) -> None:
    with pytest.raises(ValueError, match="reserved, no token"):
        listing(token)


def test_what_a_worker_takes_can_be_pickled() -> None:
    copy: Listing = pickle.loads(pickle.dumps(listing(TOKEN)))
    assert copy == listing(TOKEN)
