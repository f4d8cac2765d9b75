"""Asking as another system's client does: its paths, its headers, its bodies."""

from __future__ import annotations

from typing import Any

from tests.api.shop import Answer, Json, Shop, make_policy
from watcher.faces.ids import hex_id
from watcher.policy import Policy

SEED_BODIES: dict[str, Json] = {
    "billium": {
        "name": "Order #8821",
        "rawAmount": 49.99,
        "currency": "USD",
        "customerEmail": "customer@example.com",
        "redirectUrl": "https://yoursite.com/thank-you",
    },
    "kuna": {"asset": "EUR", "amount": "1000"},
    "txcash": {
        "amount": 49.99,
        "name": "Order #8821",
        "currency": "usd",
        "payment_currencies": "eth_eth, eth_usdt",
        "valid_for": "2h45m",
        "success_url": "https://example.com/?optionalQuery=value",
        "fail_url": "https://example.com/?optionalQuery=value",
        "description": "Two shirts",
        "meta_data1": "8821",
    },
    "payhubix": {
        "currency_amount": 1,
        "currency_symbol": "USD",
        "customer_email": "customer@example.com",
        "time_for_payment": "02:00",
        "currencies": [],
        "order_id": "#12325425",
        "order_description": "macbook air m3",
        "callback_url": "https://example.com/callback",
    },
    "bitgpt": {
        "items": [
            {
                "type": "PAYMENT_INTENT",
                "currency": "EUR",
                "price": "504.818257074815000000000000000000",
            }
        ],
        "customer_email": "customer@example.com",
        "metadata": {"any_custom_key_1": "any_custom_value_1"},
        "redirect_url": "https://example.com/success",
    },
}
"""The request of each original's documentation: as written there, or its fields by its examples."""


def face_policy() -> Policy:
    """The usual configuration, with a rate for every currency that an original's page names."""
    return make_policy(rates={"fixed": {"USDT/USD": "1", "ETH/USD": "2000", "EUR/USD": "1.1"}})


def path_of(face: str, shop: Shop, *rest: str) -> str:
    """Where a face lists and opens invoices; `rest` are parts of the path below."""
    roots = {
        "billium": f"/compat/billium/api/v1/merchants/merchant/{hex_id('mer', shop.merchant_id)}"
        "/invoices",
        "kuna": "/compat/kuna/v1/invoice",
        "txcash": "/compat/txcash/invoice",
        "payhubix": "/compat/payhubix/v1/invoices",
        "bitgpt": "/compat/bitgpt/invoices",
    }
    return "/".join([roots[face], *rest])


def headers_of(face: str, key: str) -> dict[str, str]:
    """The header in which a face's clients send their key."""
    return {
        "billium": {"x-api-key": key},
        "kuna": {"api-key": key},
        "txcash": {"authorization": f"Bearer {key}"},
        "payhubix": {"X-Api-Key": key},
        "bitgpt": {"Authorization": f"Bearer {key}"},
    }[face]


async def ask(
    face: str, shop: Shop, method: str, *rest: str, key: str | None = None, **options: Any
) -> Answer:
    """One request to a face; no redirect is followed."""
    text = shop.key if key is None else key
    headers = headers_of(face, text) if text else {}
    headers |= options.pop("headers", {})
    if face == "bitgpt" and method == "GET":
        rest = rest or ("list",)
    path = options.pop("path", path_of(face, shop, *rest))
    if method == "GET" and "/bitgpt/invoices" in path:
        method = "POST"  # as all reads there
    return await shop.ask(method, path, "", headers=headers, allow_redirects=False, **options)


async def opened(face: str, shop: Shop, **fields: Any) -> Json:
    """A new invoice of this face, by default that of its own documentation."""
    answer = await ask(face, shop, "POST", json={**SEED_BODIES[face], **fields})
    assert answer.status in (200, 201), answer.body
    return dict(answer.body)


def told_in(face: str, body: Json) -> Json:
    """What a face's answer says of the invoice."""
    around = {"kuna": "data", "payhubix": "message", "bitgpt": "data"}
    return dict(body[around[face]]) if face in around else body


def id_in(face: str, body: Json) -> str:
    """Where a face's answer names the invoice."""
    told = told_in(face, body)
    return str(told["link"].replace("-", "_") if face == "payhubix" else told["id"])


def word_in(face: str, body: Json) -> Any:
    """Where a face's answer tells the status."""
    told = told_in(face, body)
    if face == "bitgpt" and told["substatus"]:
        return f"{told['status']}+{told['substatus']}"
    return told["status_code" if face == "txcash" else "status"]
