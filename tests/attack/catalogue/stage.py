"""A shop on a node that is attacked: its configuration, follower and books as they are shipped.

In every story a true payment of the same asset stands in the block of the attack, so that "nothing
came" is never said of a block that was not read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

import storage
from chains.base import ChainClient
from chains.sandbox.control import Way
from storage import Engine
from tests.attack.catalogue.nodes import Node
from tests.factories import make_id, make_invoice, make_quote
from tests.world import catch_up, open_shop, the_invoice
from watcher import clock
from watcher.audit import Audit
from watcher.daemon import build_policy, client_options
from watcher.domain.audit import Finding
from watcher.domain.deposits import Deposit, DepositStatus, Depth
from watcher.domain.invoices import Flag, Invoice, InvoiceStatus
from watcher.domain.money import Address, Asset
from watcher.follower import Follower
from watcher.policy import NetworkPolicy, Policy
from watcher.settings import Admin, Invoices, Secrets, Settings
from watcher.status import admin_status

DUE = 10**13
"""Units of any asset that either invoice is over."""
FAR = 2**35  # a deadline that no chain here reaches
CONFIRMATIONS = 3
VICTIM, HONEST = "1", "2"
"""Keys of the two invoices."""
BOTH_ENGINES = pytest.mark.parametrize("db_url", ["sqlite", "postgres"], indirect=True)


@dataclass
class Stage:
    """Books with two open invoices of any method of the first node's network."""

    engine: Engine
    nodes: tuple[Node, ...]
    policy: Policy
    rules: NetworkPolicy
    """Of the first node's network."""
    clients: tuple[ChainClient, ...]
    followers: tuple[Follower, ...]

    @property
    def node(self) -> Node:
        return self.nodes[0]

    async def follow(self, blocks: int = 0) -> None:
        """Mine on every network, and read all there is."""
        for node, follower in zip(self.nodes, self.followers, strict=True):
            node.mine(blocks)
            await catch_up(follower)
            async with storage.read(self.engine) as conn:
                tip = (await storage.cursors.tips(conn))[node.spec.name]
            assert tip.hash == node.head()

    async def attack(
        self, way: Way, asset: Asset, units: int = DUE, *, honest: Asset | None = None, **more: Any
    ) -> str:
        """Pay the victim in that way, and the honest one truly, in one block; the transaction.

        Both would be confirmed now. `honest` is what is truly paid; None: the same asset.
        """
        tx = self.node.pay(units, asset, self.node.victim, way, **more)
        await self.prove_honest(honest or asset)
        return tx

    async def prove_honest(self, asset: Asset) -> None:
        """Pay the honest one in the next block, see that it was, and what waits with it."""
        self.node.pay(DUE, asset, self.node.honest)
        await self.follow(CONFIRMATIONS)
        [deposit] = await self.stored(HONEST)
        assert (deposit.units, deposit.status) == (DUE, DepositStatus.CONFIRMED)
        assert (await the_invoice(self.engine, HONEST)).status is InvoiceStatus.PAID

    async def stored(self, key: str = VICTIM) -> list[Deposit]:
        """An invoice's deposits, orphaned ones too, in the order of their blocks and places."""
        async with storage.read(self.engine) as conn:
            found = await storage.deposits.listing(
                conn, make_id("mer"), invoice_id=make_id("inv", key)
            )
        return sorted(found, key=lambda each: (each.block_number, each.position))

    async def told(self) -> list[str]:
        """The types of what was told of the victim, in order."""
        async with storage.read(self.engine) as conn:
            events = await storage.events.after(conn, make_id("mer"), 0, 1_000)
        return [
            str(event.type)
            for event in events
            if event.data["invoice"]["id"] == make_id("inv", VICTIM)
        ]

    async def assert_nothing_came(self) -> None:
        """No deposit, no event, no flag."""
        assert await self.stored() == []
        assert await self.told() == []
        victim = await the_invoice(self.engine)
        assert (victim.status, victim.flags, victim.seen) == (
            InvoiceStatus.AWAITING_PAYMENT,
            frozenset(),
            0,
        )

    async def assert_paid(
        self, asset: Asset, deposits: Mapping[str, int], *flags: Flag
    ) -> list[Deposit]:
        """The victim was paid by just these confirmed deposits: position -> units."""
        stored = await self.stored()
        assert {each.position: each.units for each in stored} == dict(deposits)
        assert len(stored) == len(deposits)
        assert {(each.method, each.status) for each in stored} == {
            (asset.method, DepositStatus.CONFIRMED)
        }
        victim = await the_invoice(self.engine)
        assert (victim.status, victim.flags) == (InvoiceStatus.PAID, frozenset(flags))
        return stored

    async def audit(self, blocks: int = 10) -> list[tuple[str, str, int]]:
        """Compare balances once all is final: kind, method and units of each new finding."""
        return [(each.kind, each.method, each.units) for each in await self.findings(blocks)]

    async def findings(self, blocks: int = 10) -> Sequence[Finding]:
        """The same, whole."""
        await self.follow(blocks)
        report = await Audit(self.engine, self.rules, self.clients[0]).run()
        assert (report.run.reason, report.run.addresses) == (None, 2)
        return report.findings

    async def alarms(self) -> list[tuple[str, str]]:
        """What calls for a person, and why."""
        async with storage.read(self.engine) as conn:
            status = await admin_status(conn, self.policy, None, clock.now())
        return [(each["alarm"], each["reason"]) for each in status["alarms"]]


def bill(rules: NetworkPolicy, key: str, to: Address, required: Depth) -> Invoice:
    """An invoice over DUE units of any listed asset."""
    quotes = [
        make_quote(
            DUE,
            asset.method,
            contract=asset.contract,
            decimals=asset.decimals,
            required=required,
        )
        for asset in rules.assets.values()
    ]
    return make_invoice(quotes=quotes, key=key, addresses={rules.spec.family: to}, expires_at=FAR)


@asynccontextmanager
async def open_stage(
    engine: Engine,
    *nodes: Node,
    minimum: Mapping[str, str] | None = None,
    required: Depth = CONFIRMATIONS,
    **keys: Any,
) -> AsyncIterator[Stage]:
    """A shop that follows these nodes, with invoices to be paid on the first one's network.

    Args:
        keys: of that network's configuration.
    """
    first = nodes[0]
    settings = Settings(
        admin=Admin(token=SecretStr("an-admin-token-for-tests")),
        secrets=Secrets(key_file=Path("unused.key")),
        networks={
            node.spec.name: node.settings(**(keys if node is first else {})) for node in nodes
        },
        invoices=Invoices(minimum=dict(minimum or {})),
    )
    policy = build_policy(settings)
    clients = [
        node.client(client_options(settings, policy.networks[node.spec.name])) for node in nodes
    ]
    followers = [
        Follower(policy, node.spec.name, client, engine, "test:1")
        for node, client in zip(nodes, clients, strict=True)
    ]
    rules = policy.networks[first.spec.name]
    victim = bill(rules, VICTIM, first.victim, required)
    await open_shop(engine, victim, bill(rules, HONEST, first.honest, CONFIRMATIONS))
    try:
        yield Stage(engine, nodes, policy, rules, tuple(clients), tuple(followers))
    finally:
        for follower in followers:
            await follower.stop()
        for client in clients:
            await client.close()
