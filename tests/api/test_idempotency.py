"""`Idempotency-Key`: what is asked for twice is done once, whatever happens in between."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from sqlalchemy import update

import storage
from chains.base import AddressCodec
from storage import Conn, schema
from storage.idempotency import KEEP_SECONDS, LAPSE_SECONDS
from tests.api.shop import (
    ADMIN,
    ETHEREUM,
    EVM,
    FIRST,
    PRICE,
    Answer,
    Shop,
    add_key,
    add_merchant,
    count_rows,
)
from watcher import invoicing, merchants, wallets
from watcher.api import RESOURCES, idempotency
from watcher.chores import chores_of
from watcher.clock import now
from watcher.refused import Busy, NoAddressLeft, NoRate, Refused, RefusedForNow, RequestRunning

TABLE = schema.idempotency
SECOND = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


async def post(
    shop: Shop,
    key: str = "k1",
    *,
    path: str = "/v1/invoices",
    token: str | None = None,
    **body: Any,
) -> Answer:
    """Ask for an invoice over 10 USD, by default, with an Idempotency-Key."""
    sent = {"price": PRICE, **body} if path == "/v1/invoices" else body
    return await shop.ask("POST", path, token, json=sent, headers={"Idempotency-Key": key})


async def invoices(shop: Shop) -> int:
    return (await count_rows(shop.engine))["invoices"]


async def age(shop: Shop, seconds: int) -> None:
    """Let what was asked so far be older."""
    async with storage.write(shop.engine) as conn:
        await conn.execute(update(TABLE).values(at=TABLE.c.at - seconds))


async def test_the_same_again_is_the_first_answer_again(shop: Shop) -> None:
    first, second = await post(shop), await post(shop)
    assert (first.status, second.status) == (201, 201)
    assert second.body == first.body
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.headers["Content-Type"] == first.headers["Content-Type"]
    assert await invoices(shop) == 1


async def test_the_answer_is_the_first_though_the_invoice_changed(shop: Shop) -> None:
    first = await post(shop)
    await shop.ask("POST", f"/v1/invoices/{first.body['id']}/cancel")
    assert (await post(shop)).body["status"] == "awaiting_payment"
    assert (await shop.show(first.body))["status"] == "cancelled"


async def test_another_key_is_another_invoice(shop: Shop) -> None:
    assert (await post(shop, "k1")).body["id"] != (await post(shop, "k2")).body["id"]


async def test_another_body_with_the_key_is_refused(shop: Shop) -> None:
    await post(shop)
    answer = await post(shop, name="another")
    assert (answer.status, answer.code) == (409, "idempotency_key_reused")
    assert await invoices(shop) == 1


async def test_another_path_with_the_key_is_refused(shop: Shop) -> None:
    made = await post(shop)
    answer = await post(shop, path=f"/v1/invoices/{made.body['id']}/cancel")
    assert (answer.status, answer.code) == (409, "idempotency_key_reused")
    assert (await shop.show(made.body))["status"] == "awaiting_payment"


async def test_a_refusal_is_an_answer_too(shop: Shop) -> None:
    made = await shop.create(methods=["ethereum:usdt"])
    await shop.pay()
    path = f"/v1/invoices/{made['id']}/cancel"
    first, second = [await post(shop, path=path) for _ in range(2)]
    assert (first.status, first.code) == (409, "money_seen")
    assert (second.status, second.body) == (first.status, first.body)
    assert second.headers["Idempotent-Replayed"] == "true"


async def test_a_refusal_for_now_leaves_the_key_free(shop: Shop) -> None:
    async with storage.write(shop.engine) as conn:
        merchant = await merchants.add_merchant(conn, "Other", now())
        await wallets.add_pool(conn, merchant.id, EVM, codec(shop), [FIRST], now())
    token = (await add_key(shop.engine, merchant.id)).text
    method = {"methods": ["ethereum:usdt"]}
    assert (await post(shop, "k0", token=token, **method)).status == 201
    answer = await post(shop, token=token, **method)
    assert (answer.status, answer.code) == (409, "no_address_left")

    async with storage.write(shop.engine) as conn:
        await wallets.add_pool(conn, merchant.id, EVM, codec(shop), [SECOND], now())
    answer = await post(shop, token=token, **method)
    assert answer.status == 201
    assert "Idempotent-Replayed" not in answer.headers
    again = await post(shop, token=token, **method)
    assert (again.body, again.headers["Idempotent-Replayed"]) == (answer.body, "true")


def codec(shop: Shop) -> AddressCodec:
    return shop.policy.networks[ETHEREUM].spec.codec


@pytest.mark.parametrize("kind", [NoRate, NoAddressLeft, Busy, RequestRunning])
def test_what_depends_on_the_moment_is_refused_for_now(kind: type[Refused]) -> None:
    assert issubclass(kind, RefusedForNow)


async def test_what_is_no_valid_request_takes_no_key(shop: Shop) -> None:
    assert (await post(shop, price={"amount": "0", "currency": "USD"})).status == 422
    assert (await post(shop)).status == 201


async def test_a_key_belongs_to_its_merchant(shop: Shop) -> None:
    other = await add_merchant(shop.engine, None)
    token = (await add_key(shop.engine, other)).text
    assert (await post(shop)).status == 201
    answer = await post(shop, token=token)  # of this one's own: there is no wallet
    assert (answer.status, answer.fields) == (422, ["methods"])


async def test_the_merchants_other_keys_repeat_the_request(shop: Shop) -> None:
    token = (await add_key(shop.engine, shop.merchant_id)).text
    assert (await post(shop)).body == (await post(shop, token=token)).body


async def test_a_public_key_is_not_told_what_a_secret_one_did(shop: Shop) -> None:
    token = (await add_key(shop.engine, shop.merchant_id, public=True)).text
    first, second = await post(shop), await post(shop, token=token)
    assert (second.status, second.body["created_with"]) == (201, "public")
    assert second.body["id"] != first.body["id"]


async def test_a_key_without_the_scope_is_told_nothing(shop: Shop) -> None:
    token = (await add_key(shop.engine, shop.merchant_id, "invoices:read")).text
    await post(shop)
    assert (await post(shop, token=token)).code == "forbidden"


@pytest.mark.parametrize("key", ["", "x" * 256, "é", "a\tb"])
async def test_an_odd_key_is_refused(shop: Shop, key: str) -> None:
    answer = await post(shop, key)
    assert (answer.status, answer.fields) == (422, ["Idempotency-Key"])
    assert await invoices(shop) == 0


async def test_the_longest_key_is_taken(shop: Shop) -> None:
    assert (await post(shop, "x" * 255)).status == 201


async def test_of_200_at_once_one_makes_an_invoice(shop: Shop) -> None:
    answers = await asyncio.gather(*(post(shop) for _ in range(200)))
    made = [answer for answer in answers if answer.status == 201]
    assert made
    assert all(answer.body == made[0].body for answer in made)
    others = {answer.code for answer in answers if answer.status != 201}
    assert others <= {"idempotency_key_in_use"}
    assert await invoices(shop) == 1
    assert (await post(shop)).body == made[0].body


async def test_who_comes_while_the_first_is_running_is_told(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, go_on = asyncio.Event(), asyncio.Event()
    truly = invoicing.open_invoice

    async def slowly(*arguments: Any) -> Any:
        inside.set()
        await go_on.wait()
        return await truly(*arguments)

    monkeypatch.setattr(invoicing, "open_invoice", slowly)
    first = asyncio.create_task(post(shop))
    await inside.wait()
    if shop.engine.dialect.name == "sqlite":  # the second one waits for the first one's turn
        second = asyncio.create_task(post(shop))
        go_on.set()
        assert (await second).body == (await first).body
    else:
        assert (await post(shop)).code == "idempotency_key_in_use"
        go_on.set()
        assert (await first).status == 201
    assert await invoices(shop) == 1


async def test_a_failure_of_ours_is_no_answer(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(invoicing, "open_invoice", fail)
        assert (await post(shop)).status == 500
    assert (await post(shop)).status == 201
    assert await invoices(shop) == 1


async def killed(*_: Any) -> None:
    """End a request as a killed process does: nothing after this is done."""
    raise asyncio.CancelledError


async def test_killed_before_the_commit_it_made_nothing_and_may_be_asked_again_later(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(storage.idempotency, "finish", killed)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await post(shop)
    assert await invoices(shop) == 0
    assert (await post(shop)).code == "idempotency_key_in_use"
    await age(shop, LAPSE_SECONDS)
    assert (await post(shop)).status == 201
    assert await invoices(shop) == 1


async def test_killed_after_the_commit_it_is_not_done_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    truly = idempotency.perform

    async def half(*arguments: Any, **options: Any) -> None:
        await truly(*arguments, **options)
        await killed()

    with monkeypatch.context() as patch:
        patch.setattr("watcher.api.invoices.perform", half)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await post(shop)
    assert await invoices(shop) == 1
    again = await post(shop)
    assert (again.status, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert await invoices(shop) == 1


async def test_whose_reservation_lapsed_commits_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    truly = storage.idempotency.reserve

    async def overtaken(conn: Conn, claim: storage.idempotency.Claim) -> Any:
        told = await truly(conn, claim)
        await conn.execute(update(TABLE).values(holder="another request"))
        return told

    with monkeypatch.context() as patch:
        patch.setattr(storage.idempotency, "reserve", overtaken)
        assert (await post(shop)).code == "idempotency_key_in_use"
    rows = await count_rows(shop.engine)
    assert (rows["invoices"], rows["events"], rows["idempotency"]) == (0, 0, 1)


async def test_keys_are_kept_for_a_day(shop: Shop) -> None:
    first = await post(shop)
    await age(shop, KEEP_SECONDS - 60)
    assert (await post(shop)).body == first.body
    await age(shop, 120)
    assert (await post(shop)).body["id"] != first.body["id"]


async def test_a_chore_forgets_keys_that_were_kept_long_enough(shop: Shop) -> None:
    await post(shop, "old")
    await age(shop, KEEP_SECONDS + 60)
    await post(shop, "new")
    [chore] = [
        each for each in chores_of(shop.engine, shop.policy, {}) if each.name == "idempotency"
    ]
    await chore.work()
    async with storage.read(shop.engine) as conn:
        assert list(await conn.scalars(TABLE.select().with_only_columns(TABLE.c.key))) == ["new"]


async def test_what_is_kept_cannot_be_read_in_the_database(shop: Shop) -> None:
    made = await post(shop, customer={"email": "payer@example.org"})
    async with storage.read(shop.engine) as conn:
        [answer] = await conn.scalars(TABLE.select().with_only_columns(TABLE.c.answer))
    assert made.body["id"].encode() not in answer
    assert b"payer@" not in answer


async def test_an_operators_request_is_done_once(shop: Shop) -> None:
    path = "/admin/audit/findings/fnd_1/dismiss"
    first, second = [await post(shop, path=path, token=ADMIN) for _ in range(2)]
    assert (first.status, first.code) == (404, "not_found")
    assert second.body == first.body


def test_every_post_honours_the_key() -> None:
    handlers = [
        route.handler for each in RESOURCES for route in each.routes if route.method == "POST"
    ]
    assert len(handlers) >= 7
    for handler in handlers:
        called = set(handler.__code__.co_names)
        assert called & {"perform", "perform_outside", "_changed"}, handler
