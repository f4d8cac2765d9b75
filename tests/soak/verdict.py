"""Whether the books say what the final chains say, and tell of it as they must."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import storage
from storage import Engine
from tests.faults import KINDS
from tests.soak import word
from tests.soak.chance import PAYS_COIN, PAYS_TOKEN, Chance
from tests.soak.nets import Net
from tests.soak.truth import Paid, Read, read_evm, read_tron
from watcher import settling
from watcher.domain.deposits import Deposit
from watcher.domain.invoices import Invoice, chain_time, evaluate
from watcher.policy import Policy

UNSEEN = {("polygon", "forced")}
"""Ways that pay, and of which a chain's blocks tell nothing."""
PAGE = 500
LONG_KILLS = 50
"""From so many on a run is to have met everything that may happen."""


@dataclass(frozen=True)
class Found:
    """What was compared, and equal."""

    deposits: int
    orphaned: int
    invoices: int
    events: int
    statuses: Counter[str]
    happened: Counter[str]
    struck: Counter[str]
    killed: int = 0
    mended: int = 0
    """Transfers that an endpoint's word hid or made up, before a rescan."""


def unreached(found: Found, kills: int, payments: int) -> list[str]:
    """What was asked for, or is to be met in a long run, and was not; a sentence each.

    Books that are equal prove nothing of what never happened.
    """
    said = [
        f"{count} of {asked} {what}"
        for what, count, asked in (
            ("kills", found.killed, kills),
            ("payments", found.happened["payments"], payments),
        )
        if count < asked
    ]
    if kills < LONG_KILLS:
        return said
    said += [f"no fault of kind {kind} struck" for kind in KINDS if not found.struck[kind]]
    said += [f"no {what}" for what in ("reorgs", "branches") if not found.happened[what]]
    return said if found.orphaned else [*said, "no orphaned deposit"]


@dataclass(frozen=True)
class Books:
    """All that a merchant's books hold."""

    deposits: list[Deposit]
    invoices: list[Invoice]
    events: list[Any]
    timelines: dict[str, list[Any]]


@dataclass(frozen=True)
class Differences:
    """Transfers to us that the books lack, and such as no final chain holds."""

    missed: list[Paid]
    false: list[Paid]

    @property
    def all(self) -> list[Paid]:
        return [*self.missed, *self.false]


async def truth(nets: Sequence[Net], policy: Policy) -> dict[str, Read]:
    """What each network's chain holds; final once nothing happens any more."""
    return {net.name: await _read(net, policy) for net in nets}


async def judge(
    engine: Engine,
    policy: Policy,
    chance: Chance,
    merchant_id: str,
    reads: dict[str, Read],
    rumours: Sequence[Paid] = (),
) -> Found:
    """Compare everything.

    Args:
        rumours: what waits for ever to be repeated.

    Raises:
        AssertionError: says what is missing, too much or untold.
    """
    nets, books = chance.nets, await read_books(engine, merchant_id)
    _assert_ways(nets, reads, chance.starved)
    found = differences(books, reads)
    assert not found.missed, f"missed:\n{word.told(found.missed, nets)}"
    strange = [each for each in found.false if each not in rumours]
    assert not strange, f"false or twice:\n{word.told(strange, nets)}"
    async with storage.read(engine) as conn:
        tips = await settling.our_tips(conn, policy)
    assert {name: tip.hash for name, tip in tips.items()} == {
        name: read.head for name, read in reads.items()
    }
    times = {name: tip.timestamp for name, tip in tips.items()}
    for invoice in books.invoices:
        held = [each for each in books.deposits if each.invoice_id == invoice.id]
        facts = evaluate(invoice, held, chain_time(invoice, times, policy.families))
        assert invoice == facts, f"{invoice.id} is not what its facts say"
    _assert_told(books)
    return Found(
        deposits=sum(each.status != "orphaned" for each in books.deposits),
        orphaned=sum(each.status == "orphaned" for each in books.deposits),
        invoices=len(books.invoices),
        events=len(books.events),
        statuses=Counter(str(each.status) for each in books.invoices),
        happened=chance.happened,
        struck=sum((gateway.struck for net in nets for gateway in net.gateways), Counter[Any]()),
    )


