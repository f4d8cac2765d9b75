"""Holding an answer to the example that an original system's document shows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.api.shop import Json
from tests.faces.seeds import Field

Looks = dict[str, tuple[str, str]]
"""By path: what stands there as JSON text, and the decision by which the example differs ("" where
it has that very format). What is not named is as the example has it, to the letter."""

MILLISECONDS = r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"'
SPACED = r'"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})? \+0000 UTC"'
SECONDS = r'"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"'
RFC_3339 = r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"'
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
HEX_ID = "B13: the example cuts ids short, ours have 32 hex digits"
OURS = "it is our service's own"
CATALOGUE = "P12: the example has no true values here"

BILLIUM: Looks = {
    "id": (r'"inv_[0-9a-f]{32}"', HEX_ID),
    "merchantId": (r'"mer_[0-9a-f]{32}"', HEX_ID),
    "customerId": (r'"cus_[0-9a-f]{32}"', HEX_ID),
    "customer.id": (r'"cus_[0-9a-f]{32}"', HEX_ID),
    "invoiceTimeline.0.id": (r'"itl_[0-9a-f]{32}"', HEX_ID),
    "invoiceTimeline.0.invoiceId": (r'"inv_[0-9a-f]{32}"', HEX_ID),
    "expiresAt": (MILLISECONDS, ""),
    "createdAt": (MILLISECONDS, ""),
    "updatedAt": (MILLISECONDS, ""),
    "invoiceTimeline.0.time": (MILLISECONDS, ""),
}
BILLIUM_MORE = {
    "checkoutUrl": "B3: its overview promises a checkout page and no field has the link",
    "customer.merchantId": "its client library has it",
    "customer.createdAt": "its client library has it",
    "customer.updatedAt": "its client library has it",
}
PAYHUBIX: Looks = {
    "message.invoice_url": (r'"http://[^"]+/pay/inv_[0-9A-Z]{26}"', OURS),
    "message.link": (r'"INV-[0-9A-Z]{26}"', "P2: 8 characters could be guessed"),
    "message.service_fee_percent": ("0", "P3: there is no fee"),
    "message.created_at": (SPACED, ""),
    "message.expire_at": (SPACED, ""),
    "message.shop.name": (r'"[^"]+"', ""),
    "message.shop.website": ("null", "nullable by its own table: a merchant has none here"),
    "message.shop.shop_id": (f'"{UUID}"', ""),
    "message.currencies.0.currency_icon_url": (
        '""',
        "there are no pictures: they would be fetched",
    ),
    "message.currencies.0.network_icon_url": ('""', "there are no pictures: they would be fetched"),
    "message.currencies.0.network_scanner_url": (r'"http[^"]+"', CATALOGUE),
    "message.currencies.0.precision": ("6", CATALOGUE),
    "message.currencies.0.paymentable": ("true", CATALOGUE),
    "message.currencies.0.is_native": ("true", CATALOGUE),
}
BITGPT: Looks = {
    "id": (f'"invoice_{UUID}"', ""),
    "organization_id": (f'"org_{UUID}"', ""),
    "substatus": ("null", "only an invoice that was paid too much has one"),
    "price_usd": (r'"\d+\.\d{30}"', ""),
    "created_at": (SECONDS, ""),
    "updated_at": (SECONDS, ""),
}
BITGPT_MORE = dict.fromkeys(
    ("customer_email", "metadata.any_custom_key_1"), "its page names it and has no example of it"
)

TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "enum<string>": (str,),
    "float": (int, float),
    "integer": (int,),
    "uint": (int,),
    "int": (int,),
    "bool": (bool,),
    "object": (dict,),
    "array": (list,),
    "object[]": (list,),
    "undefined[]": (list,),
}


def leaves(value: Any, *path: str) -> Iterator[tuple[str, str]]:
    """Every value that holds no other, by its path, as JSON text."""
    if not isinstance(value, dict | list) or not value:
        yield ".".join(path), json.dumps(value, ensure_ascii=False)
        return
    for name, each in value.items() if isinstance(value, dict) else enumerate(value):
        yield from leaves(each, *path, str(name))


def hold_to_example(
    answer: Json, example: Json, looks: Looks, more: dict[str, str] | None = None
) -> None:
    """The answer has all that the example shows, alike or as `looks` says, and `more` alone."""
    ours, theirs = dict(leaves(answer)), dict(leaves(example))
    assert looks.keys() <= theirs.keys()
    for path, shown in theirs.items():
        pattern, departs = looks.get(path, (re.escape(shown), ""))
        assert path in ours, path
        assert re.fullmatch(pattern, ours[path]), (path, pattern, ours[path])
        assert bool(re.fullmatch(pattern, shown)) is (not departs), (path, pattern, shown)
    assert ours.keys() - theirs.keys() == set(more or {})


def hold_to_fields(answer: Json, fields: list[Field]) -> None:
    """The answer has every documented field in its type, and null only where that is allowed."""
    assert fields
    for field in fields:
        found = values_at(answer, field.name)
        assert found, field.name
        for value in found:
            assert value is not None or not field.required or "(nullable)" in field.told, field
            assert value is None or is_typed(value, field.type), (field, value)


def is_typed(value: object, type: str) -> bool:
    """Whether it is of a type as documents call it; true and false are no numbers."""
    return isinstance(value, TYPES[type]) and isinstance(value, bool) is (type == "bool")


def values_at(answer: Json, path: str) -> list[Any]:
    """What stands at a path such as `payments[].transactions[].tx_hash`; nothing where it ends."""
    found: list[Any] = [answer]
    for part in path.split("."):
        name = part.removesuffix("[]")
        found = [each[name] for each in found if name in each]
        if part != name:
            found = [each for several in found for each in several]
    return found
