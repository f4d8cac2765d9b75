"""Merchants and their API keys, for the operator."""

from __future__ import annotations

from typing import Annotated, Literal

from aiohttp import web
from pydantic import AfterValidator, Field

import storage
from storage import Conn
from watcher import merchants, refused
from watcher.api import operator_answers
from watcher.api.auth import authorize_admin
from watcher.api.context import BOX, ENGINE
from watcher.api.describing import ADMIN, Operation
from watcher.api.idempotency import perform
from watcher.api.models import Body, Line, Page
from watcher.api.reading import Nothing, read_body, read_nothing, read_query
from watcher.clock import now
from watcher.render import Json

routes = web.RouteTableDef()


def _scope(text: str) -> str:
    if text not in merchants.SCOPES:
        raise ValueError(f"there are {', '.join(merchants.SCOPES)}")
    return text


class MerchantIn(Body):
    """What `POST /admin/merchants` takes."""

    name: Line


class KeyIn(Body):
    """What `POST /admin/keys` takes; without scopes a secret key gets all."""

    merchant_id: Line
    kind: Literal["secret", "public"] = "secret"
    scopes: (
        list[
            Annotated[
                str, AfterValidator(_scope), Field(json_schema_extra={"enum": [*merchants.SCOPES]})
            ]
        ]
        | None
    ) = None


class KeyQuery(Page):
    """Filters of `GET /admin/keys`."""

    merchant_id: Line | None = None


@routes.get("/admin/merchants")
@Operation(answers={200: operator_answers.Merchants}, scope=ADMIN, query=Page)
async def list_merchants(request: web.Request) -> web.Response:
    """A page of the merchants, oldest first."""
    authorize_admin(request)
    query = read_query(request, Page)
    async with storage.read(request.app[ENGINE]) as conn:
        found = await storage.merchants.listing(conn, after=query.after, limit=query.limit + 1)
    page = found[: query.limit]
    following = page[-1].id if len(found) > query.limit else None
    return web.json_response(
        {"data": [merchants.render_merchant(each) for each in page], "next": following}
    )


@routes.post("/admin/merchants")
@Operation(answers={201: operator_answers.Merchant}, scope=ADMIN, body=MerchantIn)
async def add_merchant(request: web.Request) -> web.Response:
    """Add a merchant."""
    authorize_admin(request)
    name = (await read_body(request, MerchantIn)).name

    async def work(conn: Conn) -> Json:
        return merchants.render_merchant(await merchants.add_merchant(conn, name, now()))

    return await perform(request, None, work, status=201)


@routes.get("/admin/keys")
@Operation(answers={200: operator_answers.Keys}, scope=ADMIN, query=KeyQuery)
async def list_keys(request: web.Request) -> web.Response:
    """A page of the keys, oldest first, revoked ones too; never their text."""
    authorize_admin(request)
    query = read_query(request, KeyQuery)
    async with storage.read(request.app[ENGINE]) as conn:
        found = await storage.keys.listing(
            conn, query.merchant_id, after=query.after, limit=query.limit + 1
        )
    page = found[: query.limit]
    following = page[-1].id if len(found) > query.limit else None
    return web.json_response(
        {"data": [merchants.render_key(each) for each in page], "next": following}
    )


@routes.post("/admin/keys")
@Operation(
    answers={201: operator_answers.NewKey}, scope=ADMIN, body=KeyIn, refuses=(refused.NotFound,)
)
async def add_key(request: web.Request) -> web.Response:
    """Make a key; its text and its signing secret are in this answer only."""
    authorize_admin(request)
    asked, box = await read_body(request, KeyIn), request.app[BOX]

    async def work(conn: Conn) -> Json:
        made = await merchants.add_key(
            conn, box, asked.merchant_id, asked.kind == "public", asked.scopes, now()
        )
        return merchants.render_new_key(made)

    return await perform(request, None, work, status=201)


@routes.delete("/admin/keys/{id:[0-9A-Za-z_]+}")
@Operation(answers={204: None}, scope=ADMIN, body=Nothing)
async def revoke_key(request: web.Request) -> web.Response:
    """Stop a key from working, at once and for good."""
    authorize_admin(request)
    await read_nothing(request)
    id = request.match_info["id"]
    await storage.repeat(request.app[ENGINE], lambda conn: merchants.revoke_key(conn, id, now()))
    return web.Response(status=204)
