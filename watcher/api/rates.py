"""What can be paid with, and what things are worth now."""

from __future__ import annotations

from aiohttp import web

import storage
from watcher.api import answers
from watcher.api.auth import authorize
from watcher.api.context import ENGINE, POLICY
from watcher.api.describing import Operation
from watcher.api.models import RatesQuery
from watcher.api.reading import read_query
from watcher.clock import now
from watcher.rates.showing import show_methods, show_rates

routes = web.RouteTableDef()


@routes.get("/v1/methods")
@Operation(answers={200: answers.Methods}, scope="invoices:read", public=True, query=RatesQuery)
async def methods(request: web.Request) -> web.Response:
    """Every method, whether this merchant can take it, and its rate in `currency`."""
    key = await authorize(request, "invoices:read", public=True)
    query = read_query(request, RatesQuery)
    async with storage.read(request.app[ENGINE]) as conn:
        wallets = await storage.wallets.listing(conn, key.merchant_id)
    families = {wallet.family for wallet, _ in wallets}
    data = show_methods(request.app[POLICY], families, query.currency, now())
    return web.json_response({"data": data, "next": None})


@routes.get("/v1/rates")
@Operation(answers={200: answers.Rates}, scope="invoices:read", public=True, query=RatesQuery)
async def rates(request: web.Request) -> web.Response:
    """Every currency and coin that a price may be in, and its rate in `currency`."""
    await authorize(request, "invoices:read", public=True)
    query = read_query(request, RatesQuery)
    data = show_rates(request.app[POLICY], query.currency, now())
    return web.json_response({"data": data, "next": None})
