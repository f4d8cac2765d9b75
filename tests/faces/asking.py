"""Asking as another system's client does: its paths, its headers, its bodies."""

from __future__ import annotations

from typing import Any

from tests.api.shop import Answer, Json, Shop
from watcher.faces.ids import hex_id

SEED_BODIES: dict[str, Json] = {
    "billium": {
        "name": "Order #8821",
        "rawAmount": 49.99,
        "currency": "USD",
        "customerEmail": "customer@example.com",
        "redirectUrl": "https://yoursite.com/thank-you",
    },
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
}
"""The request of each original's documentation: as written there, or its fields by its examples."""


def path_of(face: str, shop: Shop, *rest: str) -> str:
    """Where a face lists and opens invoices; `rest` are parts of the path below."""
    roots = {
        "billium": f"/compat/billium/api/v1/merchants/merchant/{hex_id('mer', shop.merchant_id)}"
        "/invoices",
        "txcash": "/compat/txcash/invoice",
    }
    return "/".join([roots[face], *rest])


def headers_of(face: str, key: str) -> dict[str, str]:
    """The header in which a face's clients send their key."""
    return {"billium": {"x-api-key": key}, "txcash": {"authorization": f"Bearer {key}"}}[face]


async def ask(
    face: str, shop: Shop, method: str, *rest: str, key: str | None = None, **options: Any
) -> Answer:
    """One request to a face; no redirect is followed."""
    text = shop.key if key is None else key
    headers = headers_of(face, text) if text else {}
    headers |= options.pop("headers", {})
    path = options.pop("path", path_of(face, shop, *rest))
    return await shop.ask(method, path, "", headers=headers, allow_redirects=False, **options)


async def opened(face: str, shop: Shop, **fields: Any) -> Json:
    """A new invoice of this face, by default that of its own documentation."""
    answer = await ask(face, shop, "POST", json={**SEED_BODIES[face], **fields})
    assert answer.status in (200, 201), answer.body
    return dict(answer.body)


def word_in(face: str, body: Json) -> Any:
    """Where a face's answer tells the status."""
    return body["status_code" if face == "txcash" else "status"]
