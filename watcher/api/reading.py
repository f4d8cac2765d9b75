"""Reading requests: bodies into models, queries into filters; clear answers to bad ones."""

from __future__ import annotations

from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from watcher.api.errors import Problem, of_validation

LARGEST_BODY = 1024 * 1024
Model = TypeVar("Model", bound=BaseModel)


class Nothing(BaseModel):
    """A body that says nothing: absent, or an empty object."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


async def read_body(request: web.Request, model: type[Model]) -> Model:
    """The body as `model`: 415 not called JSON, 413 too long, 400 not JSON, 422 wrong fields."""
    if request.content_type not in ("application/json", "application/octet-stream"):
        raise Problem(415, "send the body as Content-Type: application/json")
    try:
        return model.model_validate_json(await request.read())
    except ValidationError as error:
        if error.errors(include_input=False)[0]["type"] == "json_invalid":
            raise Problem(400, "the body is not JSON") from error
        raise of_validation(error) from error


async def read_optional(request: web.Request, model: type[Model]) -> Model:
    """The same where no body at all is fine: then `model` with its defaults."""
    return await read_body(request, model) if await request.read() else model()


async def read_nothing(request: web.Request) -> None:
    """Check a POST that takes no fields."""
    await read_optional(request, Nothing)


def read_query(request: web.Request, model: type[Model]) -> Model:
    """The query's parameters as `model`; an unknown, repeated or wrong one is a 422."""
    repeated = {name for name in request.query if len(request.query.getall(name)) > 1}
    if repeated:
        raise Problem(422, f"{', '.join(sorted(repeated))}: given twice")
    try:
        return model.model_validate(dict(request.query))
    except ValidationError as error:
        raise of_validation(error) from error
