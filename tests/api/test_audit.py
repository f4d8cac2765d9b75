"""Findings of the audit over HTTP."""

from __future__ import annotations

from typing import Any

import storage
from chains.evm.address import CODEC
from tests.api.shop import ADMIN, Shop
from tests.factories import make_finding
from watcher.domain.audit import FindingKind, FindingState
from watcher.domain.money import Address, Method, Network

PATH = "/admin/audit/findings"
HOLDER = Address("0x" + "a1" * 20)


async def put(shop: Shop, *findings: Any) -> None:
    async with storage.write(shop.engine) as conn:
        await storage.findings.add(conn, findings)


def ether(key: str = "1", **facts: Any) -> Any:
    plain = {
        "network": Network("ethereum"),
        "method": Method("ethereum:eth"),
        "address": HOLDER,
        "units": 15 * 10**17,
    }
    return make_finding(key=key, **{**plain, **facts})


async def test_a_finding_is_shown_whole(shop: Shop) -> None:
    finding = ether()
    await put(shop, finding)
    answer = await shop.get(f"{PATH}/{finding.id}", key=ADMIN)
    assert answer.status == 200
    assert answer.body == {
        "id": finding.id,
        "object": "finding",
        "network": "ethereum",
        "method": "ethereum:eth",
        "asset": "ETH",
        "address": CODEC.show(HOLDER),
        "kind": "surplus",
        "has_code": None,
        "amount": "1.5",
        "amount_units": "1500000000000000000",
        "first_block": 9,
        "last_block": 9,
        "block_hash": f"0x{finding.block_hash}",
        "block_time": "1970-01-01T00:01:30Z",
        "explorer_url": answer.body["explorer_url"],
        "state": "open",
        "deposit_id": None,
        "found_at": "1970-01-01T00:01:40Z",
        "closed_at": None,
    }


async def test_findings_are_listed_by_page_and_state(shop: Shop) -> None:
    closed = ether("2", kind=FindingKind.OUTGOING, state=FindingState.NOTED)
    await put(shop, ether("1"), closed, ether("3"))
    first = (await shop.get(f"{PATH}?limit=2", key=ADMIN)).body
    assert [each["id"] for each in first["data"]] == [ether("3").id, closed.id]
    rest = (await shop.get(f"{PATH}?limit=2&after={first['next']}", key=ADMIN)).body
    assert ([each["id"] for each in rest["data"]], rest["next"]) == ([ether("1").id], None)
    noted = (await shop.get(f"{PATH}?state=noted", key=ADMIN)).body["data"]
    assert [each["id"] for each in noted] == [closed.id]
    assert (await shop.get(f"{PATH}?network=tron", key=ADMIN)).body["data"] == []


async def test_a_finding_is_dismissed_once(shop: Shop) -> None:
    finding = ether()
    await put(shop, finding)
    answer = await shop.post(f"{PATH}/{finding.id}/dismiss", key=ADMIN)
    assert (answer.status, answer.body["state"]) == (200, "dismissed")
    answer = await shop.post(f"{PATH}/{finding.id}/dismiss", key=ADMIN)
    assert (answer.status, answer.body["code"]) == (409, "not_open")


async def test_what_cannot_be_accepted_is_refused(shop: Shop) -> None:
    finding = ether(kind=FindingKind.UNCLEAR)
    await put(shop, finding)
    answer = await shop.post(f"{PATH}/{finding.id}/accept", key=ADMIN)
    assert (answer.status, answer.body["code"]) == (409, "not_open")
    answer = await shop.post(f"{PATH}/fnd_none/accept", key=ADMIN)
    assert (answer.status, answer.body["code"]) == (404, "not_found")


async def test_only_the_operator_sees_findings(shop: Shop) -> None:
    for method, path in (("get", ""), ("get", "/x"), ("post", "/x/accept"), ("post", "/x/dismiss")):
        answer = await getattr(shop, method)(f"{PATH}{path}")
        assert answer.status == 401


async def test_a_wrong_filter_is_refused(shop: Shop) -> None:
    assert (await shop.get(f"{PATH}?state=none", key=ADMIN)).status == 422


async def test_the_status_counts_what_is_open(shop: Shop) -> None:
    await put(shop, ether("1"), ether("2", state=FindingState.DISMISSED))
    async with storage.write(shop.engine) as conn:
        run = storage.holdings.Run(100, 9, 3, "short of requests", None)
        await storage.holdings.note_run(conn, Network("ethereum"), run)
        await storage.chores.claim(conn, "audit", 900)
    body = (await shop.get("/admin/status", key=ADMIN)).body
    audit = body["audit"]
    assert (audit["findings"], audit["last_run"]) == (1, "1970-01-01T00:01:40Z")
    assert audit["networks"][0] == {
        "network": "ethereum",
        "last_run": "1970-01-01T00:01:40Z",
        "block": 9,
        "addresses": 3,
        "reason": "short of requests",
    }
    [chore] = body["chores"]
    assert (chore["name"], chore["last_ok"], chore["failures"]) == ("audit", None, 0)
