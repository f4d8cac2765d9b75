"""What requests to Billium may say, in its names and with its limits."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated

from pydantic import AfterValidator, Field

from watcher.api.compat.reading import Amount, Asked, Currency, Email, Link, Query, Whole
from watcher.faces.billium import PLACES
from watcher.faces.values import rounded
from watcher.render import Json

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
