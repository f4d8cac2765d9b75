"""One balance against the ledger: what is different, and in which blocks that came about."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import storage
from chains.base import Holding
from storage import Conn
from watcher.domain.audit import (
    Difference,
    Finding,
    Measure,
    absorb,
    arrived,
    change,
    gained,
    judge,
    leftover,
)
from watcher.domain.money import Address, Method, Network

Ask = Callable[[int], Awaitable[Measure | None]]
"""The measure at an older block; None where it cannot be had."""


@dataclass(frozen=True, slots=True)
class Account:
    """What the books know of one address and method."""

    before: Measure | None
    """What was measured last; None: nothing yet."""
    deposits: Sequence[tuple[int, int]]
    """What arrived, each as (block number, units)."""
    findings: Sequence[Finding]

    def upto(self, number: int) -> Account:
        """The same without what arrived above a block."""
        return replace(self, deposits=sorted(each for each in self.deposits if each[0] <= number))


Accounts = dict[tuple[Address, Method], Account]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is to be stored of one address and method."""

    measure: Measure
    """From which the next comparison starts."""
    differences: Sequence[Difference] = ()
    caught_up: Sequence[Finding] = ()
    """Findings with which the ledger has caught up since, wholly or in part."""


async def read_accounts(conn: Conn, network: Network, holdings: Sequence[Holding]) -> Accounts:
    """What the books know of what is held, up to the blocks that the holdings speak of."""
    addresses = {each.address for each in holdings}
    measures = await storage.holdings.get(conn, network, addresses)
    arrivals = await storage.holdings.arrivals(conn, network, addresses)
    findings = await storage.findings.of_addresses(conn, network, addresses)
    return {
        (each.address, each.method): Account(
            before=measures.get(each.address, {}).get(each.method),
            deposits=arrivals.get((each.address, each.method), []),
            findings=[
                finding
                for finding in findings
                if (finding.address, finding.method) == (each.address, each.method)
            ],
        ).upto(each.last)
        for each in holdings
    }


async def compare(
    account: Account, holding: Holding, dust: int, oldest: int | None, ask: Ask, now: int
) -> Comparison | None:
    """Compare what is held with what the books say; None where it cannot be compared now.

    `oldest` is a block from which on `ask` may know more of an address never measured before.
    """
    moving = any(holding.first < number for number, _ in account.deposits)
    if holding.units is None or moving:  # arrived while the node was asked: before or after?
        return None
    ledger = arrived(account.deposits, holding.last)
    after = Measure(holding.first, holding.last, holding.units, ledger)
    before, caught_up, found = _look_back(account, dust, now)
    difference = change(before, after)
    if 0 < abs(difference) < dust:
        # Left out of the measure, so that dust adds up until it matters.
        return Comparison(replace(after, units=after.units - difference), found, caught_up)
    if difference:
        if before is None and oldest is not None and oldest < after.first:
            before = await ask(oldest)
            if before is not None and change(None, before):
                found = [judge(None, before)]
        found = [*found, *await locate(before, after, ask)]
    return Comparison(after, found, caught_up)


def _look_back(
    account: Account, dust: int, now: int
) -> tuple[Measure | None, list[Finding], list[Difference]]:
    """The last measure by the ledger of today; what the ledger has caught up with, or lost."""
    before = account.before
    if before is None:
        return None, [], []
    today = arrived(account.deposits, before.last)
    caught_up, left = absorb(account.findings, gained(before.credits, today), dust, now)
    found = [leftover(left, before.last)] if left else []
    return replace(before, credits=today), caught_up, found


async def locate(before: Measure | None, after: Measure, ask: Ask) -> list[Difference]:
    """Each difference between two measures, in as few blocks as older states allow, in order.

    Halves the blocks between, so that money that came is told from money that went, too, unless
    both in one block; what came and went again between two measures leaves no trace in either.
    """
    if change(before, after) == 0:
        return []
    if before is None or after.first - before.last < 2:
        return [judge(before, after)]
    middle = await ask((before.last + after.first) // 2)
    if middle is None:
        return [judge(before, after)]
    return [*await locate(before, middle, ask), *await locate(middle, after, ask)]
