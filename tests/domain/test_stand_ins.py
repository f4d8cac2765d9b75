"""Money that was counted by a balance, and is found in blocks later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tests.factories import make_deposit, make_ref
from watcher.domain.deposits import Deposit, DepositStatus
from watcher.domain.money import Method
from watcher.domain.stand_ins import Ceded, StandIn, take_place

BLOCK = make_ref(5)


def make_stand_in(units: int, key: str = "1", first: int = 0, last: int = 9) -> StandIn:
    """A hundredth of the price for each unit, accepted by hand."""
    deposit = make_deposit(
        units,
        status=DepositStatus.CONFIRMED,
        ref=BLOCK,
        position=f"audit/{key}",
        accepted=Fraction(units, 100),
        accepted_by_hand=True,
        confirmed_at=7,
    )
    return StandIn(replace(deposit, tx_hash=None), key, first, last)


def make_found(*units: int) -> list[Deposit]:
    return [make_deposit(each, ref=BLOCK, position=f"log/{i}") for i, each in enumerate(units)]


def place(
    found: Sequence[Deposit], stand_ins: Sequence[StandIn], *, sure: bool = True
) -> tuple[list[Deposit], Ceded]:
    """`take_place` where nobody need be asked for anything that was found, or for all of it."""
    return take_place(found, stand_ins, {each.id for each in found if sure})


def worth(deposits: Sequence[Deposit]) -> Fraction:
    return sum((each.accepted or Fraction(0) for each in deposits), Fraction(0))


@given(st.lists(st.integers(1, 50), max_size=4), st.lists(st.integers(1, 50), max_size=3))
def test_what_counts_by_hand_stays_the_same_to_the_last_unit(
    found: list[int], accepted: list[int]
) -> None:
    stand_ins = [make_stand_in(units, str(key)) for key, units in enumerate(accepted)]
    placed, ceded = place(make_found(*found), stand_ins)
    kept = [each.deposit for each in stand_ins if each not in ceded]
    rests = [rest for rest in ceded.values() if rest is not None]
    left = sum(each.units for each in [*kept, *rests])
    assert left == max(0, sum(accepted) - sum(found))
    assert all(0 < rest.units < each.deposit.units for each, rest in ceded.items() if rest)
    if sum(found) <= sum(accepted):
        assert worth([*placed, *kept, *rests]) == Fraction(sum(accepted), 100)
        assert all(each.status is DepositStatus.CONFIRMED for each in [*placed, *rests])
    else:
        assert worth(placed) >= Fraction(sum(accepted), 100)


def test_two_stand_ins_together_vouch_for_one_payment() -> None:
    [placed], ceded = place(make_found(30), [make_stand_in(10), make_stand_in(20, "2")])
    assert (placed.status, placed.accepted) == (DepositStatus.CONFIRMED, Fraction(30, 100))
    assert list(ceded.values()) == [None, None]


def test_more_than_a_balance_showed_is_not_confirmed_by_it() -> None:
    [placed], ceded = place(make_found(30), [make_stand_in(10)])
    assert (placed.status, placed.corroborated) == (DepositStatus.PENDING, False)
    assert placed.accepted == Fraction(30, 100)
    assert list(ceded.values()) == [None]


def test_what_comes_after_a_stand_in_is_used_up_is_like_any_other() -> None:
    first, second = make_found(10, 10)
    placed, _ = place([first, second], [make_stand_in(10)])
    assert placed[0].status is DepositStatus.CONFIRMED
    assert placed[1] == second


def test_money_of_other_blocks_or_another_coin_is_not_it() -> None:
    [found] = make_found(10)
    other = replace(found, method=Method("polygon:dai"))
    earlier = make_stand_in(10, last=4)
    later = make_stand_in(10, first=6)
    assert place([found], [earlier, later]) == ([found], {})
    assert place([other], [make_stand_in(10)]) == ([other], {})


def test_what_endpoints_must_repeat_is_not_confirmed_by_a_balance() -> None:
    [placed], ceded = place(make_found(10), [make_stand_in(10)], sure=False)
    assert (placed.status, placed.corroborated) == (DepositStatus.PENDING, False)
    assert (placed.confirmed_at, placed.accepted) == (None, Fraction(10, 100))
    assert list(ceded.values()) == [None]
