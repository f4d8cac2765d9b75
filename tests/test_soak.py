"""The soak in short: `make soak` is the long one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.faults import KINDS
from tests.soak.lives import Plan, live
from tests.soak.verdict import Found, unreached

SEED = 20_261_122


def make_found(**facts: Any) -> Found:
    """What a run met that met everything; `facts` are fields by name."""
    happened = Counter({"payments": 1000, "reorgs": 9, "branches": 9})
    whole = Found(900, 40, 500, 5000, Counter(), happened, Counter(KINDS), killed=100)
    return replace(whole, **facts)


def test_a_run_that_met_everything_lacks_nothing() -> None:
    assert unreached(make_found(), 100, 1000) == []


def test_fewer_kills_or_payments_than_asked_for_are_told() -> None:
    short = make_found(killed=99, happened=Counter({"payments": 7, "reorgs": 1, "branches": 1}))
    assert unreached(short, 100, 1000) == ["99 of 100 kills", "7 of 1000 payments"]


def test_a_long_run_that_met_no_orphan_or_not_every_fault_is_told() -> None:
    calm = make_found(orphaned=0, struck=Counter(KINDS[1:]), happened=Counter(payments=1000))
    assert unreached(calm, 100, 1000) == [
        f"no fault of kind {KINDS[0]} struck",
        "no reorgs",
        "no branches",
        "no orphaned deposit",
    ]
    assert unreached(calm, 2, 60) == []


@pytest.mark.timeout(300)  # of a machine that has more to do
async def test_each_deposit_of_the_final_chains_counts_once_whatever_happened_meanwhile(
    tmp_path: Path, db_url: str
) -> None:
    found = await live(tmp_path, db_url, Plan(SEED, kills=2, payments=60))
    assert found.deposits > 20
    assert found.happened["reorgs"] > 0
    assert found.struck.total() > 0
