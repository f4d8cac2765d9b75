"""Who may ask what: missing, unknown, revoked and public keys, scopes, the operator's token."""

from __future__ import annotations

import asyncio

import pytest

import storage
from tests.api.shop import ADMIN, PRICE, Shop, add_key, count_rows
from watcher import merchants
from watcher.clock import now

ASKED = [
    ("POST", "/v1/invoices", "invoices:write"),
    ("GET", "/v1/invoices", "invoices:read"),
    ("GET", "/v1/invoices/inv_1", "invoices:read"),
    ("POST", "/v1/invoices/inv_1/select", "invoices:write"),
    ("POST", "/v1/invoices/inv_1/cancel", "invoices:write"),
    ("GET", "/v1/deposits", "deposits:read"),
    ("GET", "/v1/deposits/dep_1", "deposits:read"),
    ("GET", "/v1/events", "events:read"),
    ("GET", "/v1/wallets", "wallets:write"),
    ("POST", "/v1/wallets", "wallets:write"),
    ("DELETE", "/v1/wallets/wal_1", "wallets:write"),
]


@pytest.mark.parametrize("key", ["", "sk_unknown", "pk_unknown", ADMIN, "sk_é"])
async def test_without_a_known_key_nothing_is_served(shop: Shop, key: str) -> None:
    before = await count_rows(shop.engine)
    for method, path, _ in ASKED:
        body = {"price": PRICE} if method == "POST" else None
        answer = await shop.ask(method, path, key, json=body)
        assert (answer.status, answer.code) == (401, "unauthorized")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert await count_rows(shop.engine) == before


@pytest.mark.parametrize("header", [b"Authorization: Bearer \xff\xfe", b"x-api-key: sk_\xff"])
@pytest.mark.parametrize("path", [b"/v1/invoices", b"/admin/status"])
async def test_a_key_that_is_no_text_is_unknown(shop: Shop, path: bytes, header: bytes) -> None:
    reader, writer = await asyncio.open_connection(shop.http.host, shop.http.port)
    lines = [b"GET %s HTTP/1.1" % path, b"Host: x", header, b"Connection: close", b"", b""]
    writer.write(b"\r\n".join(lines))
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 401 ")


async def test_a_revoked_key_is_unknown(shop: Shop) -> None:
    made = await add_key(shop.engine, shop.merchant_id)
    assert (await shop.get("/v1/invoices", made.text)).status == 200
    async with storage.write(shop.engine) as conn:
        await merchants.revoke_key(conn, made.key.id, now())
    assert (await shop.get("/v1/invoices", made.text)).status == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": "{}"},
        {"X-API-Key": "{}"},
        {"Authorization": "bearer {}"},
        {"Authorization": "Bearer  {} "},
    ],
)
async def test_a_key_may_come_in_either_header(shop: Shop, headers: dict[str, str]) -> None:
    sent = {name: value.format(shop.key) for name, value in headers.items()}
    assert (await shop.ask("GET", "/v1/invoices", "", headers=sent)).status == 200


async def test_another_scheme_is_no_key(shop: Shop) -> None:
    sent = {"Authorization": f"Basic {shop.key}"}
    assert (await shop.ask("GET", "/v1/invoices", "", headers=sent)).status == 401


@pytest.mark.parametrize(("method", "path", "scope"), ASKED)
async def test_a_key_without_the_scope_is_forbidden(
    shop: Shop, method: str, path: str, scope: str
) -> None:
    others = [each for each in merchants.SCOPES if each != scope]
    key = (await add_key(shop.engine, shop.merchant_id, *others)).text
    before = await count_rows(shop.engine)
    answer = await shop.ask(method, path, key, json={"price": PRICE} if method == "POST" else None)
    assert (answer.status, answer.code) == (403, "forbidden")
    assert scope in answer.body["detail"]
    assert await count_rows(shop.engine) == before


@pytest.mark.parametrize(("method", "path", "scope"), ASKED)
async def test_the_right_scope_alone_is_enough(
    shop: Shop, method: str, path: str, scope: str
) -> None:
    key = (await add_key(shop.engine, shop.merchant_id, scope)).text
    answer = await shop.ask(method, path, key, json={"price": PRICE} if method == "POST" else None)
    assert answer.status not in (401, 403)


async def test_a_public_key_creates_and_shows_and_no_more(shop: Shop) -> None:
    public = (await add_key(shop.engine, shop.merchant_id, public=True)).text
    made = await shop.create(public)
    path = f"/v1/invoices/{made['id']}"
    assert (await shop.get(path, public)).body == made
    refused = [
        await shop.get("/v1/invoices", public),
        await shop.get("/v1/deposits", public),
        await shop.get("/v1/deposits/dep_1", public),
        await shop.get("/v1/events", public),
        await shop.get("/v1/wallets", public),
        await shop.post(f"{path}/select", {"method": "ethereum:usdt"}, public),
        await shop.ask("POST", f"{path}/cancel", public),
    ]
    assert {(each.status, each.code) for each in refused} == {(403, "forbidden")}
    assert await shop.show(made) == made


async def test_the_status_is_for_the_operator(shop: Shop) -> None:
    for token in ("", "wrong", ADMIN[:-1], f"{ADMIN}x", "é"):
        answer = await shop.get("/admin/status", token)
        assert (answer.status, answer.code) == (401, "unauthorized")


async def test_a_merchants_key_is_not_the_operators(shop: Shop) -> None:
    assert (await shop.get("/admin/status")).status == 401
    assert (await shop.get("/admin/status", ADMIN)).status == 200
