"""A merchant's server on loopback that can be slow, rude or gone; and a shop that tells it."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import insert
from standardwebhooks import Webhook as Verifier

import storage
from storage import Engine, schema
from storage.deliveries import Delivery
from storage.tries import Try
from tests.api.shop import BOX, Shop, make_policy, open_shop, serve
from tests.real.shop import until
from watcher.api.context import NEWS
from watcher.policy import Policy
from watcher.wakeup import News
from watcher.webhooks import dialects
from watcher.webhooks.delivering import Deliverer
from watcher.webhooks.sending import Sender

Json = dict[str, Any]
HANG_SECONDS = 30


@dataclass(frozen=True)
class Call:
    """One POST that came in."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float
    """When, by the clock of `time.perf_counter`."""

    @property
    def event(self) -> Json:
        return dict(json.loads(self.body))

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verify(self, secret: str) -> Json:
        """The body, once its signature is good; raises as the library does."""
        return dict(Verifier(secret).verify(self.body.decode(), self.headers))


@dataclass
class Receiver:
    """Answers each path as it was told to: a status, or `hang`, `close`, `flood`, `slowly`…"""

    calls: list[Call] = field(default_factory=list)
    manners: dict[str, list[int | str]] = field(default_factory=dict)
    """By path: the answers in order, the last for ever; 200 where none is named."""
    at_work: Counter[str] = field(default_factory=Counter)
    most_at_once: Counter[str] = field(default_factory=Counter)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._answer)
        app.router.add_get("/{path:.*}", self._answer)
        self._server = TestServer(app, host="127.0.0.1")
        await self._server.start_server(shutdown_timeout=0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self._server.close()

    @property
    def port(self) -> int:
        assert self._server.port is not None
        return self._server.port

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def at(self, path: str) -> list[Call]:
        """What came in there."""
        return [call for call in self.calls if call.path == path]

    def types(self, path: str = "/hook") -> list[str]:
        return [call.event["type"] for call in self.at(path)]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.calls.append(Call(path, headers, body, time.perf_counter()))
        self.at_work[path] += 1
        self.most_at_once[path] = max(self.most_at_once[path], self.at_work[path])
        try:
            return await self._act(request, path)
        finally:
            self.at_work[path] -= 1

    async def _act(self, request: web.Request, path: str) -> web.StreamResponse:
        manners = self.manners.get(path, [200])
        manner = manners.pop(0) if len(manners) > 1 else manners[0]
        match manner:
            case "hang":
                await asyncio.sleep(HANG_SECONDS)
            case "late":
                await asyncio.sleep(1.5)
            case "slowly":
                await asyncio.sleep(0.02)
            case "close":
                assert request.transport is not None
                request.transport.abort()
            case "flood":
                return web.Response(body=b"x" * 10_000_000)
            case "headers":
                return web.Response(headers={"X-Long": "x" * 100_000})
            case "redirect":
                raise web.HTTPFound(self.url("/elsewhere"))
            case int():
                return web.Response(status=manner, text=f"answer {manner}")
        return web.Response(text="done")


@dataclass
class Office:
    """A shop, a receiver, and what delivers from the one to the other."""

    shop: Shop
    receiver: Receiver
    news: News

    @property
    def engine(self) -> Engine:
        return self.shop.engine

    async def add(self, path: str = "/hook", **fields: Any) -> Json:
        """A webhook at this path of the receiver."""
        body = {"url": self.receiver.url(path), **fields}
        answer = await self.shop.post("/v1/webhooks", body)
        assert answer.status == 201, answer.body
        return dict(answer.body)

    async def deliveries(self, **filters: Any) -> list[Delivery]:
        """Oldest first."""
        async with storage.read(self.engine) as conn:
            found = await storage.deliveries.listing(
                conn, self.shop.merchant_id, limit=20_000, **filters
            )
        return sorted(found, key=lambda each: (each.seq, each.id))

    async def states(self) -> Counter[str]:
        return Counter(each.state for each in await self.deliveries())

    async def log(self) -> list[Try]:
        """Every try of every delivery."""
        async with storage.read(self.engine) as conn:
            ids = [each.id for each in await self.deliveries()]
            tries = await storage.tries.of_deliveries(conn, ids)
        return [each for id in ids for each in tries[id]]

    async def settled(self, seconds: float = 30.0) -> Counter[str]:
        """The states once nothing waits any more."""

        async def done() -> bool:
            return not (await self.states())["waiting"]

        await until(done, "nothing waits any more", seconds)
        return await self.states()

    def deliverer(self, **options: Any) -> Deliverer:
        sender = Sender(self.shop.policy.webhooks.allow_private)
        return Deliverer(self.engine, self.shop.policy, BOX, sender, self.news, **options)


def patient_policy(seconds: int) -> Policy:
    """With so long for an answer."""
    return make_policy(webhooks={"allow_private_addresses": True, "timeout_seconds": seconds})


@asynccontextmanager
async def open_office(engine: Engine, policy: Policy | None = None) -> AsyncIterator[Office]:
    """A shop whose webhooks may go to this machine, with time for an answer on a busy one."""
    chosen = policy or patient_policy(25)
    async with serve(engine, chosen) as http, Receiver() as receiver:
        news = http.server.app[NEWS]
        yield Office(await open_shop(engine, chosen, http), receiver, news)


@asynccontextmanager
async def delivering(office: Office, **options: Any) -> AsyncIterator[None]:
    """While a deliverer runs as in the daemon."""
    stop, deliverer = asyncio.Event(), office.deliverer(**options)
    run = asyncio.create_task(deliverer.run(stop))
    try:
        yield
    finally:
        stop.set()
        await run
        await deliverer.close()


def hurried(*rungs: int) -> dialects.Dialect:
    """Our own dialect with other rungs."""
    return replace(dialects.DIALECTS["native"], ladder=rungs)


async def multiply(office: Office, number: int, one: Delivery | None = None) -> None:
    """So many more deliveries like `one`, or the one that there is, each for itself."""
    if one is None:
        [one] = await office.deliveries()
    rows = [
        {
            "id": f"dlv_{place:026}",
            "merchant_id": one.merchant_id,
            "event_id": one.event_id,
            "seq": one.seq,
            "invoice_id": one.invoice_id,
            "webhook_id": one.webhook_id,
            "target": str(place),
            "host": one.host,
            "state": "waiting",
            "tries": 0,
            "failed": 0,
            "due_at": one.due_at,
            "created_at": one.created_at,
        }
        for place in range(number)
    ]
    async with storage.write(office.engine) as conn:
        await conn.execute(insert(schema.deliveries), rows)
