"""The audit: what addresses hold at a final block, against what the ledger says arrived.

It finds what no proof of blocks covers: coins that a contract sent unseen, a token log that every
endpoint left out, a transfer that brought less than its log says. It changes no invoice; it shows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

import storage
from chains.base import ChainClient, ChainError, Holding
from storage import Conn, Engine
from storage.holdings import Run
from watcher import clock
from watcher.circumstances import Circumstances, circumstances
from watcher.comparing import Account, Accounts, Comparison, compare, read_accounts
from watcher.domain.audit import (
    Finding,
    FindingState,
    Measure,
    arrived,
    dust,
    undated,
)
from watcher.domain.blocks import BlockRef
from watcher.domain.money import Address, Method
from watcher.policy import NetworkPolicy

EVERY_SECONDS, LONGEST_SECONDS = 900, 840  # a run ends before the next is due, and says so
NO_FINAL = "no endpoint says which block is final"
RECENT_SECONDS = 3 * 86_400  # how long a closed invoice's address comes with the open ones
OTHERS_AT_ONCE = 200  # of all other addresses, in each run
BATCH = 20  # addresses between two looks at the budget
OLDER_STATES = 100  # questions a run, to find the blocks
SHARE = 10 * 86_400 // EVERY_SECONDS  # a run may spend one in so many of a day's requests

log = structlog.get_logger()


class Stopped(Exception):
    """This run goes no further; the text says why."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one run did."""

    run: Run
    findings: Sequence[Finding]
    """New in this run."""


async def audit_network(engine: Engine, rules: NetworkPolicy, client: ChainClient) -> Report:
    """Audit whoever is due on one network, and log what a person should see."""
    report = await Audit(engine, rules, client).run()
    for each in report.findings:
        if each.state is FindingState.OPEN:
            log.warning(
                "a balance differs from the ledger",
                network=each.network,
                finding=each.id,
                kind=each.kind.value,
                method=each.method,
                address=each.address,
                last_block=each.last,
                has_code=each.has_code,
            )
    return report


