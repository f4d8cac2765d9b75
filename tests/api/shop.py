"""A merchant on a real configuration, with a chain that pays and the API to ask."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from cryptography.fernet import Fernet
from sqlalchemy import func, select

import storage
from storage import Engine, schema
from tests.factories import make_transfer
from tests.fakes import FakeChain
from tests.test_derivation import ACCOUNT_XPUB
from tests.world import catch_up, make_follower
from watcher import merchants, wallets
from watcher.api import RESOURCES, Access, Setup, build_app
from watcher.api.describing import DESCRIBED
from watcher.api.openapi import build_document
from watcher.clock import now
from watcher.config import Settings
from watcher.daemon import build_policy
from watcher.domain.money import Address, Family, Method, Network
from watcher.keys import SecretBox
from watcher.policy import Policy
from watcher.wakeup import News
from watcher.web import LIVE, add_pages

EVM, ETHEREUM = Family("evm"), Network("ethereum")
ADMIN = "an-admin-token-of-some-length"
ETH, USDT, DAI = (Method(f"ethereum:{coin}") for coin in ("eth", "usdt", "dai"))
FIRST = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"  # the wallet's address 0
PRICE = {"amount": "10", "currency": "USD"}
BEHIND = 600  # seconds: a tip that is old, though no payment is older than its invoice
Json = dict[str, Any]

OPERATIONS = [
    (route, DESCRIBED[route.handler]) for resource in RESOURCES for route in resource.routes
]
DOCUMENT = build_document([route for route, _ in OPERATIONS])


def make_policy(**sections: Any) -> Policy:
    """What `build_policy` makes of a usual configuration; `sections` replace its own."""
    endpoint = {"name": "own", "url": "http://127.0.0.1:1"}
    usual: dict[str, Any] = {
        "admin": {"token": ADMIN},
        "secrets": {"key_file": "watcher.key"},
        "networks": {
            "ethereum": {
                "endpoints": [endpoint],
                "confirmations": 3,
                "start_block": 0,
                "assets": ["ETH", "USDT", "DAI"],
            }
        },
        "invoices": {"minimum": {"DAI": "1"}},
        "rates": {"fixed": {"USDT/USD": "1", "ETH/USD": "2000"}},
    }
    return build_policy(Settings(**{**usual, **sections}))


BOX_KEY = Fernet.generate_key().decode()
BOX = SecretBox([BOX_KEY])
"""What seals every shop's secrets."""


async def add_merchant(engine: Engine, xpub: str | None = ACCOUNT_XPUB) -> str:
    """A merchant, by default with the test wallet."""
    async with storage.write(engine) as conn:
        merchant = await merchants.add_merchant(conn, "Shop", now())
        if xpub is not None:
            await wallets.add_xpub(conn, merchant.id, EVM, xpub, 0, now())
    return merchant.id


async def add_key(
    engine: Engine, merchant_id: str, *scopes: str, public: bool = False
) -> merchants.NewKey:
    """A key of the merchant."""
    async with storage.write(engine) as conn:
        return await merchants.add_key(conn, BOX, merchant_id, public, list(scopes) or None, now())


async def count_rows(engine: Engine) -> dict[str, int]:
    """How many rows each table has."""
    async with storage.read(engine) as conn:
        return {
            name: (await conn.scalars(select(func.count()).select_from(table))).one()
            for name, table in schema.metadata.tables.items()
        }


@dataclass(frozen=True)
class Answer:
    """What the API said."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def code(self) -> str:
        """The error's code, once sure that it is a whole problem."""
        assert self.headers["Content-Type"].startswith("application/problem+json")
        assert set(self.body) == {
            "type",
            "title",
            "status",
            "detail",
            "code",
            "errors",
            "request_id",
        }
        assert self.body["status"] == self.status
        assert self.body["request_id"] == self.headers["X-Request-Id"]
        return str(self.body["code"])

    @property
    def fields(self) -> list[str]:
        """The fields that an error is about."""
        return [each["field"] for each in self.body["errors"]]


