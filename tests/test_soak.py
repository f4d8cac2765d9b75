"""The soak in short: `make soak` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.lives import Plan, live

SEED = 20_261_122


@pytest.mark.timeout(300)  # of a machine that has more to do
async def test_each_deposit_of_the_final_chains_counts_once_whatever_happened_meanwhile(
    tmp_path: Path, db_url: str
) -> None:
    found = await live(tmp_path, db_url, Plan(SEED, kills=2, payments=60))
    assert found.deposits > 20
    assert found.happened["reorgs"] > 0
    assert found.struck.total() > 0
