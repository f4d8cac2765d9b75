"""The chain by itself: how it grows, forks and forgets."""

from __future__ import annotations

import pytest

from chains.sandbox.evm.chain import MOST, EvmChain, Mined
from chains.sandbox.evm.orders import Order
from chains.sandbox.evm.payments import plain
from chains.sandbox.state import State, coin
from tests.chains.sandbox.evm import OTHER, SHOP, START, ethereum_flavour

Grown = tuple[EvmChain, list[Mined]]


def make_chain(blocks: int = 0, **options: int) -> EvmChain:
    """Block 0 at START, and empty blocks, 10 seconds apart."""
    chain = EvmChain.begin(ethereum_flavour(), START, **options)
    for number in range(1, blocks + 1):
        chain.mine(START + 10 * number)
    return chain


def pay(chain: EvmChain, units: int, payer: int | None = None) -> str:
    """Offer a payment of the coin to the shop."""
    return chain.send(plain(None, SHOP, units), payer)


def paid(chain: EvmChain) -> list[int]:
    """The values of all transactions in the chain, in order."""
    return [int(tx["value"], 16) for mined in chain.blocks for tx in mined.block["transactions"]]


def balance(chain: EvmChain) -> int:
    return chain.state[coin(SHOP)]


def test_each_block_stands_on_the_one_below() -> None:
    chain = make_chain(3)
    blocks = list(chain.blocks)
    assert [mined.number for mined in blocks] == [0, 1, 2, 3]
    parents = [mined.block["parentHash"] for mined in blocks[1:]]
    assert parents == [mined.hash for mined in blocks[:-1]]
    assert [mined.timestamp - START for mined in blocks] == [0, 10, 20, 30]


def test_another_second_begins_another_chain() -> None:
    assert make_chain().head.hash == make_chain().head.hash
    later = EvmChain.begin(ethereum_flavour(), START + 1)
    assert later.head.hash != make_chain().head.hash


def test_a_block_may_share_its_second_but_never_goes_back() -> None:
    chain = make_chain(1)
    assert chain.mine(START + 10).number == 2
    with pytest.raises(ValueError, match="never older"):
        chain.mine(START + 9)
    assert chain.head.number == 2


def test_transactions_wait_for_one_block_and_no_second() -> None:
    chain = make_chain()
    pay(chain, 5)
    assert paid(chain) == []
    chain.mine(START)
    chain.mine(START)
    assert paid(chain) == [5]
    assert balance(chain) == 5


def test_a_payer_without_a_number_is_always_a_new_one() -> None:
    chain = make_chain()
    for _ in range(3):
        pay(chain, 5)
    sent = chain.mine(START).sent
    assert len({tx.sender for tx in sent}) == len({tx.hash for tx in sent}) == 3


def test_a_payer_with_a_number_counts_its_transactions() -> None:
    chain = make_chain()
    pay(chain, 5, 7)
    pay(chain, 6, 7)
    chain.mine(START)
    pay(chain, 7, 7)
    chain.mine(START)
    nonces = [tx.fields["nonce"] for mined in chain.blocks for tx in mined.sent]
    assert nonces == ["0x0", "0x1", "0x2"]
    assert balance(chain) == 18


def test_no_transaction_moves_more_than_a_payer_can_spare() -> None:
    chain = make_chain()
    pay(chain, MOST)
    with pytest.raises(ValueError, match="at most"):
        pay(chain, MOST + 1)
    assert paid_after_mining(chain) == [MOST]


def paid_after_mining(chain: EvmChain) -> list[int]:
    chain.mine(START)
    return paid(chain)


def test_the_payers_balance_pays_value_and_fee() -> None:
    chain = make_chain()
    pay(chain, 5, 1)
    (tx,) = chain.mine(START).sent
    first = chain.state[coin(tx.sender)]
    pay(chain, 6, 1)
    gas = int(chain.mine(START).receipts[0]["gasUsed"], 16)
    fees = chain.flavour.fees
    assert first - chain.state[coin(tx.sender)] == 6 + gas * (fees.base + fees.tip)


def test_a_fork_drops_payments_and_leaves_the_rest_below() -> None:
    chain = make_chain()
    for units in (5, 6, 7):
        pay(chain, units)
        chain.mine(START)
    below = chain.block(1)
    dropped = chain.fork(2)
    assert [mined.number for mined in dropped] == [2, 3]
    assert paid(chain) == [5]
    assert balance(chain) == 5
    assert chain.block(1) is below
    assert chain.head.number == 3
    for old in dropped:
        new = chain.block(old.number)
        assert new is not None
        assert (new.hash != old.hash, new.timestamp) == (True, old.timestamp)
        assert chain.block_of(old.hash) is None
        assert chain.block_of(new.hash) is new


def test_a_fork_may_mine_a_payment_again_under_the_same_hash() -> None:
    chain = make_chain()
    hashes = [pay(chain, units) for units in (5, 6)]
    chain.mine(START)
    (dropped,) = chain.fork(1, keep=hashes[1:])
    assert paid(chain) == [6]
    assert balance(chain) == 6
    assert chain.find(hashes[0]) is None
    assert chain.find(hashes[1]) == (chain.head, 0)
    assert chain.head.hash != dropped.hash


