"""What requests may say: the models that validate them."""

from __future__ import annotations

import json
import re
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
)

from watcher import shapes
from watcher.accepting import Decision
from watcher.domain.audit import FindingState
from watcher.domain.deposits import DepositStatus
from watcher.domain.invoices import Flag, InvoiceStatus
from watcher.domain.money import Method, Price, parse_amount
from watcher.invoicing import NewInvoice
from watcher.questionnaire import QuestionType, why_wrong
from watcher.webhooks.addresses import LONGEST_URL

LARGEST_METADATA = 16 * 1024
WEB_PAGE = r"^https?://[^\s/?#@\\\x00-\x20]+([/?#][^\s\x00-\x20]*)?$"
PRICE = r"^(?=.*[1-9])[0-9]{1,18}(\.[0-9]{1,18})?$"  # for the document; `parse_amount` decides


def _whole(text: str) -> str:
    """Text that every database and every JSON parser takes."""
    if "\0" in text:
        raise ValueError("must not hold a NUL character")
    return text


def _small(value: Any) -> Any:
    if len(json.dumps(value, allow_nan=False)) > LARGEST_METADATA:
        raise ValueError(f"must be at most {LARGEST_METADATA} bytes of JSON")
    return value


def _email(text: str) -> str:
    if reason := why_wrong("email", text):
        raise ValueError(reason)
    return text


def _written(value: object) -> object:
    """A number would be taken for seconds."""
    if isinstance(value, str) and not re.match(r"\d{4}-\d\d-\d\d[Tt ]", value, re.ASCII):
        raise ValueError('must be a time such as "2026-11-21T20:00:00Z"')
    return value


WHOLE = {"pattern": r"^[^\u0000]*$"}  # for the document; `_whole` decides

Line = Annotated[str, Field(max_length=255, json_schema_extra=WHOLE), AfterValidator(_whole)]
Text = Annotated[str, Field(max_length=5000, json_schema_extra=WHOLE), AfterValidator(_whole)]
Link = Annotated[str, Field(max_length=LONGEST_URL, pattern=WEB_PAGE)]
"""Where a browser is sent: no script, no name or password."""
Time = Annotated[AwareDatetime, BeforeValidator(_written)]


def example(**fields: Any) -> ConfigDict:
    """What the document shows of a body."""
    return ConfigDict(json_schema_extra={"examples": [fields]})


class Body(BaseModel):
    """A request's body: strict and closed."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class PriceIn(Body):
    """A price: plain decimal text and a currency with a rate."""

    amount: Annotated[
        str,
        Field(max_length=80, json_schema_extra={"pattern": PRICE}),
        AfterValidator(partial(parse_amount, what="a price")),
    ]
    currency: shapes.Currency

    def price(self) -> Price:
        return Price(self.amount, self.currency)


class CustomerIn(Body):
    """Who pays, as far as the merchant wants to note it."""

    email: Annotated[Line, AfterValidator(_email)] | None = None
    name: Line | None = None
    address: Line | None = None
    phone: Line | None = None


class QuestionIn(Body):
    """One question to the payer."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    label: Annotated[Line, Field(min_length=1)]
    type: QuestionType = "text"
    required: bool = False


class QuestionnaireIn(Body):
    """What the checkout page asks before it shows an address."""

    fields: Annotated[list[QuestionIn], Field(max_length=20)]

    @field_validator("fields")
    @classmethod
    def _check_names(cls, fields: list[QuestionIn]) -> list[QuestionIn]:
        if len({field.name for field in fields}) < len(fields):
            raise ValueError("two questions have one name")
        return fields

    def unanswered(self) -> dict[str, Any] | None:
        """As it is kept and shown; None where nothing is asked."""
        return {**self.model_dump(), "answers": None} if self.fields else None


