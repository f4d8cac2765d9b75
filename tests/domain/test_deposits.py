"""Deposits: confirmed with depth, orphaned, revived."""

from __future__ import annotations

from dataclasses import fields, replace
from fractions import Fraction

import pytest

from tests.factories import make_deposit, make_ref
from watcher.domain.deposits import (
    Deposit,
    DepositStatus,
    Depth,
    confirmations,
    deepest,
    is_deep,
    orphan,
    restate,
    revive,
)

PENDING, CONFIRMED, ORPHANED = DepositStatus
NOW = 5000


def changed(before: Deposit, after: Deposit) -> set[str]:
    """The names of the fields that differ."""
    return {f.name for f in fields(before) if getattr(before, f.name) != getattr(after, f.name)}


@pytest.mark.parametrize(
    ("status", "tip", "count"),
    [
        (PENDING, 9, 1),
        (PENDING, 10, 2),
        (CONFIRMED, 20, 12),
        (PENDING, 8, 0),
        (PENDING, 1, 0),
        (ORPHANED, 20, 0),
    ],
)
def test_confirmations(status: DepositStatus, tip: int, count: int) -> None:
    deposit = make_deposit(status=status, ref=make_ref(9))
    assert confirmations(deposit, make_ref(tip)) == count


@pytest.mark.parametrize(
    ("required", "tip", "finality", "deep"),
    [
        (3, 10, None, False),
        (3, 11, None, True),
        (3, 12, None, True),
        (1, 9, None, True),
        (1, 8, None, False),
        (3, 10, 999, False),
        (3, 11, 0, True),
        ("finalized", 999, None, False),
        ("finalized", 999, 0, False),
        ("finalized", 999, 8, False),
        ("finalized", 9, 9, True),
        ("finalized", 9, 10, True),
    ],
)
def test_depth_is_confirmations_or_the_network_s_finality(
    required: Depth, tip: int, finality: int | None, deep: bool
) -> None:
    deposit = make_deposit(ref=make_ref(9), required=required)
    assert is_deep(deposit, make_ref(tip), finality) is deep


def test_what_is_deep_and_corroborated_becomes_confirmed_and_nothing_else_changes() -> None:
    before = make_deposit(ref=make_ref(9), required=3, corroborated=True)
    (after,) = restate([before], make_ref(11), None, NOW)
    assert (after.status, after.confirmed_at) == (CONFIRMED, NOW)
    assert changed(before, after) == {"status", "confirmed_at"}


def test_one_block_earlier_it_stays_pending() -> None:
    before = make_deposit(ref=make_ref(9), required=3, corroborated=True)
    assert restate([before], make_ref(10), 999, NOW) == [before]


@pytest.mark.parametrize("required", [1, 3, "finalized"])
def test_what_nobody_corroborated_stays_pending_at_any_depth(required: Depth) -> None:
    before = make_deposit(ref=make_ref(9), required=required, corroborated=False)
    assert restate([before], make_ref(10_000), 10_000, NOW) == [before]


@pytest.mark.parametrize("finality", [None, 0, 8])
def test_without_the_network_s_finality_nothing_is_final(finality: int | None) -> None:
    before = make_deposit(ref=make_ref(9), required="finalized", corroborated=True)
    assert restate([before], make_ref(10_000), finality, NOW) == [before]


def test_a_confirmed_deposit_keeps_its_status_and_time_when_the_tip_gets_shallower() -> None:
    before = make_deposit(ref=make_ref(9), status=CONFIRMED, required=3)
    assert restate([before], make_ref(9), None, NOW) == [before]
    assert restate([before], make_ref(99), None, NOW) == [before]


def test_a_confirmed_deposit_stays_so_when_its_corroboration_is_gone() -> None:
    before = make_deposit(ref=make_ref(9), status=CONFIRMED, corroborated=False)
    assert restate([before], make_ref(99), 99, NOW) == [before]


@pytest.mark.parametrize("required", [1, "finalized"])
def test_an_orphaned_deposit_is_never_confirmed(required: Depth) -> None:
    before = make_deposit(ref=make_ref(9), status=ORPHANED, corroborated=True, required=required)
    assert restate([before], make_ref(99), 99, NOW) == [before]


