"""The life of an invoice in the books: chain, merchant and payer in any order, on both engines."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import count, pairwise

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import storage
from storage import Conn, Engine
from storage.events import StoredEvent
from tests.factories import FAMILY, make_id, make_invoice, make_quote, make_transfer
from tests.fakes import FakeChain
from tests.world import (
    catch_up,
    make_follower,
    make_policy,
    open_in_shop,
    open_shop,
    steady,
)
from watcher import accepting, finality, invoicing
from watcher.accepting import Decision
from watcher.domain.blocks import Block
from watcher.domain.deposits import DepositStatus
from watcher.domain.invoices import Invoice, InvoiceStatus, chain_time, evaluate
from watcher.domain.money import Address, Method, Network
from watcher.domain.timeline import Cause, Moment
from watcher.refused import Refused
from watcher.render import Json

EXPIRES_AT = 80  # in the eighth block
LARGE = 10**20  # POL in its smallest unit: worth 50 USD, half the price
NUMBERS = count(1)

none = st.just(0)
moves = st.lists(
    st.one_of(
        st.tuples(st.just("pay"), st.sampled_from([20, 50, 60, 100])),
        st.tuples(st.just("pay"), st.just(LARGE)),
        st.tuples(st.just("mine"), st.integers(1, 3)),
        st.tuples(st.just("reorg"), st.integers(1, 5)),
        st.tuples(st.just("return"), none),
        st.tuples(st.sampled_from(["cancel", "accept", "as_paid"]), none),
    ),
    max_size=12,
)
# What the decision changes, `invoice.updated` alone tells.
ACCEPTED_AFTER_PAID = [("pay", 100), ("mine", 3), ("pay", LARGE), ("mine", 3), ("accept", 0)]


class Life:
    """An invoice on a network of its own, so that many can share one database."""

    def __init__(self, engine: Engine, by_policy: bool) -> None:
        number = next(NUMBERS)
        self.network = Network(f"net{number}")
        self.engine = engine
        self.policy = replace(make_policy([self.network]), accepts_late=by_policy)
        self.opened = make_invoice(
            key=f"life {number}",
            quotes=[make_quote(100, Method(f"{self.network}:usdc"))],
            expires_at=EXPIRES_AT,
            addresses={FAMILY: Address(f"0x{number:040x}")},
        )
        self.chain = FakeChain()
        self.follower = make_follower(self.chain, engine, self.policy, self.network)
        self.transactions = count(1)
        self.left: Sequence[Block] = ()
        self.forked_at = 0
        self.seq = 0
        self.shown: Json = {}

    async def play(self, kind: str, number: int) -> None:
        """Make one move; a decision that is refused changes nothing."""
        match kind:
            case "pay":
                coin = "pol" if number == LARGE else "usdc"
                method = Method(f"{self.network}:{coin}")
                to = self.opened.addresses[FAMILY]
                tx = f"{self.network} {next(self.transactions)}"
                self.chain.mine(make_transfer(number, method, to, tx=tx))
            case "mine":
                for _ in range(number):
                    self.chain.mine()
            case "reorg":
                self.left = self.chain.reorg(number)
                self.forked_at = self.chain.tip.number
                for _ in range(number + 1):
                    self.chain.mine()
            case "return":
                depth = self.chain.tip.number - self.forked_at
                self.left = self.chain.reorg(depth, onto=self.left)
                self.chain.mine()
            case decision:
                await self.decide(decision)
                await self.compare()
        while await self.follower.turn():
            await self.compare()

    async def decide(self, decision: str) -> None:
        merchant, id, now = self.opened.merchant_id, self.opened.id, self.chain.tip.timestamp

        async def work(conn: Conn) -> Invoice:
            if decision == "cancel":
                return await invoicing.cancel_invoice(conn, self.policy, merchant, id, now)
            wanted = Decision(as_paid=decision == "as_paid")
            return await accepting.accept(conn, self.policy, merchant, id, wanted, now)

        with suppress(Refused):
            await storage.repeat(self.engine, work)

    async def compare(self) -> None:
        """What is shown is what the newest event told; so nothing changes that no event tells."""
        async with storage.read(self.engine) as conn:
            news = await storage.events.after(conn, self.opened.merchant_id, self.seq, 1000)
            [shown] = await invoicing.show_invoices(
                conn,
                self.policy,
                [await invoicing.find_invoice(conn, None, self.opened.id)],
                self.chain.tip.timestamp,
            )
        for event in news:
            self.seq = event.seq
            if event.invoice_id == self.opened.id:
                self.shown = steady(event.data["invoice"])
                assert str(event.type) in kinds_of(self.shown["status"])
        now = steady(json.loads(json.dumps(shown)))
        self.shown = self.shown or now  # before the first event: as it was opened
        assert now == self.shown

    async def told(self) -> list[StoredEvent]:
        async with storage.read(self.engine) as conn:
            events = await storage.events.after(conn, self.opened.merchant_id, 0, 100_000)
        return [event for event in events if event.invoice_id == self.opened.id]

    async def check(self) -> None:
        """The books say what the facts say, and have told each change once."""
        await self.compare()
        async with storage.read(self.engine) as conn:
            stored = await storage.invoices.get(conn, self.opened.id)
            deposits = (await storage.deposits.of_invoices(conn, [self.opened.id]))[self.opened.id]
            steps = (await storage.invoices.timeline(conn, [self.opened.id]))[self.opened.id]
            tip = (await storage.cursors.tips(conn))[self.network]
        assert stored is not None
        newborn = replace(
            self.opened, cancelled_at=stored.cancelled_at, settled_for=stored.settled_for
        )
        time = chain_time(newborn, {self.network: tip.timestamp}, self.policy.families)
        fresh = evaluate(newborn, deposits, time)
        assert verdict(stored) == verdict(fresh)
        assert (stored.paid_at is not None) == (stored.status is InvoiceStatus.PAID)
        check_steps(steps, stored, {each.id for each in deposits})
        assert changes_told(await self.told()) == expected(steps)


def kinds_of(status: str) -> set[str]:
    """The types of events that may show an invoice with this status."""
    deposits = {"deposit.detected", "deposit.confirmed", "deposit.orphaned"}
    left_paid = set() if status == "paid" else {"invoice.reverted"}
    return {f"invoice.{status}", "invoice.updated", *deposits, *left_paid}


def verdict(invoice: Invoice) -> tuple[object, ...]:
    return invoice.status, invoice.flags, invoice.seen, invoice.confirmed


def check_steps(steps: Sequence[Moment], stored: Invoice, deposits: set[str]) -> None:
    """Each step has its reason, and no status follows itself."""
    assert steps[0].cause is Cause.OPENED
    assert steps[-1].status is stored.status
    for below, step in pairwise(steps):
        assert step.status is not below.status
        assert step.cause is not None
        assert step.deposit_id is None or step.deposit_id in deposits


def changes_told(events: Sequence[StoredEvent]) -> list[str]:
    kinds = [str(event.type) for event in events]
    return [kind for kind in kinds if kind.startswith("invoice.") and kind != "invoice.updated"]


def expected(steps: Sequence[Moment]) -> list[str]:
    """One event for each step: its status, or that it left `paid`."""
    return [
        "invoice.reverted" if was.status is InvoiceStatus.PAID else f"invoice.{now.status}"
        for was, now in pairwise(steps)
    ]


@pytest.fixture(autouse=True)
def _ask_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finality, "ASK_SECONDS", 0)


@settings(
    deadline=None,
    max_examples=12,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(played=moves, by_policy=st.booleans())
@example(played=ACCEPTED_AFTER_PAID, by_policy=False)
def test_after_any_life_the_books_say_what_the_facts_say(
    played: list[tuple[str, int]], by_policy: bool, db_url: str
) -> None:
    asyncio.run(live(db_url, played, by_policy))


async def live(db_url: str, played: list[tuple[str, int]], by_policy: bool) -> None:
    engine = storage.open_engine(db_url)
    try:
        life = await opened(engine, by_policy)
        for kind, number in played:
            await life.play(kind, number)
            await life.check()
    finally:
        await storage.close(engine)


async def opened(engine: Engine, by_policy: bool) -> Life:
    """A life at its beginning; the first one opens the shop."""
    life = Life(engine, by_policy)
    async with storage.read(engine) as conn:
        there = await storage.merchants.get(conn, make_id("mer"))
    if there is None:
        await open_shop(engine, make_invoice(key="other", addresses={}))
    async with storage.write(engine) as conn:
        await open_in_shop(conn, life.opened)
    await catch_up(life.follower)
    await life.compare()
    return life


async def test_a_decision_and_a_confirmation_at_once_lose_neither(engine: Engine) -> None:
    life = await opened(engine, by_policy=False)
    await life.play("mine", 9)
    await life.play("pay", 100)
    await life.play("mine", 1)
    life.chain.mine()  # with this block it is deep enough
    await asyncio.gather(catch_up(life.follower), life.decide("accept"))
    await catch_up(life.follower)
    await life.check()
    async with storage.read(engine) as conn:
        [deposit] = (await storage.deposits.of_invoices(conn, [life.opened.id]))[life.opened.id]
        stored = await storage.invoices.get(conn, life.opened.id)
    assert (deposit.status, deposit.accepted) == (DepositStatus.CONFIRMED, 1)
    assert stored is not None
    assert stored.status is InvoiceStatus.PAID
