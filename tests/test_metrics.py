"""What a process counts: by its endpoints' requests and its followers' steps."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from prometheus_client import generate_latest

from chains.base import ChainError, ChainUnavailable, EndpointRefused, RateLimited
from chains.endpoints import EndpointPool
from storage import Engine, close, open_engine
from tests.chains.test_endpoints import Node, Time, identify, settings_of, yes
from tests.factories import NETWORK, make_transfer
from tests.fakes import FakeChain
from tests.world import catch_up, make_policy, open_shop
from watcher.domain.money import Network
from watcher.follower import Follower
from watcher.metrics import Metrics

TRON = Network("tron")


@pytest.fixture
async def sqlite_engine(sqlite_url: str) -> AsyncIterator[Engine]:
    engine = open_engine(sqlite_url)
    yield engine
    await close(engine)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"deposit_watcher_{name}", labels)


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (None, "ok"),
        (ChainUnavailable("503"), "unavailable"),
        (RateLimited("429"), "rate_limited"),
        (EndpointRefused("401"), "refused"),
    ],
)
async def test_a_request_is_counted_by_how_it_ended(fault: ChainError | None, outcome: str) -> None:
    metrics, time = Metrics(), Time()
    node = Node(faults=[fault] if fault else [], seconds=2.0, time=time)
    pool = EndpointPool(
        settings_of(1), lambda _: node, identify, time.clock(), observer=metrics.of(TRON)
    )
    if fault is None:
        await pool.ask(yes)
    else:
        with pytest.raises(ChainUnavailable):
            await pool.ask(yes)
    of = {"network": "tron", "endpoint": "a"}
    assert value(metrics, "rpc_requests_total", **of, method="ask", outcome=outcome) == 1
    assert value(metrics, "rpc_requests_total", **of, method="identify", outcome="ok") == 1
    assert value(metrics, "rpc_seconds_count", **of) == 2
    assert value(metrics, "rpc_seconds_sum", **of) == 4


async def test_a_request_that_a_spent_budget_forbids_is_none() -> None:
    metrics = Metrics()
    pool = EndpointPool(
        settings_of(1, daily=1), lambda _: Node(), identify, observer=metrics.of(TRON)
    )
    with pytest.raises(ChainUnavailable, match="spent"):
        await pool.ask(yes)  # to identify it spends the day
    of = {"network": "tron", "endpoint": "a", "outcome": "unavailable"}
    assert value(metrics, "rpc_requests_total", **of, method="ask") is None


async def test_steps_count_blocks_transfers_and_reorgs(sqlite_engine: Engine) -> None:
    chain, metrics = FakeChain(), Metrics()
    await open_shop(sqlite_engine)
    follower = Follower(make_policy(), NETWORK, chain, sqlite_engine, "test:1", metrics.of(NETWORK))
    chain.mine(make_transfer(100), make_transfer(5, position="log/1"))
    chain.mine()
    chain.mine()
    await catch_up(follower)
    counted = {"network": NETWORK}
    assert value(metrics, "blocks_total", **counted) == 4
    assert value(metrics, "transfers_total", **counted) == 2
    assert value(metrics, "reorgs_total", **counted) == 0

    chain.reorg(2)
    chain.mine()
    chain.mine()
    chain.mine()
    await catch_up(follower)
    assert value(metrics, "reorgs_total", **counted) == 1
    assert value(metrics, "reorged_blocks_total", **counted) == 2
    assert value(metrics, "blocks_total", **counted) == 7
    steps = value(metrics, "step_seconds_count", **counted)
    assert steps is not None
    assert 0 < steps <= 7


def test_two_processes_in_one_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.of(TRON).connected(1, 1, 0.1)
    other.of(TRON)
    assert value(other, "blocks_total", network="tron") == 0
    assert b"deposit_watcher_blocks_total" in generate_latest(one.registry)
