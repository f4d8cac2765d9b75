"""The operator's status, and what a supervisor asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

import storage
from storage import Engine
from tests.api.shop import ADMIN, DAI, ETHEREUM, Shop, make_policy, open_shop, serve
from watcher import wallets
from watcher.clock import now
from watcher.domain.blocks import BlockRef
from watcher.health import Health

NUMBER, NULL = (int, float), type(None)
ENDPOINT = {
    "name": "own",
    "state": "healthy",
    "head": 7,
    "latency_p50_ms": 3,
    "latency_p99_ms": 9,
    "requests_today": 120,
    "daily_requests": None,
    "forecast_today": 7300,
    "errors_1h": 0,
    "reason": None,
}
SHAPE: Mapping[str, Any] = {  # contract.md 6: every key and its type
    "version": str,
    "livemode": bool,
    "started_at": str,
    "database": {"engine": str, "ok": bool, "schema": str},
    "networks": [
        {
            "network": str,
            "state": str,
            "tip": {"number": int, "hash": str, "age_seconds": int},
            "head": int,
            "lag_blocks": int,
            "finalized": {"number": (int, NULL), "frozen": bool, "reason": (str, NULL)},
            "agreement": {"waiting": int, "reason": (str, NULL)},
            "blocks_per_second": NUMBER,
            "catch_up_eta_seconds": (int, NULL),
            "last_error": (str, NULL),
            "errors_1h": int,
            "leader": str,
            "reorgs_24h": {"count": int, "deepest": int},
            "endpoints": [
                {
                    "name": str,
                    "state": str,
                    "head": int,
                    "latency_ms": {"p50": int, "p99": int},
                    "requests_today": int,
                    "daily_requests": (int, NULL),
                    "forecast_today": int,
                    "errors_1h": int,
                    "quarantined": (str, NULL),
                    "traces": (bool, NULL),
                }
            ],
        }
    ],
    "invoices": {"open": int, "delayed": int},
    "deposits": {"pending": int, "unmatched": int},
    "wallets": [{"merchant_id": str, "family": str, "kind": str, "left": (int, NULL)}],
    "webhooks": {"pending": int, "failing": int, "dead": int, "oldest_seconds": int},
    "audit": {"last_run": (str, NULL), "findings": int},
    "alarms": [{"alarm": str, "subject": str, "reason": str}],
    "chores": [],
}


def misfits(value: Any, shape: Any, where: str = "") -> list[str]:
    """Where `value` lacks a key of `shape` or holds another type."""
    if isinstance(shape, Mapping):
        lacking = [f"{where}.{key}" for key in shape if key not in value]
        inner = (misfits(value[k], s, f"{where}.{k}") for k, s in shape.items() if k in value)
        return lacking + [each for found in inner for each in found]
    if isinstance(shape, list):
        if not shape:
            return [] if value == [] else [where]
        return ([] if value else [where]) + [
            each for part in value for each in misfits(part, shape[0], where)
        ]
    return [] if isinstance(value, shape) else [where]


async def publish(shop: Shop, *, at: int | None = None, **said: Any) -> None:
    """A follower's report, as one that does well gives it but for what is `said`."""
    health = Health()
    tip = shop.chain.tip
    health.connected(BlockRef(tip.number, tip.hash, tip.parent_hash, tip.timestamp), 1)
    health.head = tip.number
    report = {**health.report("host:1"), "endpoints": [ENDPOINT], **said}
    async with storage.write(shop.engine) as conn:
        await storage.health.publish(conn, ETHEREUM, report, now() if at is None else at)


async def status(shop: Shop) -> dict[str, Any]:
    answer = await shop.get("/admin/status", ADMIN)
    assert answer.status == 200
    return dict(answer.body)


async def test_the_status_has_every_key_of_the_contract(shop: Shop) -> None:
    await shop.create(methods=["ethereum:usdt"])
    await shop.mine(3)
    await publish(shop)
    assert misfits(await status(shop), SHAPE) == []


