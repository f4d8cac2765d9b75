"""A real node behind a bad endpoint: no payment is lost, none is believed, and the fault shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import storage
from chains import health as endpoint_health
from tests import proxy as faults
from tests.anvil import Anvil
from tests.factories import ADDRESS
from tests.proxy import Call, Fault, Proxy
from tests.real.shop import DUE, ETHEREUM, TETHER, Desk, Shop, open_desk, run_shop, until
from tests.world import the_invoice, told
from watcher import policy
from watcher.domain.invoices import InvoiceStatus

BLOCK, RECEIPTS = "eth_getBlockByNumber", "eth_getBlockReceipts"
PAID = ["deposit.detected", "invoice.confirming", "deposit.confirmed", "invoice.paid"]


def thousandfold(receipts: list[dict[str, Any]]) -> None:
    """Put another amount into every log."""
    for log in (log for receipt in receipts for log in receipt["logs"]):
        log["data"] = f"0x{1000 * int(log['data'], 16):064x}"


@dataclass(frozen=True)
class Bad:
    """A way to fail, and how the operator sees it."""

    fault: Fault
    methods: tuple[str, ...]
    state: str
    reason: str


BAD = [
    pytest.param(Bad(faults.status(429), (BLOCK,), "waiting", "HTTP 429"), id="refuses"),
    pytest.param(Bad(faults.result(None), (RECEIPTS,), "waiting", "receipts"), id="null"),
    pytest.param(Bad(faults.lag(3), (), "lagging", "behind"), id="lags"),
    pytest.param(Bad(faults.result([]), (RECEIPTS,), "quarantined", "0 receipts"), id="empty"),
    pytest.param(
        Bad(faults.alter(thousandfold), (RECEIPTS,), "quarantined", "receiptsRoot"), id="amount"
    ),
    pytest.param(
        Bad(faults.result("0x89"), ("eth_chainId",), "quarantined", "chain id 137"), id="stranger"
    ),
    pytest.param(Bad(faults.html(), (), "waiting", "not JSON-RPC"), id="HTML"),
    pytest.param(Bad(faults.cut(), (), "waiting", "cut short"), id="cuts"),
]


def pay(anvil: Anvil) -> None:
    """A payment with as many blocks on top as it needs."""
    anvil.send_token(TETHER, ADDRESS, DUE)
    anvil.mine(3)


async def until_paid(shop: Shop) -> None:
    """Paid, by one deposit, told of once."""

    async def paid() -> bool:
        return (await the_invoice(shop.engine)).status is InvoiceStatus.PAID

    await until(paid, "the invoice is paid")
    assert await told(shop.engine) == PAID
    assert (await the_invoice(shop.engine)).seen == 1


async def until_seen(desk: Desk, bad: Bad) -> None:
    """The endpoint `a` shows with the right reason."""

    async def seen() -> bool:
        row = await desk.endpoint("a")
        return row.get("state") == bad.state and bad.reason in row["reason"]

    await until(seen, f"the endpoint is {bad.state}: {bad.reason}")


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("bad", BAD)
async def test_a_payment_comes_by_the_other_endpoint_and_the_bad_one_shows(
    anvil: Anvil, proxy: Proxy, tmp_path: Path, sqlite_url: str, bad: Bad
) -> None:
    proxy.fail(bad.fault, *bad.methods)
    async with (
        run_shop(tmp_path, sqlite_url, proxy.url, anvil.url, agreement=1) as shop,
        open_desk(shop) as desk,
    ):
        pay(anvil)
        await until_seen(desk, bad)
        await until_paid(shop)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("bad", BAD)
async def test_a_sole_bad_endpoint_is_not_believed_and_its_payment_comes_when_it_heals(
    anvil: Anvil,
    proxy: Proxy,
    tmp_path: Path,
    sqlite_url: str,
    monkeypatch: pytest.MonkeyPatch,
    bad: Bad,
) -> None:
    monkeypatch.setattr(endpoint_health, "QUARANTINE_SECONDS", 0.1)
    monkeypatch.setattr(endpoint_health, "QUARANTINE_CAP", 0.1)
    async with run_shop(tmp_path, sqlite_url, proxy.url) as shop, open_desk(shop) as desk:
        proxy.fail(bad.fault, *bad.methods)
        pay(anvil)
        if bad.state != "lagging":  # who is alone lags behind nobody
            await until_seen(desk, bad)
        asked = proxy.calls.total()

        async def asked_on() -> bool:
            return proxy.calls.total() > asked + 10

        await until(asked_on, "it is asked again and again")
        assert await told(shop.engine) == []
        proxy.heal()
        await until_paid(shop)


@pytest.mark.usefixtures("hurried")
async def test_a_block_refused_25_times_is_waited_for_and_nothing_after_it_comes_first(
    anvil: Anvil, proxy: Proxy, tmp_path: Path, db_url: str
) -> None:
    refused: list[int] = []
    tips: list[int] = []
    async with run_shop(tmp_path, db_url, proxy.url) as shop, open_desk(shop):

        async def refuse(call: Call) -> web.StreamResponse:
            refused.append(int(call.params[0], 16))
            async with storage.read(shop.engine) as conn:
                tips.append((await storage.cursors.tips(conn))[ETHEREUM].number)
            return await faults.status(429)(call)

        proxy.fail(refuse, BLOCK, block=1, times=25)
        pay(anvil)
        await until_paid(shop)
    assert refused == [1] * 25
    assert set(tips) == {0}


@pytest.mark.usefixtures("hurried")
async def test_where_two_must_agree_a_deposit_waits_for_the_one_that_is_away(
    anvil: Anvil, proxy: Proxy, tmp_path: Path, sqlite_url: str
) -> None:
    async with run_shop(tmp_path, sqlite_url, anvil.url, proxy.url) as shop, open_desk(shop):
        proxy.fail(faults.status(503))
        pay(anvil)

        async def confirming() -> bool:
            return (await the_invoice(shop.engine)).status is InvoiceStatus.CONFIRMING

        await until(confirming, "the payment is seen")
        asked = proxy.calls.total()

        async def asked_on() -> bool:
            return proxy.calls.total() > asked + 3

        await until(asked_on, "the second endpoint is asked again")
        assert await told(shop.engine) == PAID[:2]
        proxy.heal()
        await until_paid(shop)


@pytest.mark.usefixtures("hurried")
async def test_an_endpoint_whose_chain_is_another_is_never_asked_for_a_block(
    anvil: Anvil, tmp_path: Path, sqlite_url: str
) -> None:
    with Anvil(chain_id=137) as stranger:
        stranger.put_token(TETHER)
        pay(stranger)
        async with (
            Proxy(stranger.url) as proxy,
            run_shop(tmp_path, sqlite_url, proxy.url, anvil.url, agreement=1) as shop,
            open_desk(shop) as desk,
        ):
            anvil.mine(5)

            async def read_all() -> bool:
                row = await desk.network()
                return bool(row["tip"]["number"] == 5)

            await until(read_all, "the true chain is read")
            assert await told(shop.engine) == []
            assert proxy.calls[RECEIPTS] == 0


@pytest.mark.usefixtures("hurried")
async def test_a_network_that_stands_still_for_too_long_is_not_ready_and_says_why(
    anvil: Anvil, proxy: Proxy, tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "STALLED_SECONDS", 12)
    monkeypatch.setattr(policy, "STALLED_PACES", 0)
    proxy.fail(faults.status(503))
    async with run_shop(tmp_path, sqlite_url, proxy.url) as shop, open_desk(shop) as desk:

        async def known() -> bool:
            return "HTTP 503" in ((await desk.network())["last_error"] or "")

        await until(known, "the reason shows")
        assert await desk.ready() == (200, [])

        async def stalled() -> list[str] | None:
            status, reasons = await desk.ready()
            return reasons if status == 503 else None

        [reason] = await until(stalled, "the network is stalled")
        assert reason.startswith("ethereum is stalled: ")
        assert "HTTP 503" in reason
        proxy.heal()
        anvil.mine()

        async def ready() -> bool:
            return await desk.ready() == (200, [])

        await until(ready, "it is ready again")
