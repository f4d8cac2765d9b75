"""What `doctor` says of budgets, and what to do about what is not well."""

from __future__ import annotations

import pytest

import storage
from chains.base import EndpointReport
from storage import Engine
from storage.holdings import Run
from tests.factories import NETWORK
from tests.fakes import FakeChain
from tests.world import make_policy
from watcher.domain.money import Network
from watcher.operate import Finding, examine, examine_audit

NEEDED = 17_280  # two calls for a block each ten seconds


def report(name: str, budget: int | None) -> EndpointReport:
    return EndpointReport(name, "new", None, None, None, 0, budget, 0, 0, None)


async def found(*budgets: int | None) -> list[bool | None]:
    """How the budgets of endpoints a, b, … do."""
    chain, policy = FakeChain(), make_policy()
    chain.reports = [report(name, each) for name, each in zip("abc", budgets, strict=False)]
    [network] = policy.networks
    findings = await examine(policy, {network: chain})
    return [each.ok for each in findings if each.check == "budget"]


@pytest.mark.parametrize(
    ("budgets", "told"),
    [
        pytest.param([None], [], id="none"),
        pytest.param([NEEDED], [True], id="enough"),
        pytest.param([NEEDED - 1], [False], id="too little, and nobody else"),
        pytest.param([NEEDED - 1, 1], [None, None], id="enough together"),
        pytest.param([1, None], [None], id="another without a budget"),
        pytest.param([1, 2], [False, False], id="too little together"),
    ],
)
async def test_what_endpoints_may_be_asked_in_a_day_must_do_for_its_blocks(
    budgets: list[int | None], told: list[bool | None]
) -> None:
    assert await found(*budgets) == told


@pytest.mark.parametrize("check", ["chain", "head", "token USDT", "internal TRX", "budget"])
def test_what_is_not_well_says_what_to_do(check: str) -> None:
    assert Finding("tron/a", check, False, "why").remedy
    assert Finding("tron/a", check, None, "why").remedy
    assert Finding("tron/a", check, True, "fine").remedy is None


async def test_how_the_newest_audit_ended_is_told(engine: Engine) -> None:
    policy = make_policy((NETWORK, Network("tron")))
    runs = {
        NETWORK: Run(100, 5, 20, "not done within 840 s", None),
        Network("tron"): Run(100, 5, 7, None, None),
        Network("amoy"): Run(100, 5, 7, "not enabled any more", None),
    }
    async with storage.write(engine) as conn:
        for network, run in runs.items():
            await storage.holdings.note_run(conn, network, run)
    async with storage.read(engine) as conn:
        told = await examine_audit(conn, policy)
    assert [(each.where, each.ok, each.detail) for each in told] == [
        (NETWORK, None, "the newest compared 20 addresses, and ended early: not done within 840 s"),
        ("tron", True, "the newest compared 7 addresses"),
    ]
