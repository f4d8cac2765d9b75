"""What requests to Billium may say, in its names and with its limits."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from watcher.api.compat.reading import Amount, Asked, Currency, Email, Link, Query, Whole
from watcher.faces.billium import NAME, PLACES
from watcher.faces.billium_events import PATTERNS, sources
from watcher.faces.values import rounded
from watcher.render import Json
from watcher.webhooks.managing import NewWebhook

LARGEST_AMOUNT = 1_000_000


def _priced(amount: str) -> str:
    """Rounded as its database would, and within its bounds then."""
    kept = rounded(amount, PLACES)
    if Fraction(kept) > LARGEST_AMOUNT:
        raise ValueError(f"must be less than or equal to {LARGEST_AMOUNT}")
    if Fraction(kept) == 0:
        raise ValueError("must be greater than 0")
    return kept


class InvoiceIn(Asked):
    """The body of a create."""

    name: Annotated[str, Field(max_length=200), Whole]
    rawAmount: Annotated[Amount, AfterValidator(_priced)]
    currency: Currency = "USD"
    customerEmail: Email | None = None
    customerName: Annotated[str, Field(max_length=200), Whole] | None = None
    customerAddress: Annotated[str, Field(max_length=500), Whole] | None = None
    customerPhoneNumber: Annotated[str, Field(max_length=50), Whole] | None = None
    description: Annotated[str, Field(max_length=1000), Whole] | None = None
    redirectUrl: Link | None = None

    def customer(self) -> Json | None:
        """Who pays, as far as it was said."""
        told = {
            "email": self.customerEmail,
            "name": self.customerName,
            "address": self.customerAddress,
            "phone": self.customerPhoneNumber,
        }
        return told if any(told.values()) else None


class ListQuery(Query):
    """The query of the list."""

    page: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    limit: Annotated[int, Field(ge=1, le=100)] = 10
    search: Annotated[str, Field(max_length=200), Whole] | None = None


def _known(patterns: list[str]) -> list[str]:
    for pattern in patterns:
        if pattern not in PATTERNS:
            raise ValueError(f"must be of {', '.join(PATTERNS)}")
    return patterns


Patterns = Annotated[list[str], Field(min_length=1, max_length=50), AfterValidator(_known)]
Retries = Annotated[int, Field(ge=0, le=10)]
Milliseconds = Annotated[int, Field(ge=1000, le=30_000)]
Description = Annotated[str, Field(max_length=1000), Whole]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A webhook to add, and whether it is switched on at once."""

    new: NewWebhook
    active: bool


class WebhookIn(Asked):
    """The body that adds a webhook."""

    url: Link
    events: Patterns
    description: Description | None = None
    isActive: bool = True
    retryCount: Retries = 3
    timeout: Milliseconds = 30_000

    def command(self) -> Wanted:
        new = NewWebhook(
            url=self.url,
            events=sorted(sources(self.events)),
            names=frozenset(self.events),
            description=self.description,
            dialect=NAME,
            retry_count=self.retryCount,
            timeout_ms=self.timeout,
        )
        return Wanted(new, self.isActive)


class WebhookChanges(Asked):
    """The body that changes one: what is left out stays."""

    url: Link | None = None
    events: Patterns | None = None
    description: Description | None = None
    isActive: bool | None = None
    retryCount: Retries | None = None
    timeout: Milliseconds | None = None

    def given(self) -> dict[str, Any]:
        """Our names for what was sent."""
        ours = {
            "url": self.url,
            "events": sorted(sources(self.events)) if self.events else None,
            "names": frozenset(self.events) if self.events else None,
            "description": self.description,
            "enabled": self.isActive,
            "retry_count": self.retryCount,
            "timeout_ms": self.timeout,
        }
        return {name: value for name, value in ours.items() if value is not None}
