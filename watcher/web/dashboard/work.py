"""What awaits the operator: findings of the audit, and deliveries that failed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from pydantic import BaseModel, ConfigDict

import storage
from storage import Conn
from watcher import findings
from watcher.api.context import ENGINE, POLICY
from watcher.api.models import Line
from watcher.clock import now
from watcher.domain.audit import FindingState
from watcher.web.dashboard.frame import go_to, operator, read_form, render
from watcher.webhooks import managing
from watcher.worklists import PAGE, Page, all_webhooks, page_troubled

routes = web.RouteTableDef()


class FindingQuery(BaseModel):
    """Which findings to list."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    state: FindingState | None = None
    after: Line | None = None


class DeliveryQuery(BaseModel):
    """Where the list of failed deliveries goes on."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    after: Line | None = None


@routes.get("/admin/findings")
@operator
async def listing(request: web.Request) -> web.Response:
    """A page of the audit's findings, newest first."""
    query = read_form(request.query, FindingQuery)
    policy = request.app[POLICY]
    async with storage.read(request.app[ENGINE]) as conn:
        found = await storage.findings.listing(
            conn, state=query.state, after=query.after, limit=PAGE + 1
        )
    rows = [findings.render_finding(policy, each) for each in found[:PAGE]]
    page = Page(rows, found[PAGE - 1].id if len(found) > PAGE else None)
    facts = {"page": page, "state": query.state, "states": list(FindingState)}
    return await render(request, "findings.html", facts)


@routes.post("/admin/findings/{id:[0-9A-Za-z_]+}/accept")
@operator
async def accept(request: web.Request) -> web.Response:
    """Make a deposit of a surplus that was found."""
    policy, id = request.app[POLICY], request.match_info["id"]

    async def work(conn: Conn) -> object:
        return await findings.accept_finding(conn, policy, id, now())

    return await _done(request, work, "findings", "finding_accepted")


@routes.post("/admin/findings/{id:[0-9A-Za-z_]+}/dismiss")
@operator
async def dismiss(request: web.Request) -> web.Response:
    """Close a finding that was looked into."""
    id = request.match_info["id"]

    async def work(conn: Conn) -> object:
        return await findings.dismiss_finding(conn, id, now())

    return await _done(request, work, "findings", "finding_dismissed")


@routes.get("/admin/webhooks")
@operator
async def webhooks(request: web.Request) -> web.Response:
    """Every webhook with what is queued for it, and the deliveries that failed."""
    query = read_form(request.query, DeliveryQuery)
    async with storage.read(request.app[ENGINE]) as conn:
        hooks = await all_webhooks(conn, now())
        page = await page_troubled(conn, query.after)
    return await render(request, "webhooks.html", {"hooks": hooks, "page": page})


@routes.post("/admin/webhooks/{merchant}/{delivery:[0-9A-Za-z_]+}/redeliver")
@operator
async def redeliver(request: web.Request) -> web.Response:
    """Let a delivery be due now."""
    merchant_id, id = request.match_info["merchant"], request.match_info["delivery"]

    async def work(conn: Conn) -> object:
        return await managing.redeliver(conn, merchant_id, id)

    return await _done(request, work, "webhooks", "redelivered")


async def _done(
    request: web.Request, work: Callable[[Conn], Awaitable[object]], path: str, done: str
) -> web.Response:
    """Do it in a transaction; show the list again after its commit."""
    await storage.repeat(request.app[ENGINE], work)
    return go_to(request, path, done)
