"""What requests to BitGPT may say, in its names and with its limits."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from typing import Annotated, Any, Literal

import msgspec
from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import from_json

from watcher.api.compat.reading import Amount, Asked, Bound, Email, Link, Whole
from watcher.api.models import LARGEST_METADATA
from watcher.domain.money import PRICE_DECIMALS, Price, rounded_down
from watcher.faces.bitgpt import PAYMENT_WORDS, WORDS
from watcher.faces.bitgpt_currencies import CURRENCIES, word_of
from watcher.faces.bitgpt_events import NAMES
from watcher.refused import BadField

EXPANSIONS = (
    "payments",
    "payments.provider",
    "items",
    "items.product",
    "items.billing_schema",
    "items.payment_intent",
    "calculations",
    "organization",
    "currency",
)
INVOICE_WORDS = {WORDS.by_status(name)[0] for name in WORDS.__slots__} | {"PROCESSING"}
_PLAIN = msgspec.json.Encoder(decimal_format="number")


def _one_of(known: Sequence[str]) -> Any:
    """A check that says in one sentence what there is; case does not matter."""

    def check(value: object) -> str:
        if isinstance(value, str) and value.upper() in known:
            return value.upper()
        raise ValueError(f"must be one of {', '.join(known)}")

    return BeforeValidator(check)


def _usual(word: str) -> str:
    """Of several words for one currency the one that is shown."""
    return word_of(CURRENCIES[word])


def _named_expansion(value: str) -> str:
    if value not in EXPANSIONS:
        raise ValueError(f"must be one of {', '.join(EXPANSIONS)}")
    return value


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    """Numbers as usual, and no more of it than our own API takes."""
    text = _PLAIN.encode(value)
    if len(text) > LARGEST_METADATA:
        raise ValueError(f"must be at most {LARGEST_METADATA} bytes of JSON")
    plain: dict[str, Any] = from_json(text)  # which is no deeper than our own API's bodies
    json.dumps(plain, allow_nan=False)  # a number beyond all bounds is none
    return plain


def _seconds(value: object) -> int:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}(-\d\d){2} \d\d(:\d\d){2}", value):
        raise ValueError("must be a time in UTC such as 2025-07-04 18:10:53")
    return int(datetime.fromisoformat(value).replace(tzinfo=UTC).timestamp())


def _https(url: str) -> str:
    if not url.startswith("https://"):
        raise ValueError("must begin with https://")
    return url


Currency = Annotated[str, _one_of(tuple(CURRENCIES))]
Expand = Annotated[
    list[Annotated[str, AfterValidator(_named_expansion)]], Field(max_length=len(EXPANSIONS))
]
Time = Annotated[int, BeforeValidator(_seconds)]
Id = Annotated[str, Field(max_length=100)]


class ItemIn(Asked):
    """What is sold. There is no catalogue of products."""

    type: Annotated[str, _one_of(("PAYMENT_INTENT",))]
    currency: Currency
    price: Amount
    quantity: Annotated[int, Field(ge=1, le=1_000_000)] = 1


class InvoiceIn(Asked):
    """The body of a create."""

    items: Annotated[list[ItemIn], Field(min_length=1, max_length=100)]
    currency: Currency | None = None
    customer_email: Email | None = None
    metadata: Annotated[dict[str, Any], AfterValidator(_plain)] = Field(default={})
    redirect_url: Link | None = None

    @property
    def word(self) -> str:
        """The currency as it was sent."""
        return self.items[0].currency

    def price(self) -> Price:
        """The sum of all items; raises BadField unless they are in one currency."""
        for place, item in enumerate(self.items):
            if item.currency != self.word:
                reason = "must be the currency of the first item: an invoice has one"
                raise BadField(reason, field=f"items.{place}.currency")
        if self.currency not in (None, self.word):
            raise BadField("must be the currency of the items", field="currency")
        total = sum(Fraction(each.price) * each.quantity for each in self.items)
        return Price(rounded_down(Fraction(total), PRICE_DECIMALS), CURRENCIES[self.word])


class ShowIn(Asked):
    """The body that asks for an invoice."""

    expand: Expand = Field(default=[])
    currency: Currency | None = None


class PageIn(Asked):
    """Where in a list, and what both lists are filtered by."""

    currency: Annotated[list[Currency], Field(max_length=len(CURRENCIES))] | None = None
    price_usd_from: Bound | None = None
    price_usd_to: Bound | None = None
    created_at_from: Time | None = None
    created_at_to: Time | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    offset: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0

    def fits(self, currency: str, dollars: str | None) -> bool:
        """Whether currency, as it is shown, and price are among those asked for."""
        if self.currency is not None and word_of(currency) not in map(_usual, self.currency):
            return False
        if self.price_usd_from is None and self.price_usd_to is None:
            return True
        if dollars is None:
            return False
        worth = Fraction(dollars)
        above = self.price_usd_from is None or worth >= Fraction(self.price_usd_from)
        return above and (self.price_usd_to is None or worth <= Fraction(self.price_usd_to))


class InvoicesIn(PageIn):
    """The body that lists invoices."""

    status: list[Annotated[str, _one_of(sorted(INVOICE_WORDS))]] | None = None
    customer_email: Annotated[str, Field(max_length=255)] | None = None
    provider_id: Id | None = None


class PaymentsIn(PageIn):
    """The body that lists payments."""

    provider_id: Annotated[list[Id], Field(max_length=100)] | None = None
    invoice_id: Id | None = None
    status: list[Annotated[str, _one_of([*PAYMENT_WORDS.values(), "CANCELLED"])]] | None = None
    expand: Expand = Field(default=[])


class WebhookIn(Asked):
    """The body that adds a webhook."""

    label: Annotated[str, Field(max_length=255, pattern=r"^[^\r\n]*$"), Whole]
    url: Annotated[Link, AfterValidator(_https)]
    events: Annotated[
        list[Literal["payment.created", "payment.updated", "order.paid"]],
        Field(min_length=1, max_length=len(set(NAMES.values()))),
    ]
    description: Annotated[str, Field(max_length=1000), Whole] | None = None
