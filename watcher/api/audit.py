"""Findings of the audit: shown to the operator, who makes deposits of them or dismisses them."""

from __future__ import annotations

from aiohttp import web

import storage
from storage import Conn
from watcher import refused
from watcher.api import operator_answers
from watcher.api.auth import authorize_admin
from watcher.api.context import ENGINE, POLICY
from watcher.api.describing import ADMIN, Operation
from watcher.api.idempotency import perform
from watcher.api.models import FindingQuery
from watcher.api.reading import Nothing, read_nothing, read_query
from watcher.clock import now
from watcher.domain.money import Network
from watcher.findings import accept_finding, dismiss_finding, find_finding, render_finding
from watcher.render import Json

routes = web.RouteTableDef()


@routes.get("/admin/audit/findings")
@Operation(answers={200: operator_answers.Findings}, scope=ADMIN, query=FindingQuery)
async def listing(request: web.Request) -> web.Response:
    """A page of the audit's findings, newest first."""
    authorize_admin(request)
    query = read_query(request, FindingQuery)
    async with storage.read(request.app[ENGINE]) as conn:
        found = await storage.findings.listing(
            conn,
            network=Network(query.network) if query.network is not None else None,
            state=query.state,
            after=query.after,
            limit=query.limit + 1,
        )
    page = found[: query.limit]
    data = [render_finding(request.app[POLICY], each) for each in page]
    following = page[-1].id if len(found) > query.limit else None
    return web.json_response({"data": data, "next": following})


@routes.get("/admin/audit/findings/{id}")
@Operation(answers={200: operator_answers.Finding}, scope=ADMIN)
async def show(request: web.Request) -> web.Response:
    """One finding."""
    authorize_admin(request)
    async with storage.read(request.app[ENGINE]) as conn:
        finding = await find_finding(conn, request.match_info["id"])
    return web.json_response(render_finding(request.app[POLICY], finding))


@routes.post("/admin/audit/findings/{id}/accept")
@Operation(
    answers={200: operator_answers.Finding},
    scope=ADMIN,
    body=Nothing,
    refuses=(refused.NotOpen, refused.NoRate),
)
async def accept(request: web.Request) -> web.Response:
    """Make a deposit of a surplus that was found."""
    authorize_admin(request)
    await read_nothing(request)

    policy, id = request.app[POLICY], request.match_info["id"]

    async def work(conn: Conn) -> Json:
        return render_finding(policy, await accept_finding(conn, policy, id, now()))

    return await perform(request, None, work)


@routes.post("/admin/audit/findings/{id}/dismiss")
@Operation(
    answers={200: operator_answers.Finding},
    scope=ADMIN,
    body=Nothing,
    refuses=(refused.NotOpen,),
)
async def dismiss(request: web.Request) -> web.Response:
    """Close a finding that was looked into."""
    authorize_admin(request)
    await read_nothing(request)

    policy, id = request.app[POLICY], request.match_info["id"]

    async def work(conn: Conn) -> Json:
        return render_finding(policy, await dismiss_finding(conn, id, now()))

    return await perform(request, None, work)
