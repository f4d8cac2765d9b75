"""Who gets into the dashboard, and whose forms are believed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aiohttp import FormData, web
from aiohttp.test_utils import make_mocked_request
from sqlalchemy import event

import storage
from storage import Engine
from tests.api.shop import ADMIN, Shop, make_policy, open_shop, serve
from tests.web.operator import Operator
from watcher.web.dashboard.entrance import PER_MINUTE
from watcher.web.dashboard.sessions import COOKIE, Sessions

PAGES = ("", "invoices", "deposits", "findings", "webhooks", "payments", "explain", "search")


@pytest.fixture
async def operator(shop: Shop) -> Operator:
    return Operator(shop.http)


async def test_who_is_not_logged_in_sees_the_login_only(operator: Operator) -> None:
    for path in (*PAGES, "networks/ethereum", "invoices/inv_1"):
        page = await operator.open(path)
        assert (page.status, page.path.partition("?")[0]) == (200, "/admin/login"), path
        assert "Admin token" in page.text
        assert "invoice" not in page.text.lower()


async def test_the_token_opens_the_page_that_was_wanted(operator: Operator) -> None:
    page = await operator.open("invoices", view="all")
    assert page.path == "/admin/login?next=invoices?view%3Dall"
    assert 'name="next" value="invoices?view=all"' in page.html
    page = await operator.log_in(wanted="invoices?view=all")
    assert (page.status, page.path) == (200, "/admin/invoices?view=all")


@pytest.mark.parametrize(
    "wanted", ["../pay/inv_1", "%2E./pay/inv_1", "x\r\nSet-Cookie: a=b", "<script>"]
)
async def test_after_the_login_one_stays_in_the_dashboard(operator: Operator, wanted: str) -> None:
    page = await operator.log_in(wanted=wanted)
    assert (page.status, page.path) == (200, "/admin/")
    page = await operator.open("login", next=wanted)
    assert 'name="next" value=""' in page.html


@pytest.mark.parametrize("token", ["", "wrong", f"{ADMIN}x", ADMIN.upper(), "ключ"])
async def test_a_wrong_token_opens_nothing(operator: Operator, token: str) -> None:
    page = await operator.log_in(token)
    assert (page.status, COOKIE in page.answer.cookies) == (403, False)
    assert "That is not the admin token" in page.text
    assert token == "" or token not in page.html
    assert (await operator.open("invoices")).path.startswith("/admin/login")


async def test_only_a_few_tokens_can_be_tried_in_a_minute(operator: Operator) -> None:
    for _ in range(PER_MINUTE):
        assert (await operator.log_in("wrong")).status == 403
    page = await operator.log_in()
    assert page.status == 429
    assert 0 < int(page.answer.headers["Retry-After"]) <= 60
    assert (await operator.open()).path == "/admin/login"


async def test_the_cookie_is_for_this_site_and_no_script(operator: Operator) -> None:
    await operator.log_in()
    response = (await operator.log_in()).answer.history[0]
    cookie = response.cookies[COOKIE]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Strict")
    assert cookie["secure"] == ""
    assert int(cookie["max-age"]) == 12 * 3600
    assert ADMIN not in cookie.value


async def test_behind_https_the_cookie_is_for_https_only(engine: Engine) -> None:
    policy = replace(make_policy(), public_url="https://pay.example.org")
    async with serve(engine, policy) as http:
        form = {"token": ADMIN}
        async with http.post("/admin/login", data=form, allow_redirects=False) as answer:
            assert answer.status == 303
            assert answer.cookies[COOKIE]["secure"] is True


async def test_logging_out_ends_it(operator: Operator) -> None:
    await operator.log_in()
    page = await operator.send("logout")
    assert page.path == "/admin/login"
    assert (await operator.open("invoices")).path.startswith("/admin/login")


def test_a_session_of_another_token_or_none_is_not_known() -> None:
    old, new = Sessions("old token", secure=False), Sessions("new token", secure=False)
    response = web.Response()
    old.begin(response)
    cookie = response.cookies[COOKIE].value
    assert old.of(make_mocked_request("GET", "/", {"Cookie": f"{COOKIE}={cookie}"})) is not None
    for sessions, text in ((new, cookie), (old, cookie[:-2]), (old, ""), (old, "ключ")):
        request = make_mocked_request("GET", "/", {"Cookie": f"{COOKIE}={text}"})
        assert sessions.of(request) is None


@pytest.mark.parametrize("csrf", ["", "wrong", "ключ"])
async def test_a_form_without_the_right_token_changes_nothing(
    shop: Shop, operator: Operator, csrf: str
) -> None:
    invoice = await shop.create()
    await operator.log_in()
    page = await operator.send(f"invoices/{invoice['id']}/cancel", csrf=csrf)
    assert page.status == 403
    assert "this form is not from here" in page.text
    assert (await shop.show(invoice))["status"] == "awaiting_payment"


async def test_a_form_of_another_session_changes_nothing(shop: Shop, operator: Operator) -> None:
    invoice = await shop.create()
    await operator.log_in()
    former = (await operator.open()).csrf
    await operator.log_in()
    assert (await operator.send(f"invoices/{invoice['id']}/cancel", csrf=former)).status == 403
    assert (await shop.show(invoice))["status"] == "awaiting_payment"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_a_form_on_another_site_changes_nothing(
    shop: Shop, operator: Operator, site: str
) -> None:
    invoice = await shop.create()
    await operator.log_in()
    form = FormData({"csrf": (await operator.open()).csrf})
    path, headers = f"/admin/invoices/{invoice['id']}/cancel", {"Sec-Fetch-Site": site}
    async with shop.http.post(path, data=form, headers=headers) as answer:
        assert answer.status == 403
    async with shop.http.post("/admin/login", data={"token": ADMIN}, headers=headers) as answer:
        assert answer.status == 403
    assert (await shop.show(invoice))["status"] == "awaiting_payment"


async def test_without_a_session_a_form_changes_nothing(shop: Shop, operator: Operator) -> None:
    invoice = await shop.create()
    page = await operator.send(f"invoices/{invoice['id']}/cancel", csrf="any")
    assert page.path == "/admin/login"
    assert (await shop.show(invoice))["status"] == "awaiting_payment"


async def test_a_form_must_be_called_a_form(shop: Shop, operator: Operator) -> None:
    await operator.log_in()
    async with shop.http.post("/admin/logout", json={"csrf": "x"}) as answer:
        assert answer.status == 415


async def test_the_session_is_no_key_to_the_api(shop: Shop, operator: Operator) -> None:
    await operator.log_in()
    assert (await shop.get("/admin/status", "")).status == 401


async def test_a_page_without_its_database_says_so(engine: Engine) -> None:
    async with serve(engine, make_policy()) as http:
        await open_shop(engine, make_policy(), http)
        operator = Operator(http)
        await operator.log_in()

        def gone(*_: object) -> None:
            raise storage.StorageUnavailable("gone")

        event.listen(engine.sync_engine, "begin", gone)
        page = await operator.open("invoices")
        event.remove(engine.sync_engine, "begin", gone)
    assert page.status == 503
    assert page.answer.headers["Retry-After"] == "5"
    assert "<html" in page.html