def test_a_payment_that_succeeded_may_fail_on_another_branch_under_the_same_hash() -> None:
    chain = make_chain()
    hashes = [pay(chain, units) for units in (5, 6)]
    chain.mine(START)
    chain.fork(1, keep=hashes, starved=hashes[:1])
    assert [receipt["status"] for receipt in chain.head.receipts] == ["0x0", "0x1"]
    assert list(chain.head.tx_hashes) == hashes
    assert balance(chain) == 6


def test_only_what_is_mined_again_can_fail_again() -> None:
    chain = make_chain()
    tx_hash = pay(chain, 5)
    chain.mine(START)
    with pytest.raises(ValueError, match="not mined again"):
        chain.fork(1, starved=[tx_hash])
    assert balance(chain) == 5


def test_a_dropped_payment_can_be_sent_again_into_a_later_block() -> None:
    chain = make_chain()
    tx_hash = pay(chain, 5)
    chain.mine(START)
    (dropped,) = chain.fork(1)
    chain.resend(dropped.sent[0])
    chain.mine(START)
    assert chain.find(tx_hash) == (chain.block(2), 0)
    assert balance(chain) == 5


def test_a_payment_made_after_a_fork_is_never_the_dropped_one() -> None:
    chain = make_chain()
    first = pay(chain, 5)
    chain.mine(START)
    chain.fork(1)
    assert pay(chain, 5) != first


@pytest.mark.parametrize(("blocks", "head"), [(0, 2), (1, 3), (4, 6)])
def test_a_branch_may_be_shorter_or_longer(blocks: int, head: int) -> None:
    chain = make_chain(4)
    dropped = chain.fork(2, blocks=blocks)
    assert chain.head.number == head
    assert not {mined.hash for mined in dropped} & {mined.hash for mined in chain.blocks}


def test_two_forks_of_one_block_differ() -> None:
    chain = make_chain(1)
    seen = {chain.head.hash}
    for _ in range(3):
        chain.fork(1)
        seen.add(chain.head.hash)
    assert len(seen) == 4


@pytest.mark.parametrize("depth", [-1, 0, 4])
def test_a_fork_leaves_block_0(depth: int) -> None:
    chain = make_chain(3)
    head = chain.head
    with pytest.raises(ValueError, match="from 1 to 3 blocks"):
        chain.fork(depth)
    assert chain.head is head
    chain.fork(3)
    assert chain.head.number == 3


def test_what_was_not_dropped_cannot_be_kept() -> None:
    chain = make_chain()
    tx_hash = pay(chain, 5)
    chain.mine(START)
    chain.mine(START)
    head = chain.head
    with pytest.raises(ValueError, match="not in the blocks"):
        chain.fork(1, keep=[tx_hash])
    assert chain.head is head
    assert balance(chain) == 5


def test_a_later_payment_of_a_payer_cannot_stay_without_the_earlier() -> None:
    chain = make_chain()
    first, second = pay(chain, 5, 1), pay(chain, 6, 1)
    chain.mine(START)
    head = chain.head
    with pytest.raises(ValueError, match="cannot stay"):
        chain.fork(1, keep=[second])
    assert chain.head is head
    chain.fork(1, keep=[first])
    assert paid(chain) == [5]


def test_what_waits_survives_a_fork() -> None:
    chain = make_chain(2)
    pay(chain, 5)
    chain.fork(1)
    assert paid(chain) == [5]


def test_what_misses_an_earlier_one_of_its_payer_goes_on_waiting() -> None:
    chain = make_chain()
    pay(chain, 5, 1)
    chain.mine(START)
    pay(chain, 6, 1)
    (dropped,) = chain.fork(1)
    assert paid(chain) == []
    chain.resend(dropped.sent[0])
    chain.mine(START)
    chain.mine(START)
    assert paid(chain) == [5, 6]


def test_only_the_newest_blocks_are_kept_and_block_0() -> None:
    chain = make_chain(10, kept_blocks=4)
    assert [mined.number for mined in chain.blocks] == [0, 7, 8, 9, 10]
    assert chain.oldest == 7
    chain.fork(3)
    assert [mined.number for mined in chain.blocks] == [0, 7, 8, 9, 10]
    with pytest.raises(ValueError, match="from 1 to 3 blocks"):
        chain.fork(4)  # nothing is left to grow from


def test_the_state_after_an_older_block_can_be_had() -> None:
    chain = make_chain()
    for units in (5, 6, 7):
        pay(chain, units)
        chain.mine(START)
    balances = [chain.state_after(number)[coin(SHOP)] for number in range(4)]
    assert balances == [0, 5, 11, 18]
    assert balance(chain) == 18


def test_nothing_comes_to_ethereum_over_the_bridge() -> None:
    chain = make_chain()
    with pytest.raises(ValueError, match="bridge"):
        chain.bridge(SHOP, 5)
    assert chain.mine(START).receipts == []


def test_a_rollback_undoes_only_what_came_after_the_mark() -> None:
    state = State({"a": 1})
    state["a"] = 2
    mark = state.mark()
    state["a"] = 3
    state["b"] = 4
    state.rollback(mark)
    assert (state["a"], state["b"]) == (2, 0)
    assert state.close() == {"a": 1}


def test_a_call_to_the_zero_address_is_a_call_like_any() -> None:
    chain = make_chain()
    chain.send(Order(OTHER, 0, b"\x00" * 300))
    assert chain.mine(START).receipts[0]["status"] == "0x1"