class InvoiceIn(Body):
    """What `POST /v1/invoices` takes; only `price` is required."""

    model_config = example(
        price={"amount": "49.99", "currency": "USD"},
        methods=["ethereum:usdt", "tron:usdt"],
        external_id="8821",
        valid_for="2h",
    )

    price: PriceIn
    methods: Annotated[list[Line], Field(min_length=1, max_length=100)] | None = None
    name: Line | None = None
    description: Text | None = None
    external_id: Line | None = None
    metadata: Annotated[dict[str, Any], AfterValidator(_small)] = {}
    customer: CustomerIn | None = None
    items: Annotated[list[dict[str, Any]], Field(max_length=100), AfterValidator(_small)] = []
    questionnaire: QuestionnaireIn | None = None
    valid_for: shapes.Duration | None = None
    tolerance_percent: shapes.Percent | None = None
    confirmations: shapes.Confirmations | None = None
    callback_url: Annotated[str, Field(max_length=LONGEST_URL), AfterValidator(_whole)] | None = (
        None
    )
    callback_per_deposit: bool | None = None
    success_url: Link | None = None
    fail_url: Link | None = None
    redirect_title: Line | None = None
    autoselect: bool = True

    def command(self, created_with: str, key_id: str | None = None) -> NewInvoice:
        """The use case's command; says what kind of key asked, and whose secret signs callbacks."""
        return NewInvoice(
            price=self.price.price(),
            methods=self.methods,
            valid_for=self.valid_for,
            tolerance_percent=self.tolerance_percent,
            confirmations=self.confirmations,
            external_id=self.external_id,
            autoselect=self.autoselect,
            details={
                "name": self.name,
                "description": self.description,
                "metadata": self.metadata,
                "customer": self.customer.model_dump() if self.customer else None,
                "items": self.items,
                "questionnaire": self.questionnaire.unanswered() if self.questionnaire else None,
                "confirmations": self.confirmations,
                "callback_url": self.callback_url,
                "callback_per_deposit": bool(self.callback_per_deposit),
                "success_url": self.success_url,
                "fail_url": self.fail_url,
                "redirect_title": self.redirect_title,
                "created_with": created_with,
                "key_id": key_id,
            },
        )


class SelectIn(Body):
    """What `POST /v1/invoices/{id}/select` takes."""

    model_config = example(method="ethereum:usdt")

    method: Line

    def named(self) -> Method:
        return Method(self.method.lower())


class AcceptIn(Body):
    """What `POST /v1/invoices/{id}/accept` takes; all of it may be left out."""

    model_config = example(as_paid=True)

    deposits: Annotated[list[Line], Field(min_length=1, max_length=1000)] | None = None
    as_paid: bool = False

    def decision(self) -> Decision:
        return Decision(self.deposits, self.as_paid)


class RescanIn(Body):
    """What `POST /admin/networks/{network}/rescan` takes: both ends included."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"from": 100, "to": 200}]})

    first: Annotated[int, Field(alias="from", ge=0)]
    last: Annotated[int | None, Field(alias="to", ge=0)] = None


class Page(BaseModel):
    """Where a list goes on, and how much of it to give."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    after: Line | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20


class InvoiceQuery(Page):
    """Filters of `GET /v1/invoices`."""

    status: InvoiceStatus | None = None
    flag: Flag | None = None
    external_id: Line | None = None
    created_after: Time | None = None
    created_before: Time | None = None
    after: Annotated[str, Field(pattern=r"^\d{1,12}-inv_[0-9A-Z]{26}$")] | None = None

    def place(self) -> tuple[int, str] | None:
        """The `created_at` and id that the page before ended with."""
        if self.after is None:
            return None
        created_at, _, id = self.after.partition("-")
        return int(created_at), id


class DepositQuery(Page):
    """Filters of `GET /v1/deposits`."""

    network: Line | None = None
    status: DepositStatus | None = None
    address: Line | None = None
    tx_hash: Line | None = None
    invoice_id: Line | None = None


class FindingQuery(Page):
    """Filters of `GET /admin/audit/findings`."""

    network: Line | None = None
    state: FindingState | None = None


class EventQuery(BaseModel):
    """Where `GET /v1/events` goes on, and how long it may wait for the next."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    after: Annotated[int, Field(ge=0, lt=2**63)] = 0
    wait: Annotated[int, Field(ge=0, le=60)] = 0
    limit: Annotated[int, Field(ge=1, le=100)] = 20


class RatesQuery(BaseModel):
    """What `GET /v1/methods` and `GET /v1/rates` take."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    currency: shapes.Currency = "USD"


def seconds(moment: datetime | None) -> int | None:
    """Epoch seconds of a time from outside."""
    return None if moment is None else int(moment.timestamp())
