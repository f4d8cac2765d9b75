"""What merchants are answered: the shapes of invoices, deposits, events, webhooks and rates.

Every field is always there; what is not known is null. Tests hold every answer to these.
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from watcher.domain.deposits import DepositStatus
from watcher.domain.events import EventType
from watcher.domain.invoices import Flag, InvoiceStatus, Reason
from watcher.domain.timeline import Cause
from watcher.questionnaire import QuestionType

Item = TypeVar("Item")


def _open(schema: dict[str, Any]) -> None:
    """Clients must bear fields that are added later, so the document does not forbid them."""
    schema.pop("additionalProperties", None)


class Shape(BaseModel):
    """An answer's part: closed for our tests, open in the document."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=_open)


Amount = Annotated[str, Field(pattern=r"^\d+(\.\d+)?$", examples=["49.99"])]
Units = Annotated[str, Field(pattern=r"^\d+$", examples=["49990000"])]
Time = Annotated[
    str, Field(examples=["2026-11-21T20:00:00Z"], json_schema_extra={"format": "date-time"})
]
Depth = int | Literal["finalized"]


class Listing(Shape, Generic[Item]):
    """A page of a list; `next` goes into `after`, null at the end."""

    data: list[Item]
    next: str | None


class FieldError(Shape):
    """What is wrong with one field."""

    field: str
    code: str
    message: str


class Problem(Shape):
    """An error, as RFC 9457 has it; `code` is for programs."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldError]
    request_id: str


class Price(Shape):
    amount: Amount
    currency: str


class Paid(Price):
    confirmed: Amount


class Quote(Shape):
    """What one offered method costs; `address` is null until its family has one."""

    method: str
    network: str
    asset: str
    contract: str | None
    decimals: int
    rate: str
    sources: list[str]
    amount: Amount
    amount_units: Units
    address: str | None
    payment_uri: str | None
    required_confirmations: Depth


class Deposit(Shape):
    """A payment that one block holds; `reason` says why it does not count."""

    id: str
    object: Literal["deposit"]
    invoice_id: str
    network: str
    method: str
    asset: str
    amount: Amount | None
    amount_units: Units
    status: DepositStatus = Field(strict=False)
    counts: bool
    late: bool
    accepted: bool
    reverted: bool
    reason: Reason | None = Field(strict=False)
    tx_hash: str | None
    position: str
    explorer_url: str | None
    sender: Annotated[str | None, Field(alias="from")]
    to: str
    block_number: int
    block_hash: str
    block_time: Time
    confirmations: int
    required_confirmations: Depth
    detected_at: Time
    confirmed_at: Time | None


class Deposits(Listing[Deposit]):
    """A page of deposits."""


class Moment(Shape):
    """When an invoice reached a status, and what moved it."""

    status: InvoiceStatus = Field(strict=False)
    at: Time
    reason: Cause | None = Field(strict=False)
    deposit: str | None


class Customer(Shape):
    email: str | None
    name: str | None
    address: str | None
    phone: str | None


class Question(Shape):
    name: str
    label: str
    type: QuestionType
    required: bool


class Questionnaire(Shape):
    fields: list[Question]
    answers: dict[str, Any] | None


class Face(Shape):
    """Which compatible API opened the invoice."""

    name: str
    echo: Any


class Invoice(Shape):
    """An invoice with its quotes, deposits and timeline."""

    id: str
    object: Literal["invoice"]
    livemode: bool
    merchant_id: str
    status: InvoiceStatus = Field(strict=False)
    flags: list[Annotated[Flag, Field(strict=False)]]
    external_id: str | None
    price: Price
    paid: Paid
    remaining: Amount
    methods: list[str]
    selected: str | None
    quotes: list[Quote]
    tolerance_percent: str
    name: str | None
    description: str | None
    metadata: dict[str, Any]
    customer: Customer | None
    items: list[dict[str, Any]]
    questionnaire: Questionnaire | None
    redirect_title: str | None
    callback_per_deposit: bool
    callback_url: str | None
    success_url: str | None
    fail_url: str | None
    face: Face | None
    created_with: Literal["secret", "public"]
    valid_for: int | str | None
    confirmations: Depth | None
    deposits: list[Deposit]
    timeline: list[Moment]
    checkout_url: str
    delayed: bool
    expires_at: Time
    created_at: Time
    updated_at: Time
    paid_at: Time | None
    error: FieldError | None = None
    """Only there where its addresses are withheld."""


class Invoices(Listing[Invoice]):
    """A page of invoices."""


class EventData(Shape):
    """The invoice as it was; of a deposit's event, the deposit too."""

    invoice: Invoice
    deposit: Deposit | None = None


class Event(Shape):
    """One entry of the merchant's log; webhooks bring the same."""

    id: str
    seq: int
    type: EventType = Field(strict=False)
    created_at: Time
    livemode: bool
    data: EventData


class Events(Listing[Event]):
    """A page of the log; `begins` is the first `seq` that is still kept."""

    begins: int


class RateSource(Shape):
    """What one source said of one pair."""

    source: str
    base: str
    quote: str
    price: str
    at: Time | None
    updated_at: Time | None


class Rate(Shape):
    """What one coin or currency is worth in `currency`, or the reason why that is not known."""

    asset: str
    currency: str
    rate: str | None
    sources: list[RateSource]
    age_seconds: int | None
    reason: str | None


class Rates(Listing[Rate]):
    """All rates."""


class Method(Rate):
    """What can be paid with; `enabled`: the merchant has a wallet for it."""

    method: str
    network: str
    contract: str | None
    decimals: int
    enabled: bool


class Methods(Listing[Method]):
    """All methods."""


class Wallet(Shape):
    """Where addresses come from; `left` is of a pool, `next_index` of an xpub."""

    id: str
    object: Literal["wallet"]
    merchant_id: str
    family: str
    kind: Literal["xpub", "pool"]
    next_index: int | None
    left: int | None
    created_at: Time


class NewWallet(Wallet):
    """The same, with an xpub's first addresses to compare with the owner's wallet."""

    first_addresses: list[str]


class Wallets(Listing[Wallet]):
    """A page of wallets."""
