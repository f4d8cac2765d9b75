"""What must be refused: with the right status, the field named, nothing stored, still serving."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest

from tests.api.shop import PRICE, Shop, count_rows

JSON = {"Content-Type": "application/json"}


def priced(amount: object, currency: object = "USD") -> dict[str, Any]:
    return {"price": {"amount": amount, "currency": currency}}


def invoice(**fields: Any) -> dict[str, Any]:
    return {"price": PRICE, **fields}


async def refuses(shop: Shop, status: int, code: str, fields: list[str], **request: Any) -> None:
    """Send it and check the answer, that nothing is stored, and that the next one is served."""
    before = await count_rows(shop.engine)
    answer = await shop.ask("POST", "/v1/invoices", **request)
    assert (answer.status, answer.code, answer.fields) == (status, code, fields)
    assert await count_rows(shop.engine) == before
    assert (await shop.get("/v1/invoices")).body == {"data": [], "next": None}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param(priced("0"), "price.amount", id="zero"),
        pytest.param(priced("0.00"), "price.amount", id="zero with decimals"),
        pytest.param(priced("-1"), "price.amount", id="negative"),
        pytest.param(priced("NaN"), "price.amount", id="NaN"),
        pytest.param(priced("Infinity"), "price.amount", id="infinity"),
        pytest.param(priced("1e5"), "price.amount", id="exponent"),
        pytest.param(priced("1" + "0" * 40), "price.amount", id="10^40"),
        pytest.param(priced("0." + "1" * 40), "price.amount", id="40 decimals"),
        pytest.param(priced("1" * 1000), "price.amount", id="1000 digits"),
        pytest.param(priced("1,5"), "price.amount", id="comma"),
        pytest.param(priced(" 1"), "price.amount", id="space"),
        pytest.param(priced("\u0661"), "price.amount", id="other digits"),
        pytest.param(priced(""), "price.amount", id="empty"),
        pytest.param(priced(49.99), "price.amount", id="a number"),
        pytest.param(priced(None), "price.amount", id="null"),
        pytest.param({"price": {"currency": "USD"}}, "price.amount", id="no amount"),
        pytest.param({"price": {"amount": "1"}}, "price.currency", id="no currency"),
        pytest.param({"price": "10 USD"}, "price", id="text"),
        pytest.param({}, "price", id="no price"),
        pytest.param(priced("1", "US Dollar"), "price.currency", id="odd currency"),
        pytest.param(priced("1", "X" * 21), "price.currency", id="long currency"),
        pytest.param(invoice(methods=[]), "methods", id="no method"),
        pytest.param(invoice(methods="ethereum:eth"), "methods", id="methods as text"),
        pytest.param(invoice(methods=["ethereum:doge"]), "methods.0", id="unknown method"),
        pytest.param(invoice(methods=["ethereum:usdc"]), "methods.0", id="unlisted method"),
        pytest.param(invoice(methods=["ethereum:eth", "\0"]), "methods.1", id="NUL method"),
        pytest.param(invoice(valid_for="59s"), "valid_for", id="too short"),
        pytest.param(invoice(valid_for="31d"), "valid_for", id="too long"),
        pytest.param(invoice(valid_for="1 hour"), "valid_for", id="odd duration"),
        pytest.param(invoice(valid_for=3600), "valid_for", id="seconds"),
        pytest.param(invoice(confirmations=0), "confirmations", id="no confirmation"),
        pytest.param(invoice(confirmations=10**20), "confirmations", id="many confirmations"),
        pytest.param(invoice(confirmations=True), "confirmations", id="a truth"),
        pytest.param(invoice(confirmations="12"), "confirmations", id="a text"),
        pytest.param(invoice(tolerance_percent="100"), "tolerance_percent", id="all"),
        pytest.param(invoice(tolerance_percent="-1"), "tolerance_percent", id="below nothing"),
        pytest.param(invoice(tolerance_percent=1), "tolerance_percent", id="tolerance as number"),
        pytest.param(invoice(name="a\0b"), "name", id="NUL name"),
        pytest.param(invoice(external_id="\0"), "external_id", id="NUL external id"),
        pytest.param(invoice(name="n" * 256), "name", id="long name"),
        pytest.param(invoice(description="d" * 5001), "description", id="long description"),
        pytest.param(invoice(external_id="e" * 256), "external_id", id="long external id"),
        pytest.param(invoice(customer={"fax": "1"}), "customer.fax", id="unknown customer field"),
        pytest.param(invoice(metadata={"a": "m" * 16_384}), "metadata", id="large metadata"),
        pytest.param(invoice(metadata=[1]), "metadata", id="metadata as list"),
        pytest.param(invoice(items=[{}] * 101), "items", id="many items"),
        pytest.param(invoice(autoselect="yes"), "autoselect", id="autoselect as text"),
        pytest.param(invoice(callback_url="no URL"), "callback_url", id="no URL"),
        pytest.param(invoice(colour="red"), "colour", id="unknown field"),
    ],
)
async def test_a_wrong_field_is_named(shop: Shop, body: dict[str, Any], field: str) -> None:
    await refuses(shop, 422, "invalid_field", [field], json=body)


async def test_a_currency_without_a_rate_is_refused(shop: Shop) -> None:
    await refuses(shop, 422, "no_rate", ["price.currency"], json=priced("1", "XAU"))


@pytest.mark.parametrize(
    ("status", "code", "content"),
    [
        pytest.param(400, "not_json", b"", id="nothing"),
        pytest.param(400, "not_json", b"price=10", id="a form"),
        pytest.param(400, "not_json", b'{"price":', id="cut off"),
        pytest.param(400, "not_json", b"[" * 100_000, id="100,000 brackets"),
        pytest.param(400, "not_json", b'{"a":' * 100_000, id="100,000 objects"),
        pytest.param(400, "not_json", b'{"name":"\xff\xfe"}', id="not UTF-8"),
        pytest.param(400, "not_json", b'{"name":"\\ud800"}', id="lone surrogate"),
        pytest.param(400, "not_json", b'{"name":"\xed\xa0\x80"}', id="encoded surrogate"),
        pytest.param(400, "not_json", b"\xef\xbb\xbf{}", id="byte order mark"),
    ],
)
async def test_what_is_no_json_is_refused(
    shop: Shop, status: int, code: str, content: bytes
) -> None:
    await refuses(shop, status, code, [], data=content, headers=JSON)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_body_that_is_not_packed_as_it_says_is_refused(
    shop: Shop, coding: str, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {**JSON, "Content-Encoding": coding, "Connection": "close"}
    await refuses(shop, 400, "not_json", [], data=b"no archive", headers=headers)
    answer = await shop.ask("POST", "/v1/invoices", "wrong", data=b"no archive", headers=headers)
    assert answer.status == 401
    assert "Traceback" not in caplog.text


async def test_a_body_of_2_mb_is_refused(shop: Shop) -> None:
    body = io.BytesIO(b" " * 2_000_000)
    await refuses(shop, 413, "too_large", [], data=body, headers=JSON)


@pytest.mark.parametrize("content", [b"[]", b"[1]", b'"text"', b"7", b"null", b"true"])
async def test_json_that_is_no_object_is_refused(shop: Shop, content: bytes) -> None:
    await refuses(shop, 422, "invalid_field", [""], data=content, headers=JSON)


@pytest.mark.parametrize("number", [b"NaN", b"-Infinity", b"1e999", b"9" * 5000])
async def test_a_number_that_json_cannot_tell_again_is_refused(shop: Shop, number: bytes) -> None:
    content = b'{"price":{"amount":"1","currency":"USD"},"metadata":{"a":%s}}' % number
    before = await count_rows(shop.engine)
    answer = await shop.ask("POST", "/v1/invoices", data=content, headers=JSON)
    assert (answer.status, answer.code) in {(400, "not_json"), (422, "invalid_field")}
    assert await count_rows(shop.engine) == before


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml"]
)
async def test_another_content_type_is_refused(shop: Shop, kind: str) -> None:
    headers = {"Content-Type": kind}
    await refuses(shop, 415, "unsupported_media_type", [], data=b"{}", headers=headers)


async def test_a_refusal_does_not_repeat_what_was_sent(shop: Shop) -> None:
    answer = await shop.post("/v1/invoices", {**priced("SECRET"), "customer": {"email": 7777}})
    assert answer.status == 422
    assert not any(secret in str(answer.body) for secret in ("SECRET", "7777"))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=many", "limit"),
        ("status=open", "status"),
        ("flag=odd", "flag"),
        ("created_after=yesterday", "created_after"),
        ("created_before=2026-01-01T00:00:00", "created_before"),
        ("external_id=%00", "external_id"),
        ("after=%00", "after"),
        ("colour=red", "colour"),
    ],
)
async def test_a_wrong_filter_is_named(shop: Shop, query: str, field: str) -> None:
    answer = await shop.get(f"/v1/invoices?{query}")
    assert (answer.status, answer.code, answer.fields) == (422, "invalid_field", [field])


@pytest.mark.parametrize("query", ["external_id=%ff", "external_id=%ed%a0%80"])
async def test_a_filter_that_is_not_utf8_finds_nothing(shop: Shop, query: str) -> None:
    await shop.create(external_id="there")
    answer = await shop.ask("GET", f"/v1/invoices?{query}")
    assert (answer.status, answer.body["data"]) == (200, [])


async def test_a_filter_given_twice_is_refused(shop: Shop) -> None:
    answer = await shop.ask("GET", "/v1/invoices?limit=1&limit=2")
    assert (answer.status, answer.code) == (422, "invalid_field")


@pytest.mark.parametrize("path", ["/v1/invoices/{}", "/v1/deposits/{}"])
async def test_an_odd_id_is_not_found(shop: Shop, path: str) -> None:
    for id in ("inv_none", "%00", "%ff", "..%2f", "é", "x" * 5000, "' OR 1=1"):
        answer = await shop.get(path.format(id))
        assert (answer.status, answer.code) == (404, "not_found")


NO_HTTP = {
    "request line": b"NONSENSE sk_secret\r\n\r\n",
    "header": b"GET /v1/invoices HTTP/1.1\r\nHost: x\r\nx-api-key: sk_secret%s\r\n\r\n"
    % (b"x" * 9000),
    "chunk": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nsk_secret\r\n",
}


@pytest.mark.parametrize("sent", NO_HTTP.values(), ids=NO_HTTP)
async def test_what_is_no_http_is_a_400_and_leaves_no_trace_in_the_log(
    shop: Shop, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await asyncio.open_connection(shop.http.host, shop.http.port)
    writer.write(sent)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.0 400 ")
    assert "Traceback" not in caplog.text
    assert "sk_secret" not in caplog.text
