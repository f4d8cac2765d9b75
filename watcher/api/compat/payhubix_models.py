"""What requests to PayHubix may say, in its names and with its limits."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from watcher.api.compat.reading import Amount, Asked, Currency, Email, Link, Query, Whole

_WINDOW = re.compile(r"([0-9]{1,2}):([0-5][0-9])", re.ASCII)
Word = Literal["Created", "Pending", "Paid", "Canceled", "Partially", "PartiallyExpired", "Expired"]
LONGEST = 200


def parse_window(text: object) -> int:
    """Seconds: "2:20" and "02:20" are two hours and twenty minutes; raises ValueError."""
    match = _WINDOW.fullmatch(text) if isinstance(text, str) else None
    seconds = int(match[1]) * 3600 + int(match[2]) * 60 if match else 0
    if not seconds:
        raise ValueError("must be hours and minutes such as 02:20, and more than 00:00")
    return seconds


def _as_text(value: object) -> object:
    """An order number that comes as a number."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return str(value)
    return value


def _short(text: str) -> str:
    if len(text) > LONGEST:
        raise ValueError(f"should have at most {LONGEST} characters")
    return text


Url = Annotated[Link, Field(max_length=LONGEST)]


class InvoiceIn(Asked):
    """The body of a create."""

    currency_amount: Amount
    currency_symbol: Currency
    time_for_payment: Annotated[int, BeforeValidator(parse_window)]
    currencies: Annotated[list[int], Field(max_length=100)]
    customer_email: Annotated[Email, AfterValidator(_short)] | None = None
    order_id: Annotated[
        Annotated[str, Field(max_length=100), Whole] | None, BeforeValidator(_as_text)
    ] = None
    order_description: Annotated[str, Field(max_length=LONGEST), Whole] | None = None
    callback_url: Url | None = None
    redirect_url: Url | None = None
    shop_id: Annotated[str, Field(max_length=LONGEST)] | None = None


class ListQuery(Query):
    """The query of the list."""

    page: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    per_page: Annotated[int, Field(ge=1, le=100)] = 10
    status: Word | None = None
    created_at: Literal["asc", "desc"] = "desc"
    currency_symbol: Currency | None = None