class Audit:
    """One run on one network. Holds what it may still ask."""

    def __init__(self, engine: Engine, rules: NetworkPolicy, client: ChainClient) -> None:
        self._engine, self._rules, self._client = engine, rules, client
        self._network = rules.spec.name
        self._assets = list(rules.assets.values())
        self._spent_before = {each.name: each.requests_today for each in client.endpoints()}
        self._older_states = OLDER_STATES
        self._final: BlockRef | None = None
        """At which balances are compared: ours, by its hash, as far as we still hold it."""
        self._number: int | None = None
        self._silent: set[Method] = set()
        self._doubtful = 0
        """Balances that differ from the ledger, and that too few endpoints repeat."""

    async def run(self) -> Report:
        """Audit whoever is due, as far as endpoints and their budgets allow."""
        urgent, others, reached = await self._due()
        asked = set(urgent)
        found: list[Finding] = []
        audited, reason = 0, None
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                for batch in _batches(urgent):
                    found += await self._audit(batch)
                    audited += len(batch)
                for batch in _batches([each for each in others if each not in asked]):
                    found += await self._audit(batch)
                    audited, reached = audited + len(batch), batch[-1]
                reached = others[-1] if len(others) == OTHERS_AT_ONCE else None
        except (Stopped, ChainError) as error:
            reason = str(error)
        except TimeoutError:
            reason = f"not done within {LONGEST_SECONDS} s: the next run goes on from there"
        run = Run(clock.now(), self._number, audited, reason or self._unsure(), reached)
        async with storage.write(self._engine) as conn:
            await storage.holdings.note_run(conn, self._network, run)
        return Report(run, found)

    def _unsure(self) -> str | None:
        """What this run could not compare."""
        said = []
        if self._silent:
            said.append(f"no balance could be had of {', '.join(sorted(self._silent))}")
        if self._doubtful:
            needed = self._rules.agreement
            few = f"fewer than {needed} endpoints say so" if needed > 1 else "no second look does"
            said.append(f"{self._doubtful} balances differ from the ledger, and {few}")
        return "; ".join(said) or None

    async def _due(self) -> tuple[list[Address], list[Address], Address | None]:
        """Whose turn it is: the open ones, the next of all others, and after whom those come."""
        family = self._rules.spec.family
        async with storage.read(self._engine) as conn:
            last = (await storage.holdings.last_runs(conn)).get(self._network)
            reached = last.reached if last else None
            since = clock.now() - RECENT_SECONDS
            urgent = await storage.holdings.urgent(conn, self._network, family, since)
            others = await storage.holdings.others(conn, family, reached, OTHERS_AT_ONCE)
        return urgent, others, reached

    async def _audit(self, addresses: Sequence[Address]) -> list[Finding]:
        """Compare these addresses, and store what is found."""
        self._require_budget()
        self._final = await self._our_final()
        holdings = await self._client.balances(addresses, self._assets, self._final)
        async with storage.read(self._engine) as conn:
            tip = await storage.blocks.tip(conn, self._network)
            accounts = await read_accounts(conn, self._network, holdings)
        self._number = max(each.last for each in holdings)
        _require_followed(tip, self._number)
        self._silent |= {each.method for each in holdings if each.units is None}
        results: dict[Holding, Comparison] = {}
        for holding in holdings:
            result = await self._compare(accounts[holding.address, holding.method], holding)
            if result is not None:
                results[holding] = result
        for holding in await self._not_repeated([h for h, r in results.items() if r.differences]):
            self._doubtful += 1
            del results[holding]
        told = await circumstances(
            self._engine,
            self._client,
            self._network,
            self._final,
            [(held, each) for held, result in results.items() for each in result.differences],
        )

        async def work(conn: Conn) -> list[Finding]:
            return await self._store(conn, accounts, results, told)

        return await storage.repeat(self._engine, work)

    async def _our_final(self) -> BlockRef:
        """The newest final block; raises Stopped where it is none of ours."""
        final = await self._client.finalized()
        if final is None:
            raise Stopped(NO_FINAL)
        async with storage.read(self._engine) as conn:
            tip = await storage.blocks.tip(conn, self._network)
            ours = await storage.blocks.at(conn, self._network, final.number)
        _require_followed(tip, final.number)
        if ours is not None and ours.hash != final.hash:  # None: too old to be kept
            raise Stopped(f"the final block {final.number} is not the one that we hold")
        return final

    async def _compare(self, account: Account, holding: Holding) -> Comparison | None:
        asset = self._rules.assets[holding.method]
        minimum = self._rules.rules.minimum.get(holding.method, 0)

        async def ask(number: int) -> Measure | None:
            return await self._older(account, holding, number)

        oldest = None
        if account.before is None:
            async with storage.read(self._engine) as conn:
                oldest = await storage.blocks.lowest(conn, self._network)
        result = await compare(account, holding, dust(asset, minimum), oldest, ask, clock.now())
        if result is None or self._rules.spec.dated_balances:
            return result
        return replace(result, differences=[undated(each) for each in result.differences])

    async def _older(self, account: Account, holding: Holding, number: int) -> Measure | None:
        """What was held after an older block; None where nobody can say, or enough was asked."""
        if self._older_states == 0 or self._final is None:
            return None
        self._older_states -= 1
        asset = self._rules.assets[holding.method]
        try:
            self._require_budget()
            [held] = await self._client.balances([holding.address], [asset], self._final, number)
        except (Stopped, ChainError) as error:  # then the blocks in question stay more
            log.debug("no older state", network=self._network, number=number, reason=str(error))
            return None
        if held.units is None or not held.first == held.last == number:
            return None
        if await self._not_repeated([held]):
            return None
        return Measure(number, number, held.units, arrived(account.deposits, number))

    async def _not_repeated(self, holdings: Sequence[Holding]) -> list[Holding]:
        """Those of them that fewer endpoints say than must agree: one may lie, or lag.

        What it took away it would give back in the next run, as a surplus that was counted already.
        One alone is asked a second time where behind its URL several nodes may stand.
        """
        needed = self._rules.agreement
        trusted = needed == 1 and self._rules.spec.dated_balances
        if trusted or not holdings or self._final is None:
            return []
        names = await self._client.repeat_balances(holdings, self._final)
        return [each for each, who in zip(holdings, names, strict=True) if len(who) < needed]

    async def _store(
        self,
        conn: Conn,
        accounts: Accounts,
        results: Mapping[Holding, Comparison],
        told: Circumstances,
    ) -> list[Finding]:
        """Store what still holds: books that changed meanwhile are compared in the next run."""
        await storage.cursors.hold(conn, self._network)
        today = await read_accounts(conn, self._network, list(results))
        same = {h: r for h, r in results.items() if today[_key(h)] == accounts[_key(h)]}
        # Also those of which nothing could be compared: their turn is over as well.
        addresses = {address for address, _ in accounts}
        measured = await storage.holdings.get(conn, self._network, addresses)
        measures = {each: dict(measured.get(each, {})) for each in addresses}
        new: list[Finding] = []
        for holding, result in same.items():
            measures[holding.address][holding.method] = result.measure
            await storage.findings.save(conn, result.caught_up)
            new += [told.finding(self._network, holding, each) for each in result.differences]
        await storage.holdings.put(conn, self._network, measures, clock.now())
        await storage.findings.add(conn, new)
        return new

    def _require_budget(self) -> None:
        """Leave the day's requests to those who follow; raises Stopped."""
        for each in self._client.endpoints():
            if each.daily_requests is None or each.state not in ("new", "healthy"):
                continue  # has no such limit, or is not asked now
            if each.forecast_today >= each.daily_requests:
                raise Stopped(f"{each.name}: following alone needs the day's requests")
            share = max(1, each.daily_requests // SHARE)
            if each.requests_today - self._spent_before.get(each.name, 0) >= share:
                raise Stopped(f"{each.name}: the {share} requests that a run may spend are spent")


def _require_followed(tip: BlockRef | None, number: int) -> None:
    if tip is None or tip.number < number:
        raise Stopped(f"block {number} is final, and we have not followed so far yet")


def _batches(addresses: Sequence[Address]) -> list[Sequence[Address]]:
    return [addresses[start : start + BATCH] for start in range(0, len(addresses), BATCH)]


def _key(holding: Holding) -> tuple[Address, Method]:
    return holding.address, holding.method