async def _read(net: Net, policy: Policy) -> Read:
    assets = policy.networks[net.name].assets.values()
    contracts = {str(asset.contract or ""): str(asset.method) for asset in assets}
    if net.name == "tron":
        return await read_tron(net.node.url, contracts)
    return await read_evm(net.name, net.node.url, contracts)


def _assert_ways(nets: Iterable[Net], reads: dict[str, Read], starved: frozenset[str]) -> None:
    """The reader itself finds what was ordered to pay, and nothing that was not."""
    for net in nets:
        read = reads[net.name]
        paid = {(each.tx_hash, each.to) for each in read.paid}
        for tx_hash, order in net.ordered.items():
            key, way = tx_hash.removeprefix("0x"), order.way
            if key not in read.transactions or tx_hash in starved:
                continue
            pays = way in ("plain", *PAYS_COIN, *PAYS_TOKEN) and (net.name, way) not in UNSEEN
            assert pays == ((key, order.to) in paid), f"{net.name}: {order} {tx_hash}"


def differences(books: Books, reads: dict[str, Read]) -> Differences:
    """Where the books are not what they must be: every transfer to us once, and nothing else."""
    ours = {address for each in books.invoices for address in each.addresses.values()}
    true = Counter(paid for read in reads.values() for paid in read.paid if paid.to in ours)
    held = Counter(paid_of(each) for each in books.deposits if each.status != "orphaned")
    assert max(true.values(), default=1) == 1
    return Differences(list((true - held).elements()), list((held - true).elements()))


def paid_of(deposit: Deposit) -> Paid:
    """The transfer that a deposit says there is."""
    return Paid(
        deposit.network,
        deposit.tx_hash or "",
        deposit.position,
        deposit.method,
        deposit.units,
        deposit.address,
        deposit.block_number,
        deposit.block_hash,
    )


def _assert_told(books: Books) -> None:
    """Without gaps; a change of status once; deposits come, are confirmed and go in turn."""
    assert [each.seq for each in books.events] == list(range(1, len(books.events) + 1))
    of_invoice, of_deposit = defaultdict(list), defaultdict(list)
    for event in books.events:
        if event.deposit_id:
            of_deposit[event.deposit_id].append(str(event.type).partition(".")[2])
        elif event.type not in ("invoice.updated", "invoice.method_selected"):
            of_invoice[event.invoice_id].append(str(event.type))
    for invoice in books.invoices:
        reached = [str(moment.status) for moment in books.timelines[invoice.id]]
        assert reached[-1] == invoice.status
        told = ["invoice.created"]
        for before, after in pairwise(reached):
            assert before != after
            told.append("invoice.reverted" if before == "paid" else f"invoice.{after}")
        assert of_invoice[invoice.id] == told, invoice.id
    last = {"pending": "detected", "confirmed": "confirmed", "orphaned": "orphaned"}
    for deposit in books.deposits:
        told = of_deposit[deposit.id]
        assert told[0] == "detected"
        assert told[-1] == last[deposit.status], deposit.id
        for before, after in pairwise(told):
            assert after in _NEXT[before], (deposit.id, told)


_NEXT = {
    "detected": {"confirmed", "orphaned"},
    "confirmed": {"orphaned"},
    "orphaned": {"detected"},
}


async def read_books(engine: Engine, merchant_id: str) -> Books:
    """Read them whole."""
    deposits: list[Deposit] = []
    invoices: list[Invoice] = []
    events: list[Any] = []
    async with storage.read(engine) as conn:
        while page := await storage.deposits.listing(
            conn, merchant_id, after=deposits[-1].id if deposits else None, limit=PAGE
        ):
            deposits += page
        while more := await storage.invoices.listing(
            conn,
            merchant_id,
            after=(invoices[-1].created_at, invoices[-1].id) if invoices else None,
            limit=PAGE,
        ):
            invoices += more
        while told := await storage.events.after(conn, merchant_id, len(events), PAGE):
            events += told
        timelines = await storage.invoices.timeline(conn, [each.id for each in invoices])
    return Books(deposits, invoices, events, timelines)


async def standing(engine: Engine) -> str:
    """How the networks stand, for whoever looks into a finding."""
    async with storage.read(engine) as conn:
        reports = await storage.health.reports(conn)
        tips = await storage.cursors.tips(conn)
        counts = await storage.deposits.counts(conn)
    return json.dumps({"tips": tips, "deposits": counts, "reports": reports}, default=str, indent=1)
