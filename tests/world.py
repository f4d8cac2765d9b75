"""A small shop: policies, a merchant with addresses and invoices, followers over fake chains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import storage
from chains.base import AddressCodec, ClientOptions, Explorer, NetworkSpec
from storage import Conn, Engine
from storage.addresses import Assigned
from storage.merchants import Merchant
from storage.wallets import Wallet
from tests.factories import ADDRESS, FAMILY, NETWORK, make_hash, make_id, make_invoice
from tests.fakes import FakeChain
from watcher.domain.deposits import DepositRules, Depth
from watcher.domain.invoices import Invoice
from watcher.domain.money import Address, Asset, Family, Method, Network
from watcher.follower import Follower
from watcher.policy import NetworkPolicy, Policy
from watcher.rates.book import RateBook
from watcher.render import Json

CODEC = AddressCodec(parse=lambda text: Address(text.lower()), show=str, of_key=lambda key: ADDRESS)


def make_spec(name: Network = NETWORK, family: Family = FAMILY) -> NetworkSpec:
    """A network that opens no client."""

    def no_client(spec: NetworkSpec, options: ClientOptions) -> FakeChain:
        raise AssertionError("a story brings its own chain")

    return NetworkSpec(
        name=name,
        title=name.title(),
        family=family,
        live=True,
        chain_id=137,
        genesis_hash=make_hash("a0"),
        assets=(Asset(name, "POL", 18), Asset(name, "USDC", 6, Address("0x" + "c3" * 20))),
        confirmations=3,
        reorg_limit=8,
        pace_seconds=10,
        explorer=Explorer("https://e/tx/{}", "https://e/address/{}", "https://e/block/{}"),
        codec=CODEC,
        hash_prefix="0x",
        payment_uri=lambda asset, to, units, chain_id: f"pay:{asset.symbol}:{to}:{units}",
        open_client=no_client,
    )


def make_policy(
    names: Sequence[Network] = (NETWORK,),
    *,
    confirmations: Depth = 3,
    reorg_limit: int = 8,
    agreement: int = 1,
    endpoints: int = 2,
    finality_depth: int | None = None,
    repeat_transfers: bool = False,
    minimum: Mapping[Method, int] | None = None,
) -> Policy:
    """The policy of a shop on these networks."""
    networks = {}
    for name in names:
        spec = make_spec(name)
        networks[name] = NetworkPolicy(
            spec=spec,
            chain_id=spec.chain_id,
            assets={asset.method: asset for asset in spec.assets},
            rules=DepositRules(confirmations, minimum or {}),
            reorg_limit=reorg_limit,
            agreement=agreement,
            endpoints=endpoints,
            repeat_transfers=repeat_transfers,
            poll_seconds=1,
            start_block=0,
            finality_depth=finality_depth,
        )
    rates = RateBook({("USDC", "USD"): "1", ("POL", "USD"): "0.5"})
    return Policy(networks, True, 3600, "0", rates)


async def open_shop(engine: Engine, *invoices: Invoice) -> None:
    """Store a merchant, one wallet, and these invoices (default: one) with their addresses."""
    async with storage.write(engine) as conn:
        merchant_id = make_id("mer")
        await storage.merchants.add(conn, Merchant(merchant_id, "Shop", 0))
        wallet = Wallet(make_id("wal"), merchant_id, FAMILY, "pool", None, 0, 0)
        await storage.wallets.add(conn, wallet, None)
        for invoice in invoices or (make_invoice(),):
            await open_in_shop(conn, invoice)


async def open_in_shop(conn: Conn, invoice: Invoice) -> None:
    """Store one invoice and give it the addresses that it names."""
    await storage.invoices.add(conn, invoice)
    for family, address in invoice.addresses.items():
        assigned = Assigned(family, address, make_id("wal"), None, invoice.id)
        await storage.addresses.give(conn, assigned, 0)


def make_follower(
    chain: FakeChain, engine: Engine, policy: Policy | None = None, network: Network = NETWORK
) -> Follower:
    """A follower of this chain; a second one is what a restart makes."""
    return Follower(policy or make_policy(), network, chain, engine, "test:1")


async def catch_up(follower: Follower, turns: int = 1000) -> None:
    """Take turns until nothing moves."""
    for _ in range(turns):
        if not await follower.turn():
            return
    raise AssertionError("the follower never came to rest")


async def the_invoice(engine: Engine, key: str = "1") -> Invoice:
    """An invoice as it is stored."""
    async with storage.read(engine) as conn:
        invoice = await storage.invoices.get(conn, make_id("inv", key))
    assert invoice is not None
    return invoice


async def told(engine: Engine) -> list[str]:
    """The types of all events, in order."""
    async with storage.read(engine) as conn:
        events = await storage.events.after(conn, make_id("mer"), 0, 10_000)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    return [str(event.type) for event in events]


async def bodies(engine: Engine) -> list[dict[str, object]]:
    """The data of all events, in order."""
    async with storage.read(engine) as conn:
        events = await storage.events.after(conn, make_id("mer"), 0, 10_000)
    return [event.data for event in events]


def steady(invoice: Json) -> Json:
    """An invoice as it is shown, without what moves on its own."""
    deposits = [{**each, "confirmations": 0} for each in invoice["deposits"]]
    moving = {"confirmations", "delayed", "updated_at"}
    return {k: v for k, v in invoice.items() if k not in moving} | {"deposits": deposits}


async def books(engine: Engine) -> object:
    """What the final chain alone decides: no times of ours, no orphans, no flag of the past."""
    async with storage.read(engine) as conn:
        merchant = make_id("mer")
        invoices = await storage.invoices.listing(conn, merchant, limit=1000)
        deposits = await storage.deposits.listing(conn, merchant, limit=1000)
        tips = await storage.cursors.tips(conn)
    return (
        {name: tip.hash for name, tip in tips.items()},
        [
            (each.id, each.status, each.flags - {"reorged"}, each.seen, each.confirmed)
            for each in invoices
        ],
        [
            replace(each, detected_at=0, confirmed_at=None, reverted=False)
            for each in deposits
            if each.status != "orphaned"
        ],
    )
