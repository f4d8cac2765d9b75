"""What a balance means that the ledger does not explain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.factories import NETWORK, make_finding
from watcher.domain.audit import (
    Difference,
    Finding,
    FindingKind,
    FindingState,
    Measure,
    absorb,
    arrived,
    change,
    dust,
    judge,
    leftover,
)
from watcher.domain.money import Asset

SURPLUS, MISSING = FindingKind.SURPLUS, FindingKind.MISSING
OUTGOING, UNCLEAR = FindingKind.OUTGOING, FindingKind.UNCLEAR
NOW = 77


def at(number: int, units: int, ledger: int) -> Measure:
    return Measure(number, number, units, ledger)


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
            Measure(4, 5, 0, 0), at(6, 97, 100), UNCLEAR, 3, id="one block, not known which"
        ),
    ],
)
def test_a_difference_is_judged(
    before: Measure | None, after: Measure, kind: FindingKind, units: int
) -> None:
    first = None if before is None else before.first + 1
    assert judge(before, after) == Difference(kind, units, first, after.last)


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
    assert arrived([(5, 10), (6, 20), (7, 40)], 6) == 30


@pytest.mark.parametrize(
    ("decimals", "minimum", "units"),
    [(18, 0, 10**12), (6, 0, 1), (0, 0, 1), (6, 500_000, 500_000)],
)
def test_dust_is_below_the_minimum_or_a_millionth(decimals: int, minimum: int, units: int) -> None:
    assert dust(Asset(NETWORK, "X", decimals), minimum) == units


def test_a_ledger_that_catches_up_resolves_the_surplus() -> None:
    finding = make_finding(SURPLUS, 7)
    resolved = replace(finding, state=FindingState.RESOLVED, closed_at=NOW)
    assert absorb([finding], 7, NOW) == ([resolved], 0)


def test_a_ledger_that_catches_up_halfway_leaves_the_rest() -> None:
    finding = make_finding(SURPLUS, 7)
    assert absorb([finding], 3, NOW) == ([replace(finding, units=4)], 0)


def test_the_oldest_surplus_is_caught_up_with_first() -> None:
    findings = [make_finding(SURPLUS, 5, key="2"), make_finding(SURPLUS, 2, key="1")]
    changed, left = absorb(findings, 4, NOW)
    assert [(each.id, each.units, each.state) for each in changed] == [
        (findings[1].id, 2, "resolved"),
        (findings[0].id, 3, "open"),
    ]
    assert left == 0


@pytest.mark.parametrize("kind", [MISSING, UNCLEAR])
def test_a_false_deposit_taken_back_resolves_what_was_missing(kind: FindingKind) -> None:
    [after], left = absorb([make_finding(kind, 7)], -7, NOW)
    assert (after.state, left) == (FindingState.RESOLVED, 0)


@pytest.mark.parametrize(
    ("finding", "gained"),
    [
        (make_finding(SURPLUS, 7), -7),
        (make_finding(MISSING, 7), 7),
        (make_finding(OUTGOING, 7, state=FindingState.NOTED), -7),
        (make_finding(SURPLUS, 7, state=FindingState.ACCEPTED), 7),
        (make_finding(SURPLUS, 7, state=FindingState.RESOLVED), 7),
    ],
)
def test_a_finding_explains_no_change_of_another_kind(finding: Finding, gained: int) -> None:
    assert absorb([finding], gained, NOW) == ([], gained)


def test_a_dismissed_surplus_still_explains_the_deposit_found_later() -> None:
    [after], left = absorb([make_finding(SURPLUS, 7, state=FindingState.DISMISSED)], 7, NOW)
    assert (after.state, left) == (FindingState.RESOLVED, 0)


def test_a_ledger_that_changed_its_past_without_a_finding_is_told() -> None:
    assert leftover(7, 9) == Difference(UNCLEAR, 7, None, 9)
    assert leftover(-7, 9) == Difference(SURPLUS, 7, None, 9)
