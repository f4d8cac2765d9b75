"""What requests may say: the models that validate them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from watcher.domain.deposits import DepositStatus, Depth
from watcher.domain.invoices import InvoiceStatus
from watcher.domain.money import Method, Price, parse_percent, parse_price
from watcher.durations import parse_duration, show_duration
from watcher.invoicing import NewInvoice

LARGEST_METADATA = 16 * 1024


def _checked(check: Callable[[str], object]) -> AfterValidator:
    """Text that `check` accepts, unchanged."""

    def validate(value: str) -> str:
        check(value)
        return value

    return AfterValidator(validate)


def _small(value: Any) -> Any:
    if len(json.dumps(value)) > LARGEST_METADATA:
        raise ValueError(f"must be at most {LARGEST_METADATA} bytes of JSON")
    return value


Line = Annotated[str, Field(max_length=255)]
Text = Annotated[str, Field(max_length=5000)]


class Body(BaseModel):
    """A request's body: strict and closed."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class PriceIn(Body):
    """A price: plain decimal text and a currency with a rate."""

    amount: Annotated[str, Field(max_length=80)]
    currency: Annotated[str, Field(max_length=80)]

    @model_validator(mode="after")
    def _sound(self) -> PriceIn:
        parse_price(self.amount, self.currency)
        return self

    def price(self) -> Price:
        return parse_price(self.amount, self.currency)


class CustomerIn(Body):
    """Who pays, as far as the merchant wants to note it."""

    email: Line | None = None
    name: Line | None = None
    address: Line | None = None
    phone: Line | None = None


class InvoiceIn(Body):
    """What `POST /v1/invoices` takes; only `price` is required."""

    price: PriceIn
    methods: Annotated[list[Line], Field(min_length=1, max_length=100)] | None = None
    name: Line | None = None
    description: Text | None = None
    external_id: Line | None = None
    metadata: Annotated[dict[str, Any], AfterValidator(_small)] = {}
    customer: CustomerIn | None = None
    items: Annotated[list[dict[str, Any]], Field(max_length=100), AfterValidator(_small)] = []
    valid_for: Annotated[str, _checked(parse_duration)] | None = None
    tolerance_percent: Annotated[str, _checked(parse_percent)] | None = None
    confirmations: Annotated[int, Field(ge=1, le=100_000)] | Literal["finalized"] | None = None
    autoselect: bool = True

    def command(self, created_with: str) -> NewInvoice:
        """The use case's command; `created_with` says what kind of key asked."""
        depth: Depth | None = self.confirmations
        valid_for = parse_duration(self.valid_for) if self.valid_for else None
        return NewInvoice(
            price=self.price.price(),
            methods=self.methods,
            valid_for=valid_for,
            tolerance_percent=self.tolerance_percent,
            confirmations=depth,
            external_id=self.external_id,
            autoselect=self.autoselect,
            details={
                "name": self.name,
                "description": self.description,
                "metadata": self.metadata,
                "customer": self.customer.model_dump() if self.customer else None,
                "items": self.items,
                "valid_for": show_duration(valid_for) if valid_for else None,
                "confirmations": depth,
                "created_with": created_with,
            },
        )


class SelectIn(Body):
    """What `POST /v1/invoices/{id}/select` takes."""

    method: Line

    def named(self) -> Method:
        return Method(self.method.lower())


class Page(BaseModel):
    """Where a list goes on, and how much of it to give."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    after: Line | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20


class InvoiceQuery(Page):
    """Filters of `GET /v1/invoices`."""

    status: InvoiceStatus | None = None
    external_id: Line | None = None
    created_after: AwareDatetime | None = None
    created_before: AwareDatetime | None = None


class DepositQuery(Page):
    """Filters of `GET /v1/deposits`."""

    network: Line | None = None
    status: DepositStatus | None = None
    address: Line | None = None
    tx_hash: Line | None = None
    invoice_id: Line | None = None


def seconds(moment: datetime | None) -> int | None:
    """Epoch seconds of a time from outside."""
    return None if moment is None else int(moment.timestamp())
