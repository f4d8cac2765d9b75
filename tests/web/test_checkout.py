"""The checkout without JavaScript: what a page says, what its forms do, whom it lets in."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

import storage
from storage import Engine
from tests.api.shop import DAI, FIRST, Json, Shop, make_policy, open_shop, serve
from tests.api.shop import ETH as ETHER
from tests.api.shop import USDT as TETHER
from tests.web.payer import listen, look, send
from watcher.api import Access
from watcher.domain.money import Method
from watcher.web.assets import ASSETS

ASKS = {
    "fields": [
        {"name": "size", "label": "Your size", "type": "number", "required": True},
        {"name": "mail", "label": "E-mail", "type": "email"},
    ]
}
OWN_CONTRACT = "0x" + "5a" * 20
USDT_CONTRACT = "0xdAC17F958D2ee523a2206206994597C13D831ec7"


async def waiting(shop: Shop, **fields: Any) -> Any:
    """An invoice that waits for USDT, whose network does not lag."""
    await shop.pass_time(0)
    return await shop.create(**{"methods": [TETHER], **fields})


async def draws(shop: Shop, invoice: Json) -> int:
    """The status of the QR code."""
    async with shop.http.get(f"/pay/{invoice['id']}/qr.svg") as response:
        return response.status


async def test_a_page_keeps_strangers_and_other_hosts_out(shop: Shop) -> None:
    page = await look(shop, await shop.create())
    assert page.status == 200
    policy = page.headers["Content-Security-Policy"].split("; ")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"unsafe|https?:|\*", page.headers["Content-Security-Policy"])
    assert page.headers["X-Frame-Options"] == "DENY"
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Cache-Control"] == "no-store"
    assert not re.search(r"<script(?! src=)|<style|\sstyle=|\son\w+=", page.text)


async def test_a_page_uses_the_assets_under_their_hashes(shop: Shop) -> None:
    page = await look(shop, await shop.create())
    for name in ("style.css", "checkout.css", "checkout.js"):
        assert f'"../{ASSETS[name].path}"' in page.text


async def test_the_payer_chooses_among_what_is_offered(shop: Shop) -> None:
    invoice = await waiting(shop, methods=[ETHER, TETHER], name="Order #8821")
    page = await look(shop, invoice)
    assert page.phase == "choose"
    for text in ("Shop", "10.00 USD", "Order #8821", "ETH", "0.005", "on Ethereum", "USDT"):
        assert text in page.words
    assert FIRST not in page.text

    chosen = await send(shop, invoice, "select", method=TETHER)
    assert chosen.phase == "waiting"
    assert (chosen.by_id("amount"), chosen.by_id("address")) == ("10", FIRST)
    assert (await shop.show(invoice))["selected"] == TETHER


async def test_another_method_is_chosen_later_with_the_same_address(shop: Shop) -> None:
    invoice = await waiting(shop, methods=[ETHER, TETHER])
    page = await send(shop, invoice, "select", method=TETHER)
    assert "choose=1" in page.text
    assert (await look(shop, invoice, "?choose=1")).phase == "choose"
    other = await send(shop, invoice, "select", method=ETHER)
    assert (other.phase, other.by_id("amount"), other.by_id("address")) == (
        "waiting",
        "0.005",
        FIRST,
    )


@pytest.mark.parametrize("method", ["ethereum:dai", "tron:usdt", "", "<script>"])
async def test_what_is_not_offered_is_refused(shop: Shop, method: str) -> None:
    invoice = await waiting(shop, methods=[ETHER, TETHER])
    page = await send(shop, invoice, "select", method=method)
    assert page.status == 422
    assert "<script>" not in page.text
    assert (await shop.show(invoice))["selected"] is None


async def test_a_code_for_another_coin_is_another_picture(engine: Engine) -> None:
    """Though the amount is the same: a browser keeps a picture that it knows by its name."""
    policy = make_policy(rates={"fixed": {"USDT/USD": "1", "DAI/USD": "1"}})
    async with serve(engine, policy) as http:
        shop = await open_shop(engine, policy, http)
        invoice = await waiting(shop, methods=[TETHER, DAI])
        pages = [await send(shop, invoice, "select", method=coin) for coin in (TETHER, DAI)]
        assert [page.by_id("amount") for page in pages] == ["10", "10"]
        codes = {re.findall(r'qr\.svg\?v=(\w+)"', page.text)[0] for page in pages}
        assert len(codes) == 2


async def test_the_wallet_gets_the_whole_payment(shop: Shop) -> None:
    page = await look(shop, await waiting(shop))
    uri = f"ethereum:{USDT_CONTRACT}@1/transfer?address={FIRST}&amp;uint256=10000000"
    assert f'href="{uri}"' in page.text


async def test_a_part_asks_for_the_exact_rest(shop: Shop) -> None:
    invoice = await waiting(shop)
    await shop.pay(units=3_333_333)
    page = await look(shop, invoice)
    assert page.phase == "partial"
    assert page.by_id("amount") == "6.666667"
    assert "uint256=6666667" in page.text
    assert "3.33 of 10.00 USD so far" in page.words
    assert "3.333333 USDT" in page.words
    await shop.pay(units=6_666_667, tx="2")
    assert (await look(shop, invoice)).phase == "confirming"


async def test_no_rest_is_asked_for_that_would_not_count(engine: Engine) -> None:
    policy = make_policy(invoices={"minimum": {"USDT": "0.5"}})
    async with serve(engine, policy) as http:
        shop = await open_shop(engine, policy, http)
        invoice = await waiting(shop)
        await shop.pay(units=9_800_000)
        page = await look(shop, invoice)
        assert (page.phase, page.by_id("amount")) == ("partial", "0.5")
        await shop.pay(units=500_000, tx="2")
        assert (await look(shop, invoice)).phase == "confirming"


async def test_a_payment_is_seen_then_confirmed(shop: Shop) -> None:
    invoice = await waiting(shop)
    await shop.pay()
    page = await look(shop, invoice)
    assert page.phase == "confirming"
    assert "1 of 3 confirmations" in page.words
    assert "etherscan.io/tx/0x" in page.text
    assert FIRST not in page.text
    await shop.mine(3)
    page = await look(shop, invoice)
    assert page.phase == "paid"
    assert "confirmations" not in page.words


async def test_more_than_was_asked_is_said(shop: Shop) -> None:
    invoice = await waiting(shop)
    await shop.pay(units=12_500_000)
    await shop.mine(3)
    page = await look(shop, invoice)
    assert page.phase == "paid"
    assert "You paid 2.50 USD more than was asked." in page.words


async def test_a_surplus_that_nobody_sees_is_not_mentioned(shop: Shop) -> None:
    invoice = await waiting(shop)
    await shop.pay(units=10_000_001)
    await shop.mine(3)
    assert "overpaid" in (await shop.show(invoice))["flags"]
    assert "more than was asked" not in (await look(shop, invoice)).words


async def test_after_the_time_nothing_is_asked_for(shop: Shop) -> None:
    invoice = await waiting(shop)
    await shop.pass_time(3700)
    page = await look(shop, invoice)
    assert page.phase == "expired"
    assert FIRST not in page.text
    await shop.pay()
    page = await look(shop, invoice)
    assert "Your payment came too late" in page.words
    assert "It came after the time was up. Shop decides about it." in page.words


async def test_while_a_network_lags_the_payer_is_told_that_his_money_is_safe(shop: Shop) -> None:
    await shop.pass_time(-500)
    invoice = await shop.create(methods=[TETHER])
    page = await look(shop, invoice)
    assert page.phase == "waiting"
    assert "We hear late from: Ethereum. Your payment is safe" in page.words


async def test_a_deadline_that_passed_by_the_wall_clock_alone_stops_the_asking(shop: Shop) -> None:
    invoice = await waiting(shop)
    async with storage.write(shop.engine) as conn:
        table = storage.schema.invoices
        old = table.c.created_at - 7200
        await conn.execute(update(table).values(expires_at=old, deadline=old))
    page = await look(shop, invoice)
    assert page.phase == "closing"
    assert FIRST not in page.text
    assert await draws(shop, invoice) == 404


async def test_too_little_in_time_is_left_to_the_shop(shop: Shop) -> None:
    invoice = await waiting(shop)
    await shop.pay(units=4_000_000)
    await shop.mine(3)
    await shop.pass_time(3700)
    page = await look(shop, invoice)
    assert page.phase == "underpaid"
    assert "4.00 of 10.00 USD arrived." in page.words


async def test_money_in_another_coin_is_shown_with_the_reason(shop: Shop) -> None:
    invoice = await waiting(shop)
    await shop.pay(units=10**16, method=ETHER)
    page = await look(shop, invoice)
    assert page.phase == "waiting"
    assert "It is not a coin that was asked for here." in page.words


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "12500000 smallest units of OWN being confirmed"),
        ("es", "12500000 unidades mínimas de OWN "),
        ("ru", "12500000 мельчайших единиц OWN "),
        ("zh", "12500000 个最小单位的 OWN "),
    ],
)
async def test_money_in_a_coin_that_is_configured_no_more_is_told_in_units(
    engine: Engine, language: str, sentence: str
) -> None:
    own = {"endpoints": [{"name": "own", "url": "http://127.0.0.1:1"}], "assets": ["USDT"]}
    token = {"symbol": "OWN", "address": OWN_CONTRACT, "decimals": 6}
    before, later = (
        make_policy(networks={"ethereum": {**own, "tokens": tokens}}, invoices={})
        for tokens in ([token], [])
    )
    async with serve(engine, before) as http:
        shop = await open_shop(engine, before, http)
        invoice = await waiting(shop)
        await shop.pay(units=12_500_000, method=Method("ethereum:own"))
        assert "12.5 OWN" in (await look(shop, invoice)).words
    async with serve(engine, later) as http:
        page = await look(replace(shop, http=http, policy=later), invoice, f"?lang={language}")
    assert sentence in page.words
    assert "12500000 OWN" not in page.words


async def test_a_payment_whose_block_left_the_chain_is_explained(shop: Shop) -> None:
    invoice = await waiting(shop)
    await shop.pay()
    shop.chain.reorg(depth=1)
    await shop.mine(2)
    page = await look(shop, invoice)
    assert page.phase == "waiting"
    assert "left the chain" in page.words


async def test_the_payer_cancels_before_he_pays(shop: Shop) -> None:
    invoice = await waiting(shop)
    assert "Cancel this payment" in (await look(shop, invoice)).words
    assert (await send(shop, invoice, "cancel")).phase == "cancelled"
    shown = await shop.show(invoice)
    assert (shown["status"], shown["timeline"][-1]["reason"]) == ("cancelled", "cancelled_by_payer")


async def test_once_money_was_seen_a_cancellation_changes_nothing(shop: Shop) -> None:
    invoice = await waiting(shop)
    await shop.pay(units=1)
    assert "Cancel this payment" not in (await look(shop, invoice)).words
    assert (await send(shop, invoice, "cancel")).phase == "partial"


async def test_where_payers_may_not_cancel_they_are_not_offered_it(engine: Engine) -> None:
    policy = make_policy(invoices={"payer_may_cancel": False})
    async with serve(engine, policy) as http:
        shop = await open_shop(engine, policy, http)
        invoice = await waiting(shop)
        assert "Cancel this payment" not in (await look(shop, invoice)).words
        assert (await send(shop, invoice, "cancel")).status == 403
        assert (await shop.show(invoice))["status"] == "awaiting_payment"


async def test_questions_come_before_the_address(shop: Shop) -> None:
    invoice = await waiting(shop, questionnaire=ASKS)
    page = await look(shop, invoice)
    assert page.phase == "questions"
    assert "Your size" in page.words
    assert FIRST not in page.text
    assert await draws(shop, invoice) == 404
    answers = {"answer.size": "42", "answer.mail": ""}
    page = await send(shop, invoice, "answers", **answers)
    assert page.phase == "waiting"
    assert await draws(shop, invoice) == 200
    assert (await shop.show(invoice))["questionnaire"]["answers"] == {"size": "42"}


async def test_nothing_is_selected_before_the_questions_are_answered(shop: Shop) -> None:
    invoice = await waiting(shop, methods=[ETHER, TETHER], questionnaire=ASKS)
    assert (await send(shop, invoice, "select", method=TETHER)).phase == "questions"
    assert (await shop.show(invoice))["selected"] is None


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"answer.size": "large"}, "Please write a number such as 12.5."),
        ({"answer.mail": "a@b"}, "Please fill this in."),
        ({"answer.size": "1", "answer.mail": '"><b>'}, "Please write an e-mail address."),
    ],
)
async def test_a_wrong_answer_is_said_beside_its_question_and_what_was_typed_stays(
    shop: Shop, answers: dict[str, str], sentence: str
) -> None:
    invoice = await waiting(shop, questionnaire=ASKS)
    page = await send(shop, invoice, "answers", **answers)
    assert (page.status, page.phase) == (422, "questions")
    assert sentence in page.words
    assert 'aria-invalid="true"' in page.text
    assert "<b>" not in page.text
    typed = re.findall(r'value="([^"]*)"', page.text)
    assert [each for each in typed if each] == [
        each.replace('"', "&#34;").replace("<", "&lt;").replace(">", "&gt;")
        for each in answers.values()
    ]
    assert (await shop.show(invoice))["questionnaire"]["answers"] is None


async def test_an_unknown_payment_is_a_page_that_says_so(shop: Shop) -> None:
    for path in ("", "/events", "/qr.svg"):
        async with shop.http.get(f"/pay/inv_00000000000000000000000000{path}") as response:
            assert response.status == 404
    page = await look(shop, "inv_00000000000000000000000000")
    assert "There is no such payment." in page.words


@pytest.mark.parametrize("form", ["select", "cancel", "answers"])
async def test_another_site_cannot_act_for_the_payer(shop: Shop, form: str) -> None:
    invoice = await waiting(shop, methods=[ETHER, TETHER], questionnaire=ASKS)
    before = await shop.show(invoice)
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        fields = {"method": TETHER, "answer.size": "1"}
        page = await send(shop, invoice, form, headers, **fields)
        assert page.status == 403
    assert await shop.show(invoice) == before


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        pytest.param("application/x-www-form-urlencoded; charset=bogus", b"a=1", id="charset"),
        pytest.param("application/x-www-form-urlencoded; charset=hex", b"a=1", id="no charset"),
        pytest.param("application/x-www-form-urlencoded", b"a=\xff", id="no UTF-8"),
        pytest.param("multipart/form-data", b"a", id="no boundary"),
        pytest.param("multipart/form-data; boundary=x", b"a", id="no part"),
    ],
)
async def test_a_form_that_cannot_be_read_changes_nothing(
    shop: Shop, kind: str, body: bytes
) -> None:
    invoice = await waiting(shop)
    path, headers = f"/pay/{invoice['id']}/cancel", {"Content-Type": kind}
    async with shop.http.post(path, data=body, headers=headers) as response:
        assert response.status == 400
        assert "the form cannot be read" in await response.text()
    assert (await shop.show(invoice))["status"] == "awaiting_payment"


async def test_a_changed_address_is_never_shown(shop: Shop) -> None:
    invoice = await waiting(shop)
    async with storage.write(shop.engine) as conn:
        table = storage.schema.addresses
        await conn.execute(update(table).values(address="0x" + "66" * 20))
    page = await look(shop, invoice)
    assert page.phase == "tampered"
    assert "Send nothing" in page.words
    assert "6666" not in page.text
    assert FIRST not in page.text
    assert await draws(shop, invoice) == 404


async def test_who_asks_too_often_is_told_to_wait(engine: Engine) -> None:
    policy, access = make_policy(), Access(per_ip_per_minute=2)
    async with serve(engine, policy, access=access) as http:
        shop = await open_shop(engine, policy, http)
        invoice = await shop.create()
        for _ in range(2):
            assert (await look(shop, invoice)).status == 200
        page = await look(shop, invoice)
        assert page.status == 429
        assert int(page.headers["Retry-After"]) > 0
        assert "Too many requests" in page.words
        assert (await send(shop, invoice, "cancel")).status == 429


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("es", "Esperando su pago"),
        ("ru", "Ждём ваш платёж"),
        ("zh", "等待您的付款"),
    ],
)
async def test_the_page_speaks_the_payers_language(
    shop: Shop, language: str, sentence: str
) -> None:
    invoice = await waiting(shop)
    for page in (
        await look(shop, invoice, **{"Accept-Language": language}),
        await look(shop, invoice, f"?lang={language}"),
    ):
        assert sentence in page.words
        assert f'<html lang="{language}">' in page.text


async def test_a_chosen_language_stays_through_forms(shop: Shop) -> None:
    invoice = await waiting(shop, methods=[ETHER, TETHER])
    page = await send(shop, invoice, "select?lang=ru", method=TETHER)
    assert "Ждём ваш платёж" in page.words
    assert '/cancel?lang=ru"' in page.text


async def test_without_javascript_the_page_loads_itself_again_but_no_form(shop: Shop) -> None:
    refresh = '<noscript><meta http-equiv="refresh" content="15"></noscript>'
    chosen = await waiting(shop)
    assert refresh in (await look(shop, chosen)).text
    assert "refresh" not in (await look(shop, await waiting(shop, methods=[ETHER, TETHER]))).text
    assert "refresh" not in (await look(shop, await waiting(shop, questionnaire=ASKS))).text


async def test_only_a_sandbox_pays_by_itself(shop: Shop) -> None:
    invoice = await waiting(shop)
    assert "sandbox-pay" not in (await look(shop, invoice)).text
    assert (await send(shop, invoice, "sandbox-pay")).status == 404


async def test_an_open_page_is_told_only_what_changed(shop: Shop) -> None:
    invoice = await waiting(shop)
    page = await look(shop, invoice)
    async with listen(shop, invoice) as told:
        first = await anext(told)
        versions = {name: version for name, (version, _) in first["parts"].items()}
        assert versions == dict(
            re.findall(r'id="(\w+)" class="part" data-version="(\w+)"', page.text)
        )
        await shop.pay()
        seen = await anext(told)
        assert (seen["phase"], seen["heading"]) == ("confirming", "Payment seen")
        assert set(seen["parts"]) == {"status", "pay", "seen"}
        await shop.mine()
        deeper = await anext(told)
        assert "2 of 3 confirmations" in deeper["parts"]["status"][1]
        assert set(deeper["parts"]) == {"status", "seen"}


async def test_every_open_page_on_an_invoice_is_told_in_its_own_language(shop: Shop) -> None:
    invoice = await waiting(shop)
    async with listen(shop, invoice) as one, listen(shop, invoice, "?lang=es") as other:
        await anext(one), await anext(other)
        await shop.pay()
        assert (await anext(one))["heading"] == "Payment seen"
        assert (await anext(other))["heading"] == "Pago visto"


def test_no_template_marks_anything_as_safe() -> None:
    for file in (Path(__file__).parents[2] / "watcher/web/templates").glob("*.html"):
        assert not re.search(r"\|\s*safe|autoescape", file.read_text()), file.name
