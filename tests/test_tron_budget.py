"""What following Tron at its head costs: within what a free provider gives away in a day."""

from __future__ import annotations

from contextlib import AsyncExitStack
from types import SimpleNamespace

import pytest

from chains.tvm.client import TronClient, read_here
from storage import Engine
from tests.chains.sandbox.tron import START, TRON, open_tron
from watcher import finality
from watcher.config import Settings
from watcher.daemon import build_policy, client_options
from watcher.follower import Follower

BLOCK_SECONDS, BLOCKS_A_DAY = 3, 28_800
LATE_SECONDS = 1.3  # until a provider has a new block
FREE_REQUESTS = 100_000
BLOCKS = 100


def make_settings(url: str) -> Settings:
    """A shop on Tron with everything as it is unless said otherwise."""
    return Settings(
        admin={"token": "an-admin-token-for-tests"},
        secrets={"key_file": "watcher.key"},
        networks={
            "tron": {
                "endpoints": [{"name": "a", "url": url}],
                "genesis_hash": "any",
                "start_block": 0,
            }
        },
    )


async def test_a_day_at_the_head_stays_within_what_is_free(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0  # seconds of a clock that only this story moves
    monkeypatch.setattr(finality, "time", SimpleNamespace(monotonic=lambda: now))
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(open_tron(wall=lambda: START + now))
        settings = make_settings(node.url)
        policy = build_policy(settings)
        options = client_options(settings, policy.networks[TRON.name])
        client = TronClient(TRON, options, read=read_here)
        stack.push_async_callback(client.close)
        follower = Follower(policy, TRON.name, client, engine, "test:1")

        def asked() -> int:
            [report] = client.endpoints()
            return report.requests_today

        async def follow(blocks: int) -> None:
            nonlocal now
            goal = node.chain.head.number + blocks
            while node.chain.head.number < goal:
                while node.chain.head.number * BLOCK_SECONDS + LATE_SECONDS <= now:
                    node.mine()
                pause = await follower._guarded_turn()
                assert pause is not None
                now += pause

        await follow(10)
        before = asked()
        await follow(BLOCKS)
        a_day = (asked() - before) * BLOCKS_A_DAY // BLOCKS
        assert follower.health.tip is not None
        assert follower.health.tip.number >= node.chain.head.number - 2
        assert BLOCKS_A_DAY * 2 < a_day < FREE_REQUESTS
