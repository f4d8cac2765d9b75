"""Deposits are found in a block: each transfer to us, once, in order."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.factories import ADDRESS, METHOD, NETWORK, make_ref, make_transfer
from watcher.domain.blocks import Block, Transfer
from watcher.domain.deposits import (
    Deposit,
    DepositRules,
    DepositStatus,
    Depth,
    Tier,
    Watched,
    find_deposits,
)
from watcher.domain.money import Address, Method, Network, Price

OTHER, STRANGER = Address("0x" + "d4" * 20), Address("0x" + "e5" * 20)
OURS = Watched("mer_1", "inv_1", 7)
THEIRS = Watched("mer_2", "inv_2", None)
RULES = DepositRules(confirmations=32, minimum={METHOD: 50})
NOW = 5000


def find(
    *transfers: Transfer, watched: Mapping[Address, Watched] | None = None, number: int = 9
) -> list[Deposit]:
    block = Block(make_ref(number), transfers)
    owners = {ADDRESS: OURS, OTHER: THEIRS} if watched is None else watched
    return find_deposits(NETWORK, block, owners, RULES, NOW)


def test_a_transfer_to_us_is_a_pending_deposit_with_all_it_says() -> None:
    move, ref = make_transfer(100, tx="x", position="log/4"), make_ref(9)
    (found,) = find(move)
    assert found == Deposit(
        id=found.id,
        merchant_id="mer_1",
        invoice_id="inv_1",
        network=NETWORK,
        method=METHOD,
        block_number=9,
        block_hash=ref.hash,
        block_time=ref.timestamp,
        tx_hash=move.tx_hash,
        position="log/4",
        sender=move.sender,
        address=ADDRESS,
        units=100,
        required=7,
        below_minimum=False,
        detected_at=NOW,
        status=DepositStatus.PENDING,
        corroborated=False,
        confirmed_at=None,
        reverted=False,
        accepted=None,
        accepted_by_hand=False,
    )


def test_a_transfer_to_a_stranger_is_no_deposit() -> None:
    assert find(make_transfer(to=STRANGER)) == []


def test_our_own_address_as_sender_is_no_deposit() -> None:
    assert find(make_transfer(to=STRANGER, sender=ADDRESS)) == []


def test_a_block_without_transfers_has_no_deposit() -> None:
    assert find() == []


def test_nothing_is_found_where_nothing_is_watched() -> None:
    assert find(make_transfer(), watched={}) == []


def test_an_address_is_ours_only_in_its_canonical_spelling() -> None:
    assert find(make_transfer(to=Address(ADDRESS.upper()))) == []


def test_deposits_keep_the_order_of_the_block() -> None:
    moves = [make_transfer(units, tx=str(units)) for units in (70, 90, 60, 80)]
    assert [found.units for found in find(*moves)] == [70, 90, 60, 80]


def test_two_equal_transfers_of_one_transaction_are_two_deposits() -> None:
    found = find(make_transfer(position="log/0"), make_transfer(position="log/1"))
    assert [(d.position, d.units) for d in found] == [("log/0", 100), ("log/1", 100)]
    assert found[0].id != found[1].id


def test_one_transaction_may_pay_several_owners_and_a_stranger() -> None:
    found = find(
        make_transfer(to=OTHER, position="log/0"),
        make_transfer(to=STRANGER, position="log/1"),
        make_transfer(to=ADDRESS, position="log/2"),
    )
    assert [(d.merchant_id, d.invoice_id, d.position) for d in found] == [
        ("mer_2", "inv_2", "log/0"),
        ("mer_1", "inv_1", "log/2"),
    ]


def test_withdrawals_without_a_transaction_are_deposits_each_of_its_own() -> None:
    found = find(
        make_transfer(tx_hash=None, sender=None, position="withdrawal/0"),
        make_transfer(tx_hash=None, sender=None, position="withdrawal/1"),
    )
    assert [(d.tx_hash, d.sender) for d in found] == [(None, None)] * 2
    assert found[0].id != found[1].id


def test_the_same_transfer_found_again_has_the_same_id() -> None:
    assert find(make_transfer()) == find(make_transfer())


def test_a_transfer_mined_again_elsewhere_is_another_deposit() -> None:
    first = find_deposits(
        NETWORK, Block(make_ref(9, "a"), (make_transfer(),)), {ADDRESS: OURS}, RULES, NOW
    )
    again = find_deposits(
        NETWORK, Block(make_ref(9, "b"), (make_transfer(),)), {ADDRESS: OURS}, RULES, NOW
    )
    assert first[0].tx_hash == again[0].tx_hash
    assert first[0].id != again[0].id


def test_the_network_is_part_of_a_deposit_s_identity() -> None:
    block = Block(make_ref(9), (make_transfer(),))
    other = find_deposits(Network("ethereum"), block, {ADDRESS: OURS}, RULES, NOW)
    assert other[0].id != find(make_transfer())[0].id


@pytest.mark.parametrize(("units", "below"), [(49, True), (50, False), (51, False)])
def test_below_minimum_is_recorded(units: int, below: bool) -> None:
    assert find(make_transfer(units))[0].below_minimum is below


def test_a_minimum_holds_for_its_own_asset_only() -> None:
    (found,) = find(make_transfer(1, method=Method("polygon:pol")))
    assert found.below_minimum is False


@pytest.mark.parametrize(
    ("own", "network", "required"),
    [
        (7, 32, 7),
        (None, 32, 32),
        (1, "finalized", 1),
        ("finalized", 32, "finalized"),
        (None, "finalized", "finalized"),
    ],
)
def test_the_invoice_s_own_rule_goes_before_the_network_s(
    own: Depth | None, network: Depth, required: Depth
) -> None:
    block = Block(make_ref(9), (make_transfer(),))
    watched = {ADDRESS: Watched("mer_1", "inv_1", own)}
    (found,) = find_deposits(NETWORK, block, watched, DepositRules(network), NOW)
    assert found.required == required


def test_where_nothing_was_quoted_the_strictest_tier_holds() -> None:
    tiers = [Tier(Price("10", "USD"), 40), Tier(Price("5", "USD"), 64)]
    rules = DepositRules(confirmations=32, tiers=tiers)
    moves = (make_transfer(), make_transfer(to=OTHER, tx="2"))
    watched = {ADDRESS: OURS, OTHER: THEIRS}
    found = find_deposits(NETWORK, Block(make_ref(9), moves), watched, rules, NOW)
    assert [deposit.required for deposit in found] == [7, 64]
