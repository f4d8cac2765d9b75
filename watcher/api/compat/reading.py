"""Reading requests as loosely as other systems do, and money exactly."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Annotated, Any, TypeVar

import msgspec
from aiohttp import web
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from watcher import shapes
from watcher.api.errors import Problem, of_validation
from watcher.api.models import WEB_PAGE
from watcher.domain.money import parse_amount
from watcher.questionnaire import why_wrong
from watcher.webhooks.addresses import LONGEST_URL

RELIABLE_DIGITS = 15
"""So many digits of a number survive a binary float: 10.299999999999999 was meant as 10.3."""
LARGEST_EXPONENT = 40
MOST_BRACKETS = 10_000
"""Nested deeper, and with Python's limit raised by a library, reading would end the process."""

Model = TypeVar("Model", bound=BaseModel)


class Asked(BaseModel):
    """What a client sends: fields that nobody knows are ignored; null and "" mean absent."""

    model_config = ConfigDict(extra="ignore", strict=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in data.items() if value is not None and value != ""}


class Query(Asked):
    """The same of a URL, where everything is text."""

    model_config = ConfigDict(extra="ignore", strict=False, hide_input_in_errors=True)


def read_amount(value: object) -> str:
    """A JSON number or decimal text as plain decimal text above zero; refuses what is none."""
    if isinstance(value, str):
        if value.startswith("-") or not value.strip("0."):
            raise PydanticCustomError("out_of_range", "must be greater than 0")
        return parse_amount(value, what="it")
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("must be a number or decimal text")
    exact = Decimal(value)
    if exact <= 0:
        raise PydanticCustomError("out_of_range", "must be greater than 0")
    if abs(exact.adjusted()) > LARGEST_EXPONENT:
        raise PydanticCustomError("out_of_range", "is too large or too small")
    with localcontext(prec=RELIABLE_DIGITS, rounding=ROUND_HALF_UP):
        return parse_amount(f"{+exact:f}", what="it")


def read_bound(value: object) -> str:
    """The same of what amounts are compared with, which may be zero."""
    if isinstance(value, str):
        nothing = re.fullmatch(r"0+(\.0+)?", value, re.ASCII) is not None
    else:
        nothing = isinstance(value, int | Decimal) and value is not False and value == 0
    return "0" if nothing else read_amount(value)


def _email(text: str) -> str:
    if reason := why_wrong("email", text):
        raise ValueError(reason)
    return text


def _whole(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not hold a NUL character")
    return text


Whole = AfterValidator(_whole)
"""Beside a length, where every character but NUL is fine."""
Amount = Annotated[str, BeforeValidator(read_amount)]
Bound = Annotated[str, BeforeValidator(read_bound)]
Currency = shapes.Currency
Email = Annotated[str, Field(max_length=255), AfterValidator(_whole), AfterValidator(_email)]
Link = Annotated[str, Field(max_length=LONGEST_URL, pattern=WEB_PAGE)]
"""Where a browser is sent, or a callback: http or https."""


def _exact(text: str) -> Decimal:
    """A number with a point or an exponent, digit for digit."""
    return Decimal(text)


DECODER = msgspec.json.Decoder(float_hook=_exact)


async def read_object(request: web.Request) -> dict[str, Any]:
    """The body, whatever its Content-Type says; numbers exact.

    Raises:
        Problem: 400, it is not JSON, or not an object.
    """
    raw = await request.read()
    try:
        if raw.count(b"[") + raw.count(b"{") > MOST_BRACKETS:
            raise RecursionError
        body = DECODER.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, ArithmeticError) as error:
        raise Problem(400, "the body is not JSON") from error
    if not isinstance(body, dict):
        raise Problem(400, "the body must be a JSON object")
    return body


def as_model(model: type[Model], body: object) -> Model:
    """What was sent as `model`; 422 naming each field that is wrong."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise of_validation(error) from error


def read_query(request: web.Request, model: type[Model]) -> Model:
    """The query's parameters as `model`; of a repeated one the first."""
    return as_model(model, {name: request.query[name] for name in request.query})


def fingerprint(face: str, tenant: str, body: object) -> bytes:
    """What two creates with one Idempotency-Key must have in common: the body as it was parsed."""
    encoder = msgspec.json.Encoder(decimal_format="number", order="deterministic")
    return b"\0".join((face.encode(), tenant.encode(), encoder.encode(body)))
