"""Asking the chain: explain a transaction, read blocks again."""

from __future__ import annotations

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from chains.base import ChainClient
from watcher.api.context import CLIENTS, ENGINE, POLICY
from watcher.api.models import Line
from watcher.api.tools import begin_rescan
from watcher.domain.money import Network
from watcher.explain import explain, parse_hash
from watcher.refused import NotFound
from watcher.web.dashboard.frame import form_of, go_to, operator, read_form, render

routes = web.RouteTableDef()


class ExplainQuery(BaseModel):
    """Which transaction to explain."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    network: Line | None = None
    tx_hash: Line | None = None


class RescanForm(BaseModel):
    """Which blocks to read again, both ends included."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    network: Line
    first: int = Field(alias="from", ge=0)
    last: int | None = Field(None, alias="to", ge=0)


@routes.get("/admin/explain")
@operator
async def show(request: web.Request) -> web.Response:
    """Each move of a transaction: credited to what, or exactly why not."""
    query = read_form(request.query, ExplainQuery)
    found = None
    if query.network and query.tx_hash:
        network, hash = Network(query.network), parse_hash(query.tx_hash)
        client = _client(request, network)
        found = await explain(request.app[ENGINE], request.app[POLICY], client, network, hash)
    return await render(request, "explain.html", {"query": query, "found": found})


@routes.post("/admin/rescans")
@operator
async def rescan(request: web.Request) -> web.Response:
    """Begin to read blocks again; the network's page shows how far it is."""
    asked = read_form(await form_of(request), RescanForm)
    network = Network(asked.network)
    client = _client(request, network)
    await begin_rescan(request.app, network, client, asked.first, asked.last)
    return go_to(request, f"networks/{network}", "rescan_begun")


def _client(request: web.Request, network: Network) -> ChainClient:
    client = request.app[CLIENTS].get(network)
    if client is None:
        raise NotFound("there is no such enabled network")
    return client
