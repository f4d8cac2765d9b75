"""What requests to tx.cash may say, in its names and with its limits."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from watcher.api.compat.reading import Amount, Asked, Currency, Link, Query, Whole
from watcher.domain.invoices import LONGEST, SHORTEST

_PART = r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smh])"
_SECONDS = {"s": 1, "m": 60, "h": 3600}

Line = Annotated[str, Field(max_length=200), Whole]
Text = Annotated[str, Field(max_length=1000), Whole]


def parse_valid_for(text: object) -> int:
    """Seconds, a begun one as a whole: "300s", "2h45m", "1.5h"; raises ValueError."""
    if not isinstance(text, str) or not re.fullmatch(f"({_PART}){{1,9}}", text, re.ASCII):
        raise ValueError('must be a duration such as "300s" or "2h45m"')
    exact = sum(Fraction(number) * _SECONDS[unit] for number, unit in re.findall(_PART, text))
    seconds = math.ceil(exact)
    if not SHORTEST <= seconds <= LONGEST:
        raise PydanticCustomError("out_of_range", "must be from 60s to 720h")
    return seconds


def _codes(value: object) -> object:
    """Comma-separated text or an array, as codes in lower case."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError("must be codes of coins with commas between them, or an array of them")
    return [each.strip().lower() for each in value if each.strip()] or None


class InvoiceIn(Asked):
    """The body of a create."""

    amount: Amount
    name: Line | None = None
    currency: Currency = "USD"
    payment_currencies: Annotated[
        Annotated[list[str], Field(max_length=100)] | None, BeforeValidator(_codes)
    ] = None
    valid_for: Annotated[int, BeforeValidator(parse_valid_for)] | None = None
    callback_url: Link | None = None
    success_url: Link | None = None
    fail_url: Link | None = None
    description: Text | None = None
    meta_data1: Text | None = None
    meta_data2: Text | None = None

    def metadata(self) -> dict[str, str]:
        """What is only repeated."""
        notes = {"meta_data1": self.meta_data1, "meta_data2": self.meta_data2}
        return {name: text for name, text in notes.items() if text is not None}


class AddressIn(Asked):
    """The body that asks for an address."""

    payment_currency: Line


class ListQuery(Query):
    """The query of the list."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    offset: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0
