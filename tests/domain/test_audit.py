"""What a balance means that the ledger does not explain."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.factories import NETWORK, make_finding
from watcher.domain.audit import (
    Credits,
    Difference,
    Finding,
    FindingKind,
    FindingState,
    Measure,
    absorb,
    arrived,
    change,
    dust,
    gained,
    in_the_way,
    judge,
    leftover,
    undated,
)
from watcher.domain.money import Asset

SURPLUS, MISSING = FindingKind.SURPLUS, FindingKind.MISSING
OUTGOING, UNCLEAR = FindingKind.OUTGOING, FindingKind.UNCLEAR
NOW = 77


def at(number: int, units: int, ledger: int) -> Measure:
    return Measure(number, number, units, ((number, ledger),))


@pytest.mark.parametrize(
    ("before", "after", "kind", "units"),
    [
        pytest.param(at(5, 0, 0), at(9, 7, 0), SURPLUS, 7, id="money that nobody told us of"),
        pytest.param(at(5, 3, 3), at(9, 10, 5), SURPLUS, 5, id="beside a deposit we know"),
        pytest.param(at(5, 7, 0), at(9, 9, 0), SURPLUS, 2, id="on top of an earlier surplus"),
        pytest.param(None, at(9, 7, 2), SURPLUS, 5, id="at the first look"),
        pytest.param(at(5, 7, 7), at(9, 0, 7), OUTGOING, 7, id="swept after it had arrived"),
        pytest.param(at(5, 7, 7), at(6, 2, 7), OUTGOING, 5, id="partly, within one block"),
        pytest.param(at(5, 7, 0), at(9, 0, 0), OUTGOING, 7, id="a surplus that is swept"),
        pytest.param(at(5, 0, 0), at(6, 97, 100), MISSING, 3, id="a fee on the transfer"),
        pytest.param(at(5, 0, 0), at(6, 0, 100), MISSING, 100, id="a deposit that is not there"),
        pytest.param(at(5, 9, 9), at(6, 9, 109), MISSING, 100, id="the same beside others"),
        pytest.param(at(5, 0, 0), at(9, 97, 100), UNCLEAR, 3, id="somewhere in many blocks"),
        pytest.param(at(5, 0, 0), at(9, 0, 100), UNCLEAR, 100, id="came and went, or never came"),
        pytest.param(at(5, 9, 9), at(6, 0, 19), UNCLEAR, 19, id="swept in a deposit's own block"),
        pytest.param(None, at(9, 2, 7), UNCLEAR, 5, id="short at the first look"),
        pytest.param(None, at(9, 0, 7), UNCLEAR, 7, id="empty at the first look"),
        pytest.param(
            Measure(4, 5, 0, ()), at(6, 97, 100), UNCLEAR, 3, id="one block, not known which"
        ),
    ],
)
def test_a_difference_is_judged(
    before: Measure | None, after: Measure, kind: FindingKind, units: int
) -> None:
    first = None if before is None else before.first + 1
    assert judge(before, after) == Difference(kind, units, first, after.last)


@pytest.mark.parametrize(
    ("kind", "undated_kind"),
    [(SURPLUS, SURPLUS), (OUTGOING, OUTGOING), (MISSING, UNCLEAR), (UNCLEAR, UNCLEAR)],
)
def test_where_states_have_no_date_nothing_came_about_in_a_known_block(
    kind: FindingKind, undated_kind: FindingKind
) -> None:
    assert undated(Difference(kind, 5, 9, 9)) == Difference(undated_kind, 5, None, 9)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, at(9, 7, 7)),
        (at(5, 0, 0), at(9, 7, 7)),
        (at(5, 2, 7), at(9, 5, 10)),  # an old shortfall stays what it was
    ],
)
def test_what_the_ledger_explains_is_no_change(before: Measure | None, after: Measure) -> None:
    assert change(before, after) == 0


def test_only_deposits_up_to_a_block_had_arrived_by_it() -> None:
    assert arrived([(6, 20), (5, 10), (7, 40), (6, 1)], 6) == ((5, 10), (6, 21))


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        (((5, 10),), ((5, 10),), {}),
        (((5, 10), (6, 3)), ((5, 12), (7, 3)), {5: 2, 6: -3, 7: 3}),
        (((None, 10),), ((5, 12), (7, 3)), {None: 5}),
    ],
)
def test_what_a_ledger_gained_is_told_by_block(
    before: Credits, after: Credits, changes: dict[int | None, int]
) -> None:
    assert gained(before, after) == changes


@pytest.mark.parametrize(
    ("decimals", "minimum", "units"),
    [(18, 0, 10**12), (6, 0, 1), (0, 0, 1), (6, 500_000, 500_000)],
)
def test_dust_is_below_the_minimum_or_a_millionth(decimals: int, minimum: int, units: int) -> None:
    assert dust(Asset(NETWORK, "X", decimals), minimum) == units


def absorbed(
    findings: list[Finding], gained: dict[int | None, int], dust: int = 1
) -> tuple[list[tuple[str, int, str]], int]:
    """What changed, each as (id, units, state), and what is left."""
    changed, left = absorb(findings, gained, dust, NOW)
    return [(each.id, each.units, each.state) for each in changed], left


def test_a_ledger_that_catches_up_resolves_the_surplus() -> None:
    finding = make_finding(SURPLUS, 7)
    resolved = replace(finding, state=FindingState.RESOLVED, closed_at=NOW)
    assert absorb([finding], {9: 7}, 1, NOW) == ([resolved], 0)


def test_a_ledger_that_catches_up_halfway_leaves_the_rest() -> None:
    finding = make_finding(SURPLUS, 7)
    assert absorb([finding], {9: 3}, 1, NOW) == ([replace(finding, units=4)], 0)


def test_the_oldest_surplus_is_caught_up_with_first() -> None:
    young, old = make_finding(SURPLUS, 5, key="2"), make_finding(SURPLUS, 2, key="1")
    assert absorbed([young, old], {9: 4}) == (
        [(young.id, 3, "open"), (old.id, 2, "resolved")],
        0,
    )


@pytest.mark.parametrize("kind", [SURPLUS, MISSING])
def test_that_finding_is_caught_up_with_that_is_of_the_block(kind: FindingKind) -> None:
    first = make_finding(kind, 5, key="1", first=3, last=3)
    second = make_finding(kind, 5, key="2", first=4, last=9)
    units = 5 if kind is SURPLUS else -5
    assert absorbed([first, second], {6: units}) == ([(second.id, 5, "resolved")], 0)
    assert absorbed([first, second], {3: units}) == ([(first.id, 5, "resolved")], 0)
    assert absorbed([first, second], {10: units}) == ([], units)


def test_one_of_an_unknown_first_block_takes_what_one_of_fewer_blocks_does_not() -> None:
    wide = make_finding(SURPLUS, 5, key="1", first=None, last=9)
    narrow = make_finding(SURPLUS, 5, key="2", first=6, last=6)
    changed = [(narrow.id, 5, "resolved"), (wide.id, 3, "open")]
    assert sorted(absorbed([wide, narrow], {4: 2, 6: 5})[0]) == sorted(changed)


def test_of_unknown_blocks_the_oldest_is_caught_up_with_first() -> None:
    young, old = make_finding(SURPLUS, 5, key="2"), make_finding(SURPLUS, 5, key="1", last=4)
    assert absorbed([young, old], {None: 5}) == ([(old.id, 5, "resolved")], 0)


def test_dust_of_a_surplus_may_have_come_before_its_blocks() -> None:
    finding = make_finding(SURPLUS, 12)
    assert absorbed([finding], {7: 4, 9: 4}, dust=10) == ([(finding.id, 4, "open")], 0)
    assert absorbed([finding], {7: 12}, dust=10) == ([(finding.id, 3, "open")], 3)


def test_a_loss_and_a_gain_are_of_two_findings_and_no_news_without_any() -> None:
    missing = make_finding(MISSING, 5, key="1", first=3, last=3)
    surplus = make_finding(SURPLUS, 5, key="2", first=6, last=6)
    assert absorbed([missing, surplus], {3: -5, 6: 5}) == (
        [(missing.id, 5, "resolved"), (surplus.id, 5, "resolved")],
        0,
    )
    assert absorbed([], {3: -5, 6: 5}) == ([], 0)


def test_what_takes_the_place_of_an_accepted_deposit_is_no_news() -> None:
    accepted = make_finding(SURPLUS, 5, key="1", first=4, state=FindingState.ACCEPTED)
    other = make_finding(SURPLUS, 5, key="2", first=10, last=12)
    assert absorbed([accepted, other], {9: -5, 6: 5}) == ([], 0)
    assert absorbed([accepted, other], {9: -5, 6: 7}) == ([], 2)


def test_what_gives_way_to_the_money_of_another_finding_is_a_surplus_again() -> None:
    accepted = make_finding(SURPLUS, 5, key="2", first=None, state=FindingState.ACCEPTED)
    other = make_finding(SURPLUS, 5, key="1", first=3, last=3)
    assert absorbed([accepted, other], {9: -5, 3: 5}) == ([(other.id, 5, "resolved")], -5)


@pytest.mark.parametrize("kind", [MISSING, UNCLEAR])
def test_a_false_deposit_taken_back_resolves_what_was_missing(kind: FindingKind) -> None:
    finding = make_finding(kind, 7)
    assert absorbed([finding], {9: -7}) == ([(finding.id, 7, "resolved")], 0)


@pytest.mark.parametrize(
    ("finding", "gained"),
    [
        (make_finding(SURPLUS, 7), -7),
        (make_finding(MISSING, 7), 7),
        (make_finding(OUTGOING, 7), -7),
        (make_finding(OUTGOING, 7, state=FindingState.NOTED), -7),
        (make_finding(SURPLUS, 7, state=FindingState.ACCEPTED), 7),
        (make_finding(SURPLUS, 7, state=FindingState.RESOLVED), 7),
    ],
)
def test_a_finding_explains_no_change_of_another_kind(finding: Finding, gained: int) -> None:
    assert absorbed([finding], {9: gained}) == ([], gained)


def test_a_dismissed_surplus_still_explains_the_deposit_found_later() -> None:
    finding = make_finding(SURPLUS, 7, state=FindingState.DISMISSED)
    assert absorbed([finding], {9: 7}) == ([(finding.id, 7, "resolved")], 0)


def test_a_ledger_that_changed_its_past_without_a_finding_is_told() -> None:
    assert leftover(7, 9) == Difference(UNCLEAR, 7, None, 9)
    assert leftover(-7, 9) == Difference(SURPLUS, 7, None, 9)


DISMISSED = FindingState.DISMISSED


@pytest.mark.parametrize(
    ("facts", "dated", "blocks"),
    [
        pytest.param({"kind": UNCLEAR, "first": 4}, True, True, id="unclear"),
        pytest.param({"kind": MISSING, "first": 8, "last": 8}, True, True, id="in other blocks"),
        pytest.param({"kind": OUTGOING}, True, False, id="outgoing"),
        pytest.param({"kind": UNCLEAR, "state": DISMISSED}, True, False, id="dismissed"),
        pytest.param({"kind": SURPLUS}, False, False, id="another surplus"),
        pytest.param({"kind": UNCLEAR}, False, True, id="undated, open"),
        pytest.param(
            {"kind": OUTGOING, "state": FindingState.NOTED}, False, True, id="undated, noted"
        ),
        pytest.param(
            {"kind": UNCLEAR, "state": DISMISSED, "closed_at": 100}, False, True, id="too early"
        ),
        pytest.param(
            {"kind": UNCLEAR, "state": DISMISSED, "closed_at": 101}, False, False, id="decided"
        ),
        pytest.param(
            {"kind": UNCLEAR, "state": FindingState.RESOLVED}, False, False, id="resolved"
        ),
        pytest.param({"kind": OUTGOING, "key": "7"}, False, False, id="outgoing after it"),
        pytest.param({"kind": UNCLEAR, "key": "7"}, False, True, id="unclear after it"),
    ],
)
def test_a_surplus_waits_for_what_it_may_only_give_back(
    facts: dict[str, Any], dated: bool, blocks: bool
) -> None:
    surplus = make_finding(SURPLUS, key="5", found_at=100)
    other = make_finding(**{"key": "4", **facts})
    found = in_the_way(surplus, [surplus, other], dated=dated)
    assert found == (other if blocks else None)