async def test_the_status_shows_what_the_follower_published(shop: Shop) -> None:
    await shop.mine(2)
    await shop.pass_time(0)
    await publish(shop, head=5, finalized=2, frozen="no endpoint told")
    [row] = (await status(shop))["networks"]
    assert (row["network"], row["state"], row["leader"]) == ("ethereum", "following", "host:1")
    assert row["tip"]["hash"] == f"0x{shop.chain.tip.hash}"
    assert (row["tip"]["number"], row["head"], row["lag_blocks"]) == (3, 5, 2)
    assert row["finalized"] == {"number": 2, "frozen": True, "reason": "no endpoint told"}
    assert row["endpoints"][0]["latency_ms"] == {"p50": 3, "p99": 9}
    assert "one endpoint decides" in row["warnings"][0]


async def test_a_quarantined_endpoint_shows_its_reason(shop: Shop) -> None:
    bad = {**ENDPOINT, "state": "quarantined", "reason": "the receipts root is wrong"}
    await publish(shop, endpoints=[bad])
    [row] = (await status(shop))["networks"]
    assert row["endpoints"][0]["quarantined"] == "the receipts root is wrong"


async def test_the_status_counts_what_is_open_and_what_waits(shop: Shop) -> None:
    await shop.create(methods=["ethereum:usdt"])
    await shop.create()
    assert (await status(shop))["invoices"] == {"open": 2, "delayed": 2}
    await shop.pay(units=10**18, method=DAI)
    await shop.pass_time(0)
    shown = await status(shop)
    assert shown["invoices"] == {"open": 2, "delayed": 0}
    assert shown["deposits"] == {"pending": 1, "unmatched": 1}


async def test_the_status_shows_what_is_left_in_a_pool(shop: Shop) -> None:
    pool = [f"0x{number:040x}" for number in range(1, 4)]
    async with storage.write(shop.engine) as conn:
        codec = shop.policy.networks[ETHEREUM].spec.codec
        await wallets.add_pool(
            conn, shop.merchant_id, shop.policy.families[ETHEREUM], codec, pool, now() + 1
        )
    await shop.create(methods=["ethereum:usdt"])
    shown = (await status(shop))["wallets"]
    assert [(each["kind"], each["left"]) for each in shown] == [("xpub", None), ("pool", 2)]


async def test_a_process_that_lives_says_so(shop: Shop) -> None:
    answer = await shop.get("/healthz", "")
    assert (answer.status, answer.body) == (200, {"ok": True})


async def test_a_followed_network_is_ready(shop: Shop) -> None:
    await shop.mine()
    await shop.pass_time(0)
    await publish(shop)
    answer = await shop.get("/readyz", "")
    assert (answer.status, answer.body) == (200, {"ready": True, "reasons": []})


@pytest.mark.parametrize(
    ("said", "state", "reason"),
    [
        (
            {"state": "halted", "last_error": "ethereum: reorganised too deep"},
            "halted",
            "ethereum is halted: ethereum: reorganised too deep",
        ),
        (
            {"progress_at": 0},
            "stalled",
            "ethereum is stalled: no new block for too long",
        ),
        (
            {"progress_at": 0, "last_error": "own: timeout"},
            "stalled",
            "ethereum is stalled: own: timeout",
        ),
        ({"at": 0}, "stalled", "ethereum is stalled: no process follows it"),
    ],
)
async def test_who_is_not_ready_says_why(
    shop: Shop, said: dict[str, Any], state: str, reason: str
) -> None:
    await publish(shop, **said)
    answer = await shop.get("/readyz", "")
    assert (answer.status, answer.body) == (503, {"ready": False, "reasons": [reason]})
    assert (await status(shop))["networks"][0]["state"] == state


async def test_a_network_whose_newest_block_is_old_is_not_ready(shop: Shop) -> None:
    await shop.mine()
    await shop.pass_time(-3600)
    await publish(shop)
    answer = await shop.get("/readyz", "")
    assert (answer.status, answer.body["reasons"]) == (
        503,
        ["ethereum is stalled: no new block for too long"],
    )


async def test_a_network_that_nobody_ever_followed_is_not_ready(engine: Engine) -> None:
    policy = make_policy()
    async with serve(engine, policy, started_at=now() - 60) as http:
        shop = await open_shop(engine, policy, http)
        answer = await shop.get("/readyz", "")
    assert (answer.status, answer.body["reasons"]) == (
        503,
        ["ethereum is stalled: no process follows it"],
    )


async def test_a_network_that_just_starts_does_not_alarm(shop: Shop) -> None:
    assert (await shop.get("/readyz", "")).status == 200
    assert (await status(shop))["networks"][0]["state"] == "starting"
