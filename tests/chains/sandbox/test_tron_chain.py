"""The Tron chain itself: who makes blocks, what a fork replaces, and what comes back otherwise."""

from __future__ import annotations

from itertools import pairwise

import pytest

from chains.sandbox.state import coin, holding
from chains.sandbox.tron.accounts import account, heard, inner, payer, wire
from chains.sandbox.tron.chain import MOST, TronChain
from chains.sandbox.tron.flavour import tron
from chains.sandbox.tron.orders import Order
from chains.sandbox.tron.payments import plain
from tests.chains.sandbox.tron import ASSETS, SHOP, START, USDT, contract, open_tron, read
from watcher.domain.money import Address

TO = inner(SHOP)


def make_chain(*, kept_blocks: int = 100) -> TronChain:
    return TronChain.begin(tron(ASSETS), START, kept_blocks)


def ids(chain: TronChain) -> list[str]:
    return [mined.hash for mined in chain.blocks]


def test_27_witnesses_make_the_blocks_in_turn() -> None:
    chain = make_chain()
    for _ in range(54):
        chain.mine(START)
    makers = [
        mined.block["block_header"]["raw_data"]["witness_address"]
        for mined in chain.blocks
        if mined.number
    ]
    assert len(set(makers)) == 27
    assert makers[:27] == makers[27:]


def test_an_id_begins_with_the_number_and_links_to_the_one_below() -> None:
    chain = make_chain()
    for second in range(3):
        chain.mine(START + second)
    for lower, upper in pairwise(chain.blocks):
        assert upper.block["block_header"]["raw_data"]["parentHash"] == lower.hash
    assert [int(each[:16], 16) for each in ids(chain)] == [0, 1, 2, 3]


def test_another_second_makes_another_chain() -> None:
    first, same = make_chain(), make_chain()
    other = TronChain.begin(tron(ASSETS), START + 1)
    assert ids(first) == ids(same)
    assert first.chain_id == same.chain_id != other.chain_id
    assert f"{first.chain_id:08x}" == ids(first)[0][-8:]


def test_a_block_is_never_older_than_the_one_below() -> None:
    chain = make_chain()
    chain.mine(START)
    with pytest.raises(ValueError, match="never older"):
        chain.mine(START - 1)
    assert chain.head.number == 1


def test_a_fork_makes_blocks_that_never_were() -> None:
    chain = make_chain()
    seen = set(ids(chain))
    for _ in range(3):
        chain.mine(START)
    for _ in range(60):  # more than there are witnesses
        seen |= set(ids(chain))
        chain.fork(3)
        assert not seen & set(ids(chain)[1:])
    assert [mined.timestamp for mined in chain.blocks][1:] == [START] * 3


def test_a_fork_takes_back_what_was_paid() -> None:
    chain = make_chain()
    chain.mine(START)
    chain.send(plain(None, TO, 5))
    chain.send(plain(contract(USDT), TO, 7))
    chain.mine(START)
    assert (chain.state[coin(TO)], chain.state[holding(contract(USDT), TO)]) == (5, 7)
    dropped = chain.fork(1, blocks=2)
    assert [mined.number for mined in dropped] == [2]
    assert (chain.state[coin(TO)], chain.state[holding(contract(USDT), TO)]) == (0, 0)
    assert (chain.head.number, chain.head.infos) == (3, [])


def test_the_state_is_known_as_it_was() -> None:
    chain = make_chain()
    for units in (5, 6):
        chain.send(plain(None, TO, units))
        chain.mine(START)
    assert [chain.state_after(number)[coin(TO)] for number in range(3)] == [0, 5, 11]
    assert chain.state[coin(TO)] == 11


async def test_a_fork_moves_a_payment_to_another_block_with_the_same_id() -> None:
    async with open_tron() as node:
        node.mine()
        kept = node.chain.send(plain(None, TO, 5))
        node.chain.send(plain(None, TO, 6))
        node.mine()
        old = await read(node, 2)
        node.chain.fork(2, keep=(kept,))
        new = await read(node, 1)
        assert [transfer.units for transfer in old.transfers] == [5, 6]
        assert [(t.tx_hash, t.units) for t in new.transfers] == [(kept, 5)]
        assert (await read(node, 2)).transfers == ()


