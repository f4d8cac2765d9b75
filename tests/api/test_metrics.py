"""What Prometheus is told, and who may ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

import storage
from storage import Engine
from tests.api.shop import ADMIN, FIRST, Shop, make_policy, open_shop, serve
from tests.api.test_admin import ENDPOINT, publish
from watcher.domain.deposits import DepositStatus
from watcher.domain.invoices import InvoiceStatus
from watcher.domain.money import Network
from watcher.metrics import PREFIX, Metrics

HERE = {"network": "ethereum"}
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scrape(shop: Shop) -> Samples:
    """Every sample, by name and labels."""
    answer = await shop.http.get("/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    families = text_string_to_metric_families(await answer.text())
    samples = [sample for family in families for sample in family.samples]
    found = {(each.name, frozenset(each.labels.items())): each.value for each in samples}
    assert len(found) == len(samples), "a sample is there twice"
    return found


def of(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((f"deposit_watcher_{name}", frozenset(labels.items())))


async def test_the_books_are_counted_by_status(shop: Shop) -> None:
    await shop.create(methods=["ethereum:usdt"])
    await shop.create()
    await shop.pay()
    samples = await scrape(shop)
    invoices = {each: of(samples, "invoices", status=each.value) for each in InvoiceStatus}
    assert invoices == {
        **dict.fromkeys(InvoiceStatus, 0),
        InvoiceStatus.AWAITING_PAYMENT: 1,
        InvoiceStatus.CONFIRMING: 1,
    }
    deposits = {each: of(samples, "deposits", status=each.value) for each in DepositStatus}
    assert deposits == {**dict.fromkeys(DepositStatus, 0), DepositStatus.PENDING: 1}
    assert of(samples, "database_up") == 1


async def test_a_network_is_told_as_its_follower_published_it(shop: Shop) -> None:
    await shop.mine(2)
    await shop.pass_time(0)
    bad = {**ENDPOINT, "state": "quarantined", "reason": "the receipts root is wrong"}
    await publish(shop, head=5, finalized=2, frozen="it went back", endpoints=[bad])
    samples = await scrape(shop)
    names = ("tip_number", "head_number", "lag_blocks", "finalized_number", "finality_frozen")
    assert [of(samples, name, **HERE) for name in names] == [3, 5, 2, 2, 1]
    age = of(samples, "tip_age_seconds", **HERE)
    assert age is not None
    assert 0 <= age < 60
    states = ("following", "stalled")
    assert [of(samples, "network_state", **HERE, state=each) for each in states] == [1, 0]
    assert of(samples, "endpoint_state", **HERE, endpoint="own", state="quarantined") == 1
    assert of(samples, "endpoint_requests_today", **HERE, endpoint="own") == 120
    assert of(samples, "endpoint_requests_budget", **HERE, endpoint="own") is None
    for alarm, subject in (
        ("finality_frozen", "ethereum"),
        ("endpoint_quarantined", "ethereum/own"),
    ):
        assert of(samples, "alarm", alarm=alarm, subject=subject) == 1
    assert of(samples, "alarm", alarm="network_stalled", subject="ethereum") is None


async def test_an_audit_that_ended_early_is_told(shop: Shop) -> None:
    assert of(await scrape(shop), "audit_ended_early", **HERE) is None
    for reason, told in (("not done in time", 1), (None, 0)):
        async with storage.write(shop.engine) as conn:
            run = storage.holdings.Run(100, 9, 3, reason, None)
            await storage.holdings.note_run(conn, Network("ethereum"), run)
        assert of(await scrape(shop), "audit_ended_early", **HERE) == told


async def test_what_is_not_known_is_left_out_rather_than_made_up(shop: Shop) -> None:
    samples = await scrape(shop)
    assert of(samples, "tip_number", **HERE) is None
    assert of(samples, "tip_age_seconds", **HERE) is None
    assert of(samples, "network_state", **HERE, state="starting") == 1


async def test_alarms_stand_in_the_status_too(shop: Shop) -> None:
    await publish(shop, state="halted", last_error="reorganised too deep")
    assert (await shop.get("/admin/status", ADMIN)).body["alarms"] == [
        {"alarm": "network_halted", "subject": "ethereum", "reason": "reorganised too deep"}
    ]


async def test_what_the_process_counted_is_told_beside_it(engine: Engine) -> None:
    metrics, policy = Metrics(), make_policy()
    metrics.delivered(True)
    async with serve(engine, policy, metrics=metrics) as http:
        samples = await scrape(await open_shop(engine, policy, http))
    assert of(samples, "webhook_tries_total", outcome="accepted") == 1


async def test_nothing_in_it_names_a_merchant_a_payment_or_a_place(shop: Shop) -> None:
    invoice = await shop.create(methods=["ethereum:usdt"], external_id="order-1")
    await shop.pay()
    await publish(shop)
    text = (await (await shop.http.get("/metrics")).text()).lower()
    [deposit] = (await shop.show(invoice))["deposits"]
    secrets = [shop.key, ADMIN, shop.merchant_id, invoice["id"], FIRST, deposit["tx_hash"]]
    assert [each for each in [*secrets, "order-1", "http://"] if each.lower() in text] == []


async def test_every_metric_is_documented(shop: Shop) -> None:
    text = await (await shop.http.get("/metrics")).text()
    told = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in text_string_to_metric_families(text)
        if family.name.startswith(PREFIX) and not family.name.endswith("_created")
    }
    page = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()
    assert [name for name in sorted(told) if f"`{name.removeprefix(PREFIX)[1:]}`" not in page] == []


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "Via"])
async def test_who_comes_through_a_proxy_needs_the_admin_token(shop: Shop, name: str) -> None:
    through: dict[str, Any] = {"headers": {name: "for=192.0.2.7"}}
    assert (await shop.http.get("/metrics", **through)).status == 401
    assert (await shop.ask("GET", "/metrics", "wrong", **through)).code == "unauthorized"
    token = {"Authorization": f"Bearer {ADMIN}", **through["headers"]}
    assert (await shop.http.get("/metrics", headers=token)).status == 200