@dataclass
class Shop:
    """One merchant, his key, and the parts that tests reach for."""

    engine: Engine
    policy: Policy
    merchant_id: str
    key: str
    http: TestClient[web.Request, web.Application]
    chain: FakeChain = field(default_factory=lambda: FakeChain(start=now() - BEHIND))

    async def ask(self, method: str, path: str, key: str | None = None, **options: Any) -> Answer:
        """One request with the shop's key, or with `key`; an empty one is left out."""
        token = self.key if key is None else key
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= options.pop("headers", {})
        async with self.http.request(method, path, headers=headers, **options) as response:
            answer = Answer(response.status, await _content(response), response.headers)
        hold_to_document(method, path, answer)
        return answer

    async def get(self, path: str, key: str | None = None, **query: str) -> Answer:
        return await self.ask("GET", path, key, params=query)

    async def post(self, path: str, body: object = None, key: str | None = None) -> Answer:
        return await self.ask("POST", path, key, json=body)

    async def create(self, key: str | None = None, **fields: Any) -> Json:
        """A new invoice, by default over 10 USD."""
        answer = await self.post("/v1/invoices", {"price": PRICE, **fields}, key)
        assert answer.status == 201, answer.body
        return dict(answer.body)

    async def show(self, invoice: Json) -> Json:
        """The invoice as it is now."""
        answer = await self.get(f"/v1/invoices/{invoice['id']}")
        assert answer.status == 200, answer.body
        return dict(answer.body)

    async def mine(self, blocks: int = 1) -> None:
        """Empty blocks, followed."""
        for _ in range(blocks):
            self.chain.mine()
        await self.follow()

    async def pay(
        self, to: str = FIRST, units: int = 10_000_000, method: Method = USDT, *, tx: str = "1"
    ) -> None:
        """A block with one transfer, followed."""
        recipient = Address(to.lower())
        self.chain.mine(make_transfer(units, method, recipient, tx=tx))
        await self.follow()

    async def pass_time(self, seconds: int) -> None:
        """The chain's clock moves on by one block, `seconds` from the wall clock's now."""
        self.chain.mine(seconds=now() + seconds - self.chain.tip.timestamp)
        await self.follow()

    async def follow(self) -> None:
        """Bring our copy of the chain up to its head."""
        await catch_up(make_follower(self.chain, self.engine, self.policy, ETHEREUM))


def hold_to_document(method: str, path: str, answer: Answer) -> None:
    """Every answer that a test of the API sees is one that the document tells of."""
    for route, operation in OPERATIONS:
        shape = re.sub(r"{\w+}", "[^/]+", re.sub(r"{\w+:([^}]+)}", r"\1", route.path))
        if route.method == method and re.fullmatch(shape, path.partition("?")[0]):
            if answer.status in operation.answers:
                model = operation.answers[answer.status]
                if isinstance(model, type):
                    model.model_validate_json(json.dumps(answer.body))
            elif answer.status < 500 or answer.status == 503:
                documented = DOCUMENT["paths"][re.sub(r":[^}]+", "", route.path)][method.lower()]
                assert str(answer.status) in documented["responses"], (method, path)
                told = documented["responses"][str(answer.status)]["description"]
                assert str(answer.body["code"]) in told, (method, path, answer.body)


async def _content(response: ClientResponse) -> Any:
    text = await response.read()
    return await response.json(content_type=None) if text else None


async def open_shop(engine: Engine, policy: Policy, http: TestClient[Any, Any]) -> Shop:
    """A shop with the test wallet and a key that may do everything."""
    merchant_id = await add_merchant(engine)
    key = (await add_key(engine, merchant_id)).text
    return Shop(engine, policy, merchant_id, key, http)


@asynccontextmanager
async def serve(
    engine: Engine, policy: Policy, **facts: Any
) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    """The true application, to be asked over loopback; `facts` are of its `Setup`, by name."""
    news = News(engine)
    setup = Setup(**{**usual_setup(news), **facts})
    app = add_pages(build_app(engine, policy, setup))
    running = [asyncio.create_task(work()) for work in (news.run, app[LIVE].run)]
    server = TestServer(app, host="127.0.0.1")
    try:
        async with TestClient(server) as http:
            yield http
    finally:
        for task in running:
            task.cancel()
        await asyncio.wait(running)


def usual_setup(news: News) -> dict[str, Any]:
    """What `Setup` takes, for an operator whose token is `ADMIN`."""
    return {
        "admin_token": ADMIN,
        "started_at": now(),
        "box": BOX,
        "news": news,
        "access": Access(per_key_per_minute=10**6, per_ip_per_minute=10**6),
    }