async def test_a_fork_makes_a_payment_that_succeeded_run_out_of_energy() -> None:
    async with open_tron() as node:
        moved = node.chain.send(plain(contract(USDT), TO, 5))
        node.mine()
        old = await read(node, 1)
        assert [transfer.tx_hash for transfer in old.transfers] == [moved]
        node.chain.fork(1, keep=(moved,), starved=(moved,))
        new = await read(node, 1)
        assert new.ref.hash != old.ref.hash
        assert new.transfers == ()
        (tx,), (info,) = node.chain.head.block["transactions"], node.chain.head.infos
        assert (tx["txID"], tx["ret"]) == (moved, [{"contractRet": "OUT_OF_ENERGY"}])
        assert info["receipt"]["result"] == "OUT_OF_ENERGY"
        assert "log" not in info
        assert node.chain.state[holding(contract(USDT), TO)] == 0


@pytest.mark.parametrize("depth", [0, 4])
def test_a_fork_that_is_too_deep_changes_nothing(depth: int) -> None:
    chain = make_chain()
    for _ in range(3):
        chain.mine(START)
    before = ids(chain)
    with pytest.raises(ValueError, match="from 1 to 3 blocks"):
        chain.fork(depth)
    assert ids(chain) == before


def test_a_fork_keeps_a_block_to_grow_from() -> None:
    chain = make_chain(kept_blocks=3)
    for _ in range(9):
        chain.mine(START)
    with pytest.raises(ValueError, match="from 1 to 2 blocks"):
        chain.fork(3)
    chain.fork(2)
    assert [mined.number for mined in chain.blocks] == [0, 7, 8, 9]


def test_a_fork_keeps_only_what_was_there() -> None:
    chain = make_chain()
    trx, token = chain.send(plain(None, TO, 5)), chain.send(plain(contract(USDT), TO, 5))
    chain.mine(START)
    before = ids(chain)
    for keep, starved, why in (
        (("1" * 64,), (), "never there"),
        ((trx,), (token,), "not mined again"),
        ((trx,), (trx,), "no code runs"),
    ):
        with pytest.raises(ValueError, match=why):
            chain.fork(1, keep=keep, starved=starved)
    assert ids(chain) == before


def test_only_the_newest_blocks_and_block_0_are_kept() -> None:
    chain = make_chain(kept_blocks=3)
    for _ in range(9):
        chain.mine(START)
    assert [mined.number for mined in chain.blocks] == [0, 7, 8, 9]
    assert (chain.oldest, chain.block(6)) == (7, None)


def test_a_transaction_offered_again_is_the_same_one() -> None:
    chain = make_chain()
    tx_id = chain.send(plain(None, TO, 5))
    (dropped,) = chain.mine(START).sent
    chain.fork(1)
    assert chain.find(tx_id) is None
    chain.resend(dropped)
    chain.mine(START)
    found = chain.find(tx_id)
    assert found is not None
    assert (found[0].number, found[1]) == (2, 0)


@pytest.mark.parametrize(
    "order", [Order(TO, 0), Order(TO, MOST + 1), Order(payer(3).address, 5), Order(TO, -1)]
)
def test_what_no_node_would_take_is_refused(order: Order) -> None:
    chain = make_chain()
    with pytest.raises(ValueError, match=r"Amount|at most|yourself"):
        chain.send(order, 3)
    assert chain.mine(START).infos == []


def test_a_payer_never_runs_dry() -> None:
    chain = make_chain()
    for _ in range(1_500):
        chain.send(plain(None, TO, MOST), 3)
    chain.mine(START)
    assert chain.state[coin(payer(3).address)] > MOST


def test_addresses_have_two_spellings_outside_and_one_inside() -> None:
    address = account("somebody").address
    assert heard(wire(address)) == address
    assert heard(SHOP) == TO == Address("0x" + "a1" * 20)
    for wrong in ("42" + "a1" * 20, "41" + "a1" * 19, "T" + SHOP[2:] + "1", "zz", ""):
        with pytest.raises(ValueError, match=r".+"):
            heard(wrong)
