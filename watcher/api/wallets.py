"""A merchant's wallets: where the addresses of his invoices come from. No private key, ever."""

from __future__ import annotations

from typing import Annotated, Self

from aiohttp import web
from pydantic import Field, model_validator

import storage
from chains.base import AddressCodec
from storage import Conn
from storage.wallets import Wallet
from watcher import refused, wallets
from watcher.api import answers
from watcher.api.auth import authorize
from watcher.api.context import ENGINE, POLICY
from watcher.api.describing import Operation
from watcher.api.idempotency import perform
from watcher.api.models import Body, Line, Page
from watcher.api.reading import Nothing, read_body, read_nothing, read_query
from watcher.clock import now
from watcher.domain.money import Family
from watcher.render import Json

SCOPE = "wallets:write"
ID = "{id:[0-9A-Za-z_]+}"
MOST_ADDRESSES = 1000  # checking each takes its time, and others wait

routes = web.RouteTableDef()


class WalletIn(Body):
    """What `POST /v1/wallets` takes: an xpub, or addresses."""

    family: Line
    xpub: Line | None = None
    from_index: Annotated[int, Field(ge=0, lt=2**31)] = 0
    addresses: Annotated[list[Line], Field(min_length=1, max_length=MOST_ADDRESSES)] | None = None

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if (self.xpub is None) == (self.addresses is None):
            raise ValueError("give either xpub or addresses")
        return self


@routes.post("/v1/wallets")
@Operation(
    answers={201: answers.NewWallet}, scope=SCOPE, body=WalletIn, refuses=(refused.AlreadyThere,)
)
async def add(request: web.Request) -> web.Response:
    """Add a wallet; of an xpub the first addresses are shown, to compare with the owner's."""
    key = await authorize(request, SCOPE)
    asked, policy = await read_body(request, WalletIn), request.app[POLICY]
    codec = wallets.codec_of(policy, asked.family)

    async def work(conn: Conn) -> Json:
        wallet = await _add(conn, codec, key.merchant_id, asked)
        first = wallets.first_addresses(codec, asked.xpub, asked.from_index) if asked.xpub else []
        left = len(asked.addresses) if asked.addresses else None
        return {**wallets.render_wallet(wallet, left), "first_addresses": first}

    return await perform(request, key, work, status=201)


@routes.get("/v1/wallets")
@Operation(answers={200: answers.Wallets}, scope=SCOPE, query=Page)
async def listing(request: web.Request) -> web.Response:
    """A page of the merchant's wallets, oldest first."""
    key = await authorize(request, SCOPE)
    query = read_query(request, Page)
    async with storage.read(request.app[ENGINE]) as conn:
        found = await storage.wallets.listing(
            conn, key.merchant_id, after=query.after, limit=query.limit + 1
        )
    page = found[: query.limit]
    following = page[-1][0].id if len(found) > query.limit else None
    return web.json_response(
        {"data": [wallets.render_wallet(*each) for each in page], "next": following}
    )


@routes.delete(f"/v1/wallets/{ID}")
@Operation(answers={204: None}, scope=SCOPE, body=Nothing, refuses=(refused.WalletInUse,))
async def delete(request: web.Request) -> web.Response:
    """Delete a wallet that no invoice ever got an address of."""
    key = await authorize(request, SCOPE)
    await read_nothing(request)
    id = request.match_info["id"]
    await storage.repeat(
        request.app[ENGINE], lambda conn: wallets.delete_wallet(conn, key.merchant_id, id)
    )
    return web.Response(status=204)


async def _add(conn: Conn, codec: AddressCodec, merchant_id: str, asked: WalletIn) -> Wallet:
    family = Family(asked.family)
    if asked.xpub is not None:
        return await wallets.add_xpub(
            conn, merchant_id, family, asked.xpub, asked.from_index, now()
        )
    return await wallets.add_pool(conn, merchant_id, family, codec, asked.addresses or [], now())
