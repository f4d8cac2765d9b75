"""Stories of an endpoint that lied, or left the others' chain: how it gets its place again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from structlog.testing import capture_logs

from chains import endpoints, health
from storage import Engine
from tests.test_forgers import ROWS, client_of, follower_of, open_invoice, policy_of
from tests.world import catch_up
from watcher import finality
from watcher.domain.blocks import BlockRef


@pytest.fixture(autouse=True)
def _terms_end_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finality, "ASK_SECONDS", 0)
    monkeypatch.setattr(endpoints, "ALONE_SECONDS", 0.0)
    for name in ("QUARANTINE_SECONDS", "QUARANTINE_CAP", "FORK_SECONDS", "FORK_CAP"):
        monkeypatch.setattr(health, name, 0.0)


@pytest.fixture(params=ROWS, ids=["ethereum", "polygon", "tron"])
async def nodes(request: pytest.FixtureRequest) -> AsyncIterator[list[Any]]:
    """Three nodes of one chain, with payments in blocks 30 and 31."""
    async with AsyncExitStack() as stack:
        rows = [await stack.enter_async_context(request.param.open()) for _ in range(3)]
        for each in rows:
            each.mine(29)
            for _ in range(2):  # a lie shows in blocks with transactions alone
                each.pay(100)
            each.mine(4)
        yield rows


def told(client: Any) -> list[str]:
    return [each.state for each in client.endpoints()]


async def block(client: Any, number: int) -> BlockRef:
    found = await client.block(number)
    assert found is not None
    return found.ref


async def test_who_lied_is_tried_by_one_block_and_has_its_place_again(nodes: list[Any]) -> None:
    liar, true, _ = nodes
    client = client_of(liar, true)
    liar.faults.lie = "other amount"
    await block(client, 31)
    assert told(client) == ["quarantined", "healthy"]
    await client.survey()
    assert told(client) == ["quarantined", "healthy"]

    liar.faults.lie = None
    await block(client, 31)
    assert told(client) == ["healthy", "healthy"]
    true.faults.status = 503
    assert (await client.head()).number == 35
    await client.close()


async def test_who_lies_when_tried_stays_and_spoils_no_block(nodes: list[Any]) -> None:
    liar, true, _ = nodes
    client = client_of(liar, true)
    liar.faults.lie = "other amount"
    for number in (31, 32, 32):
        assert (await block(client, number)).number == number
    assert told(client) == ["quarantined", "healthy"]
    await client.close()


async def test_who_is_tried_and_does_not_answer_stays_and_spoils_no_block(nodes: list[Any]) -> None:
    liar, true, _ = nodes
    client = client_of(liar, true)
    liar.faults.lie = "other amount"
    await block(client, 31)
    liar.faults.lie, liar.faults.status = None, 503
    assert (await block(client, 31)).number == 31
    assert told(client) == ["quarantined", "healthy"]
    await client.close()


async def test_a_fork_of_one_endpoint_of_three_is_one_outage_at_most(
    nodes: list[Any], engine: Engine
) -> None:
    alone, *true = nodes
    await open_invoice(engine, alone.spec, alone.shop, alone.coin.method)
    client = client_of(*nodes)
    async with follower_of(engine, client, policy_of(alone.spec, 2)) as follower:
        await catch_up(follower)
        alone.reorg(5, 40)
        with capture_logs() as lines:
            for _ in range(8):
                for each in true:
                    each.mine()
                await follower._guarded_turn()
        assert [line["event"] for line in lines] == ["outage begins", "outage ends"]
        assert told(client) == ["forked", "healthy", "healthy"]
        [reason, *_] = (each.reason for each in client.endpoints())
        assert reason == "its block 35 is not the one that 2 others have"


async def test_who_is_always_a_little_behind_is_tried_by_a_block_that_it_has(
    nodes: list[Any],
) -> None:
    alone, *true = nodes
    client = client_of(*nodes)
    common = await block(client, 35)
    alone.reorg(3, 3)
    assert len(await client.corroborate(common, ())) == 2
    for each in true:
        each.reorg(3, 3)  # the others come, too
        each.mine()
        each.mine()
    await client.survey()
    await block(client, 37)
    for each in nodes:
        each.mine()
    await client.survey()
    assert [each.head for each in client.endpoints()] == [36, 38, 38]
    await block(client, 38)
    assert told(client) == ["healthy", "healthy", "healthy"]
    await client.close()


async def test_who_comes_back_from_its_fork_has_its_place_again(nodes: list[Any]) -> None:
    alone, *true = nodes
    client = client_of(*nodes)
    common = await block(client, 35)
    alone.reorg(5, 7)
    assert len(await client.corroborate(common, ())) == 2
    assert told(client) == ["waiting", "healthy", "healthy"]
    for each in true:
        each.mine()
    await block(client, 36)
    assert told(client) == ["forked", "healthy", "healthy"]
    await block(client, 31)  # at which it had not left them yet
    await client.survey()
    assert told(client) == ["forked", "healthy", "healthy"]

    for each in true:
        each.reorg(6, 7)
    await block(client, 37)
    assert told(client) == ["healthy", "healthy", "healthy"]
    await client.close()
