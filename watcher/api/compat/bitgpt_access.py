"""BitGPT's keys, envelopes and optional bodies."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from storage.keys import Key
from watcher.api.auth import admit, bearer, find_key
from watcher.api.compat.reading import read_object
from watcher.api.context import POLICY
from watcher.api.errors import Problem
from watcher.api.limits import count
from watcher.clock import new_id
from watcher.faces.bitgpt import prefixed
from watcher.render import Json

JSON = {"application/json", "application/*", "*/*"}
DONE = {200: "Request completed successfully", 201: "Resource created successfully"}


async def authenticate(request: web.Request, scope: str) -> Key:
    """The key in `Authorization`."""
    check_accept(request)
    return admit(request, await find_key(request, bearer(request) or ""), scope)


async def authenticate_if_named(request: web.Request, scope: str) -> Key | None:
    """The same where no key at all is fine, since the id in the path is the secret."""
    if "Authorization" in request.headers:
        return await authenticate(request, scope)
    check_accept(request)
    count(request)
    return None


def check_accept(request: web.Request) -> None:
    """Refuse a client that takes no JSON."""
    ranges = ",".join(request.headers.getall("Accept", [])).split(",")
    taken = {
        each.partition(";")[0].strip().lower()
        for each in ranges
        if each.replace(" ", "").partition(";q=")[2] not in ("0", "0.0", "0.00", "0.000")
    }
    if taken != {""} and taken.isdisjoint(JSON):
        raise Problem(406, "answers are application/json", code="not_acceptable")


async def read_filters(request: web.Request) -> dict[str, Any]:
    """A body that may be absent."""
    return await read_object(request) if (await request.read()).strip() else {}


def envelope(request: web.Request, data: object, status: int = 200) -> Json:
    """What every answer comes in."""
    return _envelope(request, new_id("req"), status, data=data, message=DONE[status])


def error_envelope(
    request: web.Request, status: int, error: str, validator: Json | None, request_id: str
) -> Json:
    """The same of what went wrong."""
    return _envelope(request, request_id, status, error=error, validator=validator)


def _envelope(request: web.Request, request_id: str, status: int, **told: object) -> Json:
    return {
        "status": status,
        "data": told.get("data"),
        "error": told.get("error"),
        "log": None,
        "validator": told.get("validator"),
        "support_id": prefixed("support", request_id),
        "message": told.get("message"),
        "env": "production" if request.app[POLICY].livemode else "development",
    }
