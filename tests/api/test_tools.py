"""The operator's tools over HTTP: explain a transaction, read blocks again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from storage import Engine
from tests.api.shop import (
    ADMIN,
    BEHIND,
    ETHEREUM,
    FIRST,
    USDT,
    Answer,
    Shop,
    make_policy,
    open_shop,
    serve,
)
from tests.factories import make_hash, make_transfer
from tests.fakes import FakeChain
from watcher import finality, rescan
from watcher.clock import now
from watcher.domain.money import Address

TX = f"0x{make_hash('tx1')}"
RESCAN = "/admin/networks/ethereum/rescan"
EXPLAIN = f"/admin/networks/ethereum/transactions/{TX}"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finality, "ASK_SECONDS", 0)
    monkeypatch.setattr(rescan, "PAUSES", ())


@pytest.fixture
async def shop(engine: Engine) -> AsyncIterator[Shop]:
    chain, policy = FakeChain(start=now() - BEHIND), make_policy()
    async with serve(engine, policy, clients={ETHEREUM: chain}) as http:
        opened = await open_shop(engine, policy, http)
        opened.chain = chain
        yield opened


async def missed(shop: Shop) -> str:
    """Pay an invoice with a token that is not looked for, and list it; the invoice's id."""
    invoice = await shop.create(methods=[USDT])
    shop.chain.unlisted.add(USDT)
    await shop.pay()
    shop.chain.unlisted.clear()
    return str(invoice["id"])


async def ended(shop: Shop) -> Answer:
    """The progress of a rescan that is over."""
    for _ in range(200):
        answer = await shop.get(RESCAN, ADMIN)
        if answer.body["state"] != "running":
            return answer
        await asyncio.sleep(0.02)
    raise AssertionError("it never ended")


async def test_a_transaction_is_explained(shop: Shop) -> None:
    invoice = await shop.create(methods=[USDT])
    await shop.pay()
    answer = await shop.get(EXPLAIN, ADMIN)
    assert answer.status == 200
    [move] = answer.body["moves"]
    assert (answer.body["tx_hash"], answer.body["state"]) == (TX, "in_our_chain")
    assert (move["verdict"], move["to"]) == ("deposit", FIRST)
    assert move["invoice_id"] == invoice["id"]
    assert [each["id"] for each in answer.body["deposits"]] == [move["deposit_id"]]


async def test_a_rescan_adds_what_is_missing_and_shows_its_progress(shop: Shop) -> None:
    id = await missed(shop)
    begun = await shop.post(RESCAN, {"from": 0}, ADMIN)
    assert (begun.status, begun.body["to"], begun.body["error"]) == (202, 1, None)
    over = (await ended(shop)).body
    assert (over["state"], over["blocks_done"], len(over["added"])) == ("done", 2, 1)
    assert (await shop.show({"id": id}))["status"] == "confirming"

    await shop.post(RESCAN, {"from": 0, "to": 1}, ADMIN)
    assert (await ended(shop)).body["added"] == []


async def test_a_rescan_that_cannot_go_on_says_why(shop: Shop) -> None:
    await missed(shop)
    shop.chain.down = True
    assert (await shop.post(RESCAN, {"from": 0}, ADMIN)).status == 202
    over = (await ended(shop)).body
    assert (over["state"], over["error"], over["blocks_done"]) == ("failed", "down", 0)


async def test_one_rescan_at_a_time_for_each_network(shop: Shop, monkeypatch) -> None:
    await missed(shop)
    shop.chain.down = True
    monkeypatch.setattr(rescan, "PAUSES", (20.0,))
    assert (await shop.post(RESCAN, {"from": 0}, ADMIN)).status == 202
    second = await shop.post(RESCAN, {"from": 0}, ADMIN)
    assert (second.status, second.code) == (409, "busy")
    assert (await shop.get(RESCAN, ADMIN)).body["state"] == "running"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "from"),
        ({"from": -1}, "from"),
        ({"from": "0"}, "from"),
        ({"from": 1, "to": 0}, "from"),
        ({"from": 0, "to": 99}, "to"),
        ({"from": 0, "until": 1}, "until"),
    ],
)
async def test_a_span_that_cannot_be_names_the_field(shop: Shop, body: object, field: str) -> None:
    await shop.mine()
    answer = await shop.post(RESCAN, body, ADMIN)
    assert (answer.status, answer.code, answer.fields) == (422, answer.code, [field])
    assert (await shop.get(RESCAN, ADMIN)).status == 404


async def test_what_is_no_hash_and_no_network_is_refused(shop: Shop) -> None:
    bad = await shop.get("/admin/networks/ethereum/transactions/0x12", ADMIN)
    assert (bad.status, bad.fields) == (422, ["tx_hash"])
    for path in (EXPLAIN, RESCAN):
        other = await shop.get(path.replace("ethereum", "tron"), ADMIN)
        assert (other.status, other.code) == (404, "not_found")


async def test_an_outage_of_the_endpoints_is_told_as_one(shop: Shop) -> None:
    shop.chain.down = True
    answer = await shop.get(EXPLAIN, ADMIN)
    assert (answer.status, answer.code) == (503, "chain_unavailable")


@pytest.mark.parametrize("key", ["", None])
async def test_only_the_operator_may(shop: Shop, key: str | None) -> None:
    assert (await shop.get(EXPLAIN, key)).status == 401
    assert (await shop.get(RESCAN, key)).status == 401
    assert (await shop.post(RESCAN, {"from": 0}, key)).status == 401


async def test_a_transfer_to_a_stranger_is_unwatched(shop: Shop) -> None:
    shop.chain.mine(make_transfer(5, USDT, Address("0x" + "77" * 20)))
    await shop.follow()
    [move] = (await shop.get(EXPLAIN, ADMIN)).body["moves"]
    assert (move["verdict"], move["invoice_id"], move["amount"]) == ("unwatched", None, "0.000005")
