"""Every fault on every network: in the end each payment counts once, and no key was ever shown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import pytest
from structlog.testing import capture_logs

import storage
from chains import health as endpoint_health
from chains import pace
from chains.base import ChainClient, NetworkSpec
from storage import Engine, close, open_engine
from tests.chains.sandbox.evm import START, EvmRow, PolygonRow
from tests.chains.sandbox.tron import TronRow
from tests.factories import make_id, make_invoice, make_quote
from tests.faults import KINDS, Fault, Kind
from tests.gateway import Gateway
from tests.world import make_policy, open_shop, the_invoice
from watcher import finality
from watcher.domain.invoices import InvoiceStatus
from watcher.follower import Follower
from watcher.policy import Policy

Row = type[EvmRow] | type[TronRow]
KEYS = ("PathKey0123456789", "QueryKey01234", "UserName01", "PassWord01")
PATH, QUERY, USER, PASSWORD = KEYS
ROWS: list[Row] = [EvmRow, PolygonRow, TronRow]
TURNS_UNDER_FAULTS = 8


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rests become short: what is told here is what follows them."""
    monkeypatch.setattr(finality, "ASK_SECONDS", 0)
    monkeypatch.setattr(pace, "SLOWEST", 1000.0)
    for name in ("BACKOFF", "REFUSED", "QUARANTINE"):
        monkeypatch.setattr(endpoint_health, f"{name}_SECONDS", 0.01)
    for name in ("BACKOFF", "QUARANTINE"):
        monkeypatch.setattr(endpoint_health, f"{name}_CAP", 0.02)


@pytest.fixture
async def engine(sqlite_url: str) -> AsyncIterator[Engine]:
    engine = open_engine(sqlite_url)
    yield engine
    await close(engine)


@dataclass
class Story:
    """A shop that is paid on a node behind a gateway, beside one on another branch."""

    node: EvmRow | TronRow
    gateway: Gateway
    follower: Follower
    engine: Engine
    true: ChainClient
    """Asks the node itself."""

    async def turns(self, most: int) -> None:
        """Let the follower go on, whatever happens, without its long rests."""
        for _ in range(most):
            pause = await self.follower._guarded_turn()
            assert pause is not None, self.follower.health.report("me")["last_error"]
            await asyncio.sleep(min(pause, 0.01))

    async def published(self) -> str:
        """What the status knows."""
        await self.follower._beat()
        async with storage.read(self.engine) as conn:
            return str(await storage.health.reports(conn))

    async def is_over(self) -> bool:
        """Whether the invoice is paid and the follower at the node's head."""
        invoice = await the_invoice(self.engine)
        async with storage.read(self.engine) as conn:
            tips = await storage.cursors.tips(conn)
        head = await self.true.head()
        return invoice.status is InvoiceStatus.PAID and [*tips.values()] == [head]


def shop_policy(spec: NetworkSpec) -> Policy:
    """A shop on this network alone, which confirms at three blocks."""
    policy = make_policy((spec.name,))
    network = replace(
        policy.networks[spec.name],
        spec=spec,
        chain_id=spec.chain_id,
        assets={asset.method: asset for asset in spec.assets},
    )
    return replace(policy, networks={spec.name: network})


@pytest.fixture(params=ROWS, ids=["ethereum", "polygon", "tron"])
async def story(request: pytest.FixtureRequest, engine: Engine) -> AsyncIterator[Story]:
    row: Row = request.param
    async with AsyncExitStack() as stack:
        node, other = [await stack.enter_async_context(row.open()) for _ in range(2)]
        for each in (node, other):
            each.mine(3)
        other.reorg(1, 4)
        gateway = Gateway(node.url, fork=other.url, seed=7, below=f"/v2/{PATH}")
        await stack.enter_async_context(gateway)
        spec = node.spec
        quote = make_quote(100, node.coin.method, contract=None)
        invoice = make_invoice(
            quotes=[quote],
            addresses={spec.family: node.shop},
            created_at=START,
            expires_at=START + 900,
        )
        await open_shop(engine, invoice)
        true = node.client()
        node.url = gateway.url.replace("//", f"//{USER}:{PASSWORD}@") + f"/v2/{PATH}?token={QUERY}"
        follower = Follower(shop_policy(spec), spec.name, node.client(), engine, "test:1")
        yield Story(node, gateway, follower, engine, true)
        await follower.stop()


@pytest.mark.parametrize("kind", KINDS)
async def test_payments_count_once_whatever_their_node_does(
    story: Story, kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    with capture_logs() as logs:
        await story.turns(4)
        story.gateway.faults = (Fault(kind, 0.5, 0.01),)
        story.node.pay(60)
        await story.turns(TURNS_UNDER_FAULTS)
        story.node.pay(40)
        story.node.mine(2)
        await story.turns(TURNS_UNDER_FAULTS)
    assert story.gateway.struck[kind] > 0
    assert not [entry for entry in logs if entry["log_level"] == "error"]  # no fault of ours
    shown = f"{logs} {caplog.text} {await story.published()}".lower()
    assert not [key for key in (*KEYS, story.gateway.url[7:]) if key.lower() in shown]

    story.gateway.faults = ()
    async with asyncio.timeout(30):
        while not await story.is_over():
            story.node.mine()  # a lie about what is final is over once it has become true
            await story.turns(5)
    invoice = await the_invoice(story.engine)
    assert (invoice.status, invoice.seen, invoice.confirmed) == (InvoiceStatus.PAID, 1, 1)
    async with storage.read(story.engine) as conn:
        found = await storage.deposits.listing(conn, make_id("mer"), limit=100)
    standing = [deposit for deposit in found if deposit.status != "orphaned"]
    assert sorted(deposit.units for deposit in standing) == [40, 60]
