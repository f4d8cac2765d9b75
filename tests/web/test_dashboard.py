"""The dashboard's pages: on empty books, on full ones, and what their buttons do."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import update

import storage
from storage import Engine
from tests.api.shop import BEHIND, BOX, ETHEREUM, FIRST, USDT, Shop, make_policy, open_shop, serve
from tests.api.test_admin import publish
from tests.factories import make_hash
from tests.fakes import FakeChain
from tests.web.books import HALT, HOSTILE, URL, fill, find_surplus, halt, put_finding
from tests.web.operator import Operator
from watcher import finality, rescan, worklists
from watcher.clock import now
from watcher.faces.ids import hex_id, uuid_of
from watcher.webhooks import managing
from watcher.webhooks.managing import NewWebhook

PAGES = (
    "",
    "networks/ethereum",
    "invoices",
    "invoices?view=delayed",
    "invoices?view=all",
    "deposits",
    "deposits?view=unmatched",
    "deposits?view=orphaned",
    "deposits?view=all",
    "findings",
    "findings?state=open",
    "webhooks",
    "payments",
    "explain",
    "search?q=nothing",
)
TX = f"0x{make_hash('tx1')}"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finality, "ASK_SECONDS", 0)
    monkeypatch.setattr(rescan, "PAUSES", ())


@pytest.fixture
async def shop(engine: Engine) -> AsyncIterator[Shop]:
    prices = {"USDT/USD": "1", "ETH/USD": "2000", "DAI/USD": "1"}
    chain, policy = FakeChain(start=now() - BEHIND), make_policy(rates={"fixed": prices})
    async with serve(engine, policy, clients={ETHEREUM: chain}) as http:
        opened = await open_shop(engine, policy, http)
        opened.chain = chain
        yield opened


@pytest.fixture
async def operator(shop: Shop) -> Operator:
    """Logged in."""
    operator = Operator(shop.http)
    await operator.log_in()
    return operator


async def test_every_page_opens_on_empty_books(operator: Operator) -> None:
    for path in PAGES:
        page = await operator.open(path)
        assert page.status == 200, (path, page.text)
        assert page.path == f"/admin/{path}"


async def test_every_page_opens_on_full_books_and_shows_hostile_texts_as_text(
    shop: Shop, operator: Operator
) -> None:
    filled = await fill(shop, text=HOSTILE)
    await halt(shop, HOSTILE)
    for path in (*PAGES, f"invoices/{filled.invoice['id']}", f"search?q={TX}"):
        page = await operator.open(path)
        assert page.status == 200, (path, page.text)
        assert "<script>alert" not in page.html, path
        assert "<img" not in page.html, path
        assert HOSTILE in page.text, path  # the banner has it on every page
        assert "49<img" not in page.text, path


async def test_a_page_is_kept_by_nobody_and_runs_only_our_scripts(operator: Operator) -> None:
    headers = (await operator.open()).answer.headers
    assert headers["Cache-Control"] == "no-store"
    assert "script-src 'self'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "style=" not in (await operator.open("payments")).html


async def test_without_the_slash_one_gets_there_too(operator: Operator) -> None:
    async with operator.http.get("/admin") as answer:
        assert (answer.status, answer.url.path) == (200, "/admin/")


async def test_a_halted_network_is_on_every_page_with_its_reason(
    shop: Shop, operator: Operator
) -> None:
    await halt(shop)
    for path in (*PAGES, "networks/unknown"):
        text = (await operator.open(path)).text
        assert "ethereum is halted: nothing is credited there until you act" in text, path
        assert HALT in text
        assert "restart the daemon" in text


async def test_a_network_that_does_well_has_no_banner(shop: Shop, operator: Operator) -> None:
    await shop.pass_time(0)
    await publish(shop)
    page = await operator.open()
    assert "banner" not in page.html
    assert "following" in page.text


async def test_a_stalled_network_says_that_payments_are_only_late(
    shop: Shop, operator: Operator
) -> None:
    await publish(shop, progress_at=0)
    text = (await operator.open("invoices")).text
    assert "ethereum is stalled No new block for too long" in text
    assert "halted" not in text


async def test_the_first_page_counts_what_awaits_the_operator(
    shop: Shop, operator: Operator
) -> None:
    await fill(shop)
    await put_finding(shop)
    text = (await operator.open()).text
    for figure in (
        "2 open invoices",
        "2 delayed",
        "2 pending deposits",
        "1 await a decision",
        "1 open findings",
        "1 failed deliveries",
        "1 deliveries were given up",
    ):
        assert figure in text


async def test_a_network_shows_its_lag_and_what_its_endpoints_have_left(
    shop: Shop, operator: Operator
) -> None:
    await fill(shop)
    page = await operator.open("networks/ethereum")
    assert page.html.count("<polyline") == 5  # an hour is missing: of a day it shows
    assert "120 of 1000" in page.text
    assert "7300 over budget" in page.text
    assert (await operator.open("networks/tron")).status == 404


async def test_without_samples_a_chart_says_so(operator: Operator) -> None:
    page = await operator.open("networks/ethereum")
    assert "<polyline" not in page.html
    assert page.text.count("No samples yet") == 3


async def test_lists_show_what_they_say_and_nothing_else(shop: Shop, operator: Operator) -> None:
    filled = await fill(shop)
    id = filled.invoice["id"]
    await shop.create(methods=[USDT], name="another")
    assert "another" in (await operator.open("invoices")).text
    deposits = {
        view: (await operator.open("deposits", view=view)).text
        for view in ("pending", "unmatched", "orphaned", "all")
    }
    assert [text.count(id) for text in deposits.values()] == [2, 1, 1, 3]
    assert "does not count: wrong asset" in deposits["unmatched"]
    assert "4 USDT" not in deposits["unmatched"]
    assert "2 USDT" in deposits["orphaned"]


async def test_long_lists_go_on(
    shop: Shop, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worklists, "PAGE", 2)
    ids = [(await shop.create())["id"] for _ in range(5)]
    seen: list[str] = []
    after = ""
    for _ in range(3):
        page = await operator.open("invoices", view="all", after=after)
        seen += [id for id in sorted(ids, reverse=True) if f"invoices/{id}" in page.html]
        after = page.html.partition("after=")[2].partition('"')[0]
    assert seen == sorted(ids, reverse=True)
    assert after == ""


async def test_an_invoice_shows_all_that_is_known_of_it(shop: Shop, operator: Operator) -> None:
    filled = await fill(shop)
    page = await operator.open(f"invoices/{filled.invoice['id']}")
    for words in (
        "Order 8821",
        "10.00 USD",
        "of it confirmed; 6.00 left",
        "4 USDT",
        "5 DAI",
        "orphaned",
        "does not count: wrong asset",
        "deposit detected",
        filled.delivery_id,
        "dead",
        "Shop",
    ):
        assert words in page.text
    assert "Cancel this invoice" not in page.text


@pytest.mark.parametrize(
    "text",
    [
        "8821",
        " 8821 ",
        "invoice",
        "address",
        "deposit",
        "transaction",
        "hash",
        "lower case",
        "billium",
        "kuna",
        "txcash",
        "payhubix",
        "bitgpt",
        "billium's payment",
        "bitgpt's payment",
    ],
)
async def test_an_invoice_is_found_by_whatever_one_has_of_it(
    shop: Shop, operator: Operator, text: str
) -> None:
    invoice = await shop.create(methods=[USDT], external_id="8821")
    await shop.create(methods=["ethereum:eth"], external_id="8822")
    await shop.pay()
    [deposit] = (await shop.show(invoice))["deposits"]
    asked = {
        "invoice": invoice["id"],
        "address": FIRST.lower(),
        "deposit": deposit["id"],
        "transaction": TX,
        "hash": make_hash("tx1").upper(),
        "lower case": invoice["id"].lower(),
        "billium": hex_id("inv", invoice["id"]),
        "kuna": str(uuid_of(invoice["id"])),
        "txcash": uuid_of(invoice["id"]).hex,
        "payhubix": invoice["id"].replace("inv_", "INV-"),
        "bitgpt": f"invoice_{uuid_of(invoice['id'])}",
        "billium's payment": hex_id("pay", deposit["id"]),
        "bitgpt's payment": f"payment_{uuid_of(deposit['id'])}",
    }.get(text, text)
    page = await operator.open("search", q=asked)
    assert invoice["id"] in page.text
    assert "8822" not in page.text
    if text in ("transaction", "hash"):
        assert f"explain?network=ethereum&amp;tx_hash={make_hash('tx1')}" in page.html
    else:
        assert page.path == f"/admin/invoices/{invoice['id']}"


@pytest.mark.parametrize("text", ["nothing", "0x", "%00", "x" * 256, "a\0b"])
async def test_what_is_not_there_is_not_found(operator: Operator, text: str) -> None:
    page = await operator.open("search", q=text)
    assert page.status in (200, 422)
    assert "Nothing in the books" in page.text or "q:" in page.text


async def test_chosen_deposits_are_accepted(shop: Shop, operator: Operator) -> None:
    filled = await fill(shop)
    shown = await shop.show(filled.invoice)
    [other] = [each for each in shown["deposits"] if each["reason"] == "wrong_asset"]
    path = f"invoices/{shown['id']}"
    page = await operator.send(f"{path}/accept")
    assert page.status == 409
    assert "Everything that was paid counts already" in page.text

    page = await operator.send(f"{path}/accept", ("deposit", other["id"]))
    assert (page.path, page.status) == (f"/admin/{path}", 200)
    assert "counts, accepted" in page.text
    assert (await shop.show(shown))["paid"]["amount"] == "9"


async def test_too_little_is_taken_for_the_whole(shop: Shop, operator: Operator) -> None:
    invoice = await shop.create(methods=[USDT])
    await shop.pay(units=4_000_000)
    page = await operator.send(f"invoices/{invoice['id']}/accept", ("as_paid", "1"))
    assert (page.status, page.path) == (200, f"/admin/invoices/{invoice['id']}")
    assert "Accepted." in page.text
    assert (await shop.show(invoice))["status"] == "confirming"
    assert "Accepted." not in (await operator.open(f"invoices/{invoice['id']}")).text


async def test_an_invoice_without_money_is_cancelled_and_another_is_not(
    shop: Shop, operator: Operator
) -> None:
    invoice = await shop.create(methods=[USDT])
    path = f"invoices/{invoice['id']}/cancel"
    assert "The invoice is cancelled" in (await operator.send(path)).text
    assert (await shop.show(invoice))["status"] == "cancelled"
    filled = await fill(shop)
    page = await operator.send(f"invoices/{filled.invoice['id']}/cancel")
    assert page.status == 409
    assert "Money was already seen" in page.text
    assert "Nothing was changed" in page.text


async def test_a_surplus_becomes_a_deposit(shop: Shop, operator: Operator) -> None:
    invoice = await shop.create(methods=[USDT])
    finding_id = await find_surplus(shop)
    page = await operator.open("findings", state="open")
    assert "surplus" in page.text
    assert "7 USDT" in page.text
    page = await operator.send(f"findings/{finding_id}/accept")
    assert "The finding became a deposit" in page.text
    assert (await shop.show(invoice))["paid"]["confirmed"] == "7"


async def test_a_finding_is_dismissed_once(shop: Shop, operator: Operator) -> None:
    finding_id = await put_finding(shop)
    page = await operator.send(f"findings/{finding_id}/dismiss")
    assert "The finding is dismissed" in page.text
    page = await operator.send(f"findings/{finding_id}/dismiss")
    assert page.status == 409
    assert "dismissed already" in page.text


async def test_an_invoices_deliveries_are_in_the_order_of_its_events(
    shop: Shop, operator: Operator
) -> None:
    """Whatever order their ids have, which were made within a second."""
    async with storage.write(shop.engine) as conn:
        await managing.add_webhook(
            conn, BOX, shop.policy, shop.merchant_id, NewWebhook(URL, ["*"]), now()
        )
    invoice = await shop.create(methods=[USDT])
    await shop.pay()
    table = storage.schema.deliveries
    async with storage.write(shop.engine) as conn:
        for each in await storage.deliveries.listing(conn, shop.merchant_id):
            id = f"dlv_{1000 - each.seq:026}"
            await conn.execute(update(table).where(table.c.id == each.id).values(id=id))
    text = (await operator.open(f"invoices/{invoice['id']}")).text
    told = [int(seq) for seq in re.findall(r" seq (\d+) ", text)]
    assert len(told) > 2
    assert told == sorted(told, reverse=True)


async def test_a_delivery_that_was_given_up_is_made_due(shop: Shop, operator: Operator) -> None:
    filled = await fill(shop)
    page = await operator.open("webhooks")
    assert filled.delivery_id in page.text
    assert URL in page.text
    path = f"webhooks/{shop.merchant_id}/{filled.delivery_id}/redeliver"
    page = await operator.send(path)
    assert "The delivery is due now" in page.text
    assert filled.delivery_id not in page.text
    async with storage.read(shop.engine) as conn:
        found = await storage.deliveries.get(conn, shop.merchant_id, filled.delivery_id)
    assert found is not None
    assert found.state == "waiting"
    assert (await operator.send(path.replace("dlv_", "dlv_0"))).status == 404


async def test_a_transaction_is_explained(shop: Shop, operator: Operator) -> None:
    invoice = await shop.create(methods=[USDT])
    await shop.pay()
    page = await operator.open("explain", network="ethereum", tx_hash=TX)
    assert "in our chain" in page.text
    assert invoice["id"] in page.text
    page = await operator.open("explain", network="ethereum", tx_hash=make_hash("none"))
    assert "no endpoint knows this transaction" in page.text


@pytest.mark.parametrize(
    ("network", "tx_hash", "status", "words"),
    [
        ("ethereum", "zz", 422, "must be the 64 hex digits"),
        ("tron", TX, 404, "there is no such enabled network"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(
    operator: Operator, network: str, tx_hash: str, status: int, words: str
) -> None:
    page = await operator.open("explain", network=network, tx_hash=tx_hash)
    assert page.status == status
    assert words in page.text


async def test_a_chain_that_does_not_answer_is_told(shop: Shop, operator: Operator) -> None:
    shop.chain.down = True
    page = await operator.open("explain", network="ethereum", tx_hash=TX)
    assert page.status == 503
    assert "Not shown down" in page.text


async def test_a_rescan_finds_what_was_missed(shop: Shop, operator: Operator) -> None:
    invoice = await shop.create(methods=[USDT])
    shop.chain.unlisted.add(USDT)
    await shop.pay()
    shop.chain.unlisted.clear()
    page = await operator.open(f"invoices/{invoice['id']}")
    assert "Rescan ethereum" in page.text
    page = await operator.send("rescans", ("network", "ethereum"), ("from", "0"), ("to", ""))
    assert page.path == "/admin/networks/ethereum"
    assert "The blocks are being read again" in page.text
    while "running" in page.text:
        await asyncio.sleep(0.02)
        page = await operator.open("networks/ethereum")
    assert "1 deposits added" in page.text
    assert (await shop.show(invoice))["status"] == "confirming"


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"network": "tron", "from": "0"}, 404, "no such enabled network"),
        ({"network": "ethereum", "from": "9"}, 422, "from:"),
        ({"network": "ethereum", "from": "x"}, 422, "from:"),
        ({"network": "ethereum"}, 422, "from:"),
        ({"network": "ethereum", "from": "-1"}, 422, "from:"),
    ],
)
async def test_a_rescan_that_cannot_be_is_refused(
    shop: Shop, operator: Operator, fields: dict[str, str], status: int, words: str
) -> None:
    await shop.mine()
    page = await operator.send("rescans", *fields.items())
    assert page.status == status
    assert words in page.text


async def test_the_charts_count_by_day_and_by_time(shop: Shop, operator: Operator) -> None:
    await fill(shop)
    page = await operator.open("payments")
    assert page.html.count("<rect") >= 3  # of one day, of its legend, and of their delay
    assert "ethereum 2" in page.text  # the orphaned one does not count
    assert ", ethereum: 2" in page.text


async def test_a_changed_address_is_told_and_withheld(shop: Shop, operator: Operator) -> None:
    invoice = await shop.create(methods=[USDT])
    async with storage.write(shop.engine) as conn:
        table = storage.addresses.table
        await conn.execute(table.update().values(address="0x" + "66" * 20))
    page = await operator.open(f"invoices/{invoice['id']}")
    assert page.status == 200
    assert "66" * 20 not in page.text
    assert "0x" + "66" * 20 not in page.html.lower()
