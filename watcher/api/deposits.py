"""Deposits of a merchant: list and show."""

from __future__ import annotations

from aiohttp import web

import storage
from watcher.api import answers
from watcher.api.auth import authorize
from watcher.api.context import ENGINE, POLICY
from watcher.api.describing import Operation
from watcher.api.models import DepositQuery
from watcher.api.reading import read_query
from watcher.domain.blocks import Hash
from watcher.domain.money import Address, Network
from watcher.policy import Policy
from watcher.refused import BadField, NotFound
from watcher.settling import show_deposits

routes = web.RouteTableDef()


@routes.get("/v1/deposits")
@Operation(answers={200: answers.Deposits}, scope="deposits:read", query=DepositQuery)
async def listing(request: web.Request) -> web.Response:
    """A page of the merchant's deposits, newest first."""
    key = await authorize(request, "deposits:read")
    query = read_query(request, DepositQuery)
    policy = request.app[POLICY]
    async with storage.read(request.app[ENGINE]) as conn:
        found = await storage.deposits.listing(
            conn,
            key.merchant_id,
            network=Network(query.network) if query.network else None,
            status=query.status,
            address=_canonical(policy, query.address),
            tx_hash=Hash(query.tx_hash.lower().removeprefix("0x")) if query.tx_hash else None,
            invoice_id=query.invoice_id,
            after=query.after,
            limit=query.limit + 1,
        )
        page = found[: query.limit]
        data = await show_deposits(conn, policy, page)
    more = len(found) > query.limit
    return web.json_response({"data": data, "next": page[-1].id if more else None})


@routes.get("/v1/deposits/{id:[0-9A-Za-z_]+}")
@Operation(answers={200: answers.Deposit}, scope="deposits:read")
async def show(request: web.Request) -> web.Response:
    """One deposit, and whether it counts."""
    key = await authorize(request, "deposits:read")
    async with storage.read(request.app[ENGINE]) as conn:
        deposit = await storage.deposits.get(conn, key.merchant_id, request.match_info["id"])
        if deposit is None:
            raise NotFound("there is no such deposit")
        [shown] = await show_deposits(conn, request.app[POLICY], [deposit])
    return web.json_response(shown)


def _canonical(policy: Policy, text: str | None) -> Address | None:
    """The one spelling that is stored, whichever family it belongs to."""
    if text is None:
        return None
    for network in policy.networks.values():
        try:
            return network.spec.codec.parse(text)
        except ValueError:
            continue
    raise BadField("is no address of an enabled network", field="address")