def test_restate_keeps_order_and_judges_each_alone() -> None:
    deep = make_deposit(1, ref=make_ref(5), corroborated=True)
    shallow = make_deposit(2, ref=make_ref(9), corroborated=True)
    lone = make_deposit(3, ref=make_ref(5))
    after = restate([shallow, deep, lone], make_ref(9), None, NOW)
    assert [(d.units, d.status) for d in after] == [(2, PENDING), (1, CONFIRMED), (3, PENDING)]


@pytest.mark.parametrize("finality", [None, 10_000])
def test_restating_twice_changes_nothing_more(finality: int | None) -> None:
    held = [make_deposit(ref=make_ref(n), corroborated=n % 2 == 0) for n in range(4, 12)]
    once = restate(held, make_ref(11), finality, NOW)
    assert restate(once, make_ref(11), finality, NOW + 1) == once


def test_an_orphan_keeps_what_the_chain_said_and_loses_what_was_concluded() -> None:
    before = make_deposit(status=CONFIRMED)
    (after,) = orphan([before])
    assert (after.status, after.corroborated, after.confirmed_at) == (ORPHANED, False, None)
    assert changed(before, after) == {"status", "corroborated", "confirmed_at", "reverted"}


@pytest.mark.parametrize(
    ("status", "reverted_before", "reverted"),
    [
        (PENDING, False, False),
        (PENDING, True, True),
        (CONFIRMED, False, True),
        (CONFIRMED, True, True),
        (ORPHANED, False, False),
        (ORPHANED, True, True),
    ],
)
def test_reverted_means_once_confirmed_and_stays(
    status: DepositStatus, reverted_before: bool, reverted: bool
) -> None:
    (after,) = orphan([make_deposit(status=status, reverted=reverted_before)])
    assert (after.status, after.reverted) == (ORPHANED, reverted)


def test_orphans_keep_their_order() -> None:
    assert [d.units for d in orphan([make_deposit(3), make_deposit(1)])] == [3, 1]


def test_a_revived_deposit_starts_again_and_remembers_its_past() -> None:
    (gone,) = orphan([make_deposit(status=CONFIRMED, accepted=Fraction(1), accepted_by_hand=True)])
    back = revive(gone, make_deposit(), NOW)
    assert (back.status, back.detected_at) == (PENDING, NOW)
    assert changed(gone, back) == {"status", "detected_at"}
    assert (back.corroborated, back.confirmed_at) == (False, None)
    assert (back.reverted, back.accepted, back.accepted_by_hand) == (True, Fraction(1), True)


def test_a_revived_deposit_is_what_its_block_is_read_to_hold_now() -> None:
    (gone,) = orphan([make_deposit(60, status=CONFIRMED, accepted=Fraction(1))])
    found = make_deposit(100)
    assert found.id == gone.id
    assert revive(gone, found, NOW) == replace(found, detected_at=NOW, reverted=True)


def test_a_revived_deposit_must_be_corroborated_anew() -> None:
    (gone,) = orphan([make_deposit(ref=make_ref(9), status=CONFIRMED)])
    back = revive(gone, gone, NOW)
    assert restate([back], make_ref(999), 999, NOW) == [back]
    (sure,) = restate([replace(back, corroborated=True)], make_ref(999), 999, NOW + 1)
    assert (sure.status, sure.confirmed_at, sure.reverted) == (CONFIRMED, NOW + 1, True)


def test_a_revived_deposit_that_goes_again_is_as_it_was() -> None:
    (gone,) = orphan([make_deposit(status=CONFIRMED)])
    (again,) = orphan([revive(gone, gone, NOW)])
    assert replace(again, detected_at=gone.detected_at) == gone


@pytest.mark.parametrize(
    ("depths", "strictest"),
    [
        ([3], 3),
        ([3, 12, 7], 12),
        (["finalized"], "finalized"),
        ([100_000, "finalized"], "finalized"),
        (["finalized", 1], "finalized"),
    ],
)
def test_finality_is_stricter_than_any_number(depths: list[Depth], strictest: Depth) -> None:
    assert deepest(depths) == strictest
