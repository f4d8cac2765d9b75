"""Merchants and keys over the API: the operator's, with secrets told once."""

from __future__ import annotations

from typing import Any

import pytest

import storage
from storage import schema
from tests.api.shop import ADMIN, BOX, Shop, count_rows
from watcher.keys import digest
from watcher.merchants import SCOPES


async def make_key(shop: Shop, **fields: Any) -> dict[str, Any]:
    body = {"merchant_id": shop.merchant_id, **fields}
    answer = await shop.post("/admin/keys", body, ADMIN)
    assert answer.status == 201, answer.body
    return dict(answer.body)


async def test_a_merchant_is_added_and_listed(shop: Shop) -> None:
    made = await shop.post("/admin/merchants", {"name": " Second shop "}, ADMIN)
    assert (made.status, made.body["name"]) == (201, "Second shop")
    listed = (await shop.get("/admin/merchants", ADMIN)).body["data"]
    assert [each["id"] for each in listed] == [shop.merchant_id, made.body["id"]]


async def test_merchants_come_in_pages(shop: Shop) -> None:
    for name in "abc":
        await shop.post("/admin/merchants", {"name": name}, ADMIN)
    first = (await shop.get("/admin/merchants", ADMIN, limit="3")).body
    last = (await shop.get("/admin/merchants", ADMIN, limit="3", after=first["next"])).body
    assert [each["name"] for each in last["data"]] == ["c"]
    assert last["next"] is None


async def test_a_key_works_until_it_is_revoked(shop: Shop) -> None:
    made = await make_key(shop)
    assert (await shop.get("/v1/invoices", made["key"])).status == 200
    assert set(made["scopes"]) == set(SCOPES)
    gone = await shop.ask("DELETE", f"/admin/keys/{made['id']}", ADMIN)
    assert (gone.status, gone.body) == (204, None)
    assert (await shop.get("/v1/invoices", made["key"])).status == 401
    assert (await shop.ask("DELETE", f"/admin/keys/{made['id']}", ADMIN)).status == 404
    listed = (await shop.get("/admin/keys", ADMIN)).body["data"]
    assert [each["revoked_at"] is None for each in listed] == [True, False]


async def test_secrets_are_told_once_and_kept_hashed_and_sealed(shop: Shop) -> None:
    made = await make_key(shop)
    listed = await shop.get("/admin/keys", ADMIN, merchant_id=shop.merchant_id)
    assert made["key"] not in str(listed.body)
    assert made["signing_secret"] not in str(listed.body)
    async with storage.read(shop.engine) as conn:
        [row] = (
            await conn.execute(schema.keys.select().where(schema.keys.c.id == made["id"]))
        ).mappings()
    assert row["digest"] == digest(made["key"])
    assert BOX.open(row["signing_secret"]) == made["signing_secret"]
    assert made["key"] not in str(dict(row))


async def test_a_repeated_request_tells_the_same_key_and_nobody_reads_it_from_the_database(
    shop: Shop,
) -> None:
    body, headers = {"merchant_id": shop.merchant_id}, {"Idempotency-Key": "k"}
    answers = [
        await shop.ask("POST", "/admin/keys", ADMIN, json=body, headers=headers) for _ in range(2)
    ]
    assert answers[0].body == answers[1].body
    async with storage.read(shop.engine) as conn:
        rows = (await conn.execute(schema.idempotency.select())).all()
    assert answers[0].body["key"] not in str(rows)


async def test_a_key_gets_the_scopes_that_are_named(shop: Shop) -> None:
    made = await make_key(shop, scopes=["invoices:read"])
    assert (await shop.get("/v1/invoices", made["key"])).status == 200
    assert (await shop.get("/v1/deposits", made["key"])).status == 403


async def test_a_public_key_has_no_scopes(shop: Shop) -> None:
    made = await make_key(shop, kind="public")
    assert made["key"].startswith("pk_")
    assert made["scopes"] == []


async def test_keys_can_be_listed_for_one_merchant(shop: Shop) -> None:
    other = (await shop.post("/admin/merchants", {"name": "Other"}, ADMIN)).body["id"]
    made = await make_key(shop, merchant_id=other)
    listed = (await shop.get("/admin/keys", ADMIN, merchant_id=other)).body["data"]
    assert [each["id"] for each in listed] == [made["id"]]


@pytest.mark.parametrize(
    ("path", "body", "status", "fields"),
    [
        ("/admin/merchants", {}, 422, ["name"]),
        ("/admin/merchants", {"name": " "}, 422, ["name"]),
        ("/admin/merchants", {"name": "n" * 256}, 422, ["name"]),
        ("/admin/keys", {}, 422, ["merchant_id"]),
        ("/admin/keys", {"merchant_id": "mer_none"}, 404, ["merchant"]),
        ("/admin/keys", {"merchant_id": "m", "kind": "private"}, 422, ["kind"]),
        ("/admin/keys", {"merchant_id": "m", "scopes": ["all"]}, 422, ["scopes.0"]),
    ],
)
async def test_what_is_wrong_is_named(
    shop: Shop, path: str, body: dict[str, Any], status: int, fields: list[str]
) -> None:
    before = await count_rows(shop.engine)
    answer = await shop.post(path, body, ADMIN)
    assert (answer.status, answer.fields) == (status, fields)
    assert await count_rows(shop.engine) == before


async def test_scopes_of_a_public_key_are_refused(shop: Shop) -> None:
    body = {"merchant_id": shop.merchant_id, "kind": "public", "scopes": ["invoices:read"]}
    answer = await shop.post("/admin/keys", body, ADMIN)
    assert (answer.status, answer.fields) == (422, ["scopes"])


async def test_they_are_for_the_operator(shop: Shop) -> None:
    answers = [
        await shop.get("/admin/merchants"),
        await shop.post("/admin/merchants", {"name": "x"}),
        await shop.get("/admin/keys"),
        await shop.post("/admin/keys", {"merchant_id": shop.merchant_id}),
        await shop.ask("DELETE", "/admin/keys/key_1"),
    ]
    assert {(each.status, each.code) for each in answers} == {(401, "unauthorized")}
