"""The operator's tools: doctor and backup."""

from __future__ import annotations

import asyncio
import os
import shlex
import sqlite3
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url

import storage
from chains.base import ChainClient, ChainError, EndpointReport
from storage import Conn
from watcher.audit import NO_FINAL
from watcher.config import ConfigError
from watcher.domain.money import Network
from watcher.domain.rates import find_rate
from watcher.keys import load_box
from watcher.policy import NetworkPolicy, Policy
from watcher.refused import AlreadyThere, Refused
from watcher.status import network_warnings

DAY = 86_400  # seconds
SOME_KEY = bytes(range(64))  # nobody's: only that there is an answer matters
PAGES_AT_ONCE = 1000  # a copy step holds the file for that long, then lets writers in


REMEDIES = {  # by the first word of a check
    "key": "put the file back from where it is kept with the backups; `init` makes a new one",
    "endpoints": "see the reasons of each endpoint in the status",
    "chain": "check URL and key; it must be of this very network",
    "head": "wait until the node has caught up, or leave it out; keep this clock right, by NTP",
    "finality": "use a node that knows what is final, as with a consensus client",
    "receipts": "use an endpoint, or a plan, that offers `eth_getBlockReceipts`",
    "traces": "use one with `debug_traceBlockByHash` or `trace_block`, or rely on the audit",
    "infos": "use a full node of java-tron, by its HTTP API",
    "internal": "run the node with `vm.saveInternalTx = true`; if it does, nothing is to be done",
    "token": "correct `address` or `decimals` of the token, or leave it out",
    "audit": "nothing where the next goes on; see the reason, and the budget of the endpoints",
    "balances": "use an endpoint that answers calls at its newest final state",
    "lag": "nothing, if it catches up; else use one that keeps up",
    "limits": "set `requests_per_second` to what its plan allows, or add an endpoint",
    "budget": "raise `daily_requests` with the plan, or add an endpoint",
    "prices": "add a source, or fix the rate under `rates.fixed`",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's table."""

    where: str
    check: str
    ok: bool | None
    """None: a warning, nothing that loses deposits by itself."""
    detail: str

    @property
    def remedy(self) -> str | None:
        """What to do about it; None where it is well, or its own words say so."""
        return None if self.ok else REMEDIES.get(self.check.partition(" ")[0])


def examine_keys(key_file: Path) -> Finding:
    """Read the key file as a command does that seals or opens secrets."""
    try:
        load_box(key_file)
    except ConfigError as error:
        return Finding("secrets", "key file", False, str(error))
    return Finding("secrets", "key file", True, "read, holds a key")


async def examine(policy: Policy, clients: Mapping[Network, ChainClient]) -> list[Finding]:
    """Ask every endpoint of every network what it can do."""
    findings: list[Finding] = []
    for name, client in clients.items():
        try:
            found = await client.capabilities()
        except ChainError as error:
            findings.append(Finding(name, "endpoints", False, str(error)))
            continue
        findings += [
            Finding(
                f"{name}/{each.endpoint}",
                each.check,
                each.ok,
                each.detail,
            )
            for each in found
        ]
        findings += _examine_budgets(policy.networks[name], client.endpoints())
        findings.append(await _examine_balances(policy.networks[name], client))
        findings += [
            Finding(name, "warning", None, warning)
            for warning in network_warnings(policy.networks[name])
        ]
    return findings


def _examine_budgets(network: NetworkPolicy, endpoints: Sequence[EndpointReport]) -> list[Finding]:
    """Hold the requests that endpoints may be asked in a day against what following takes."""
    spec = network.spec
    needed = DAY // spec.pace_seconds * (3 if spec.needs_traces else 2)
    budgets = {each.name: each.daily_requests for each in endpoints if each.daily_requests}
    enough = len(budgets) < len(endpoints) or sum(budgets.values()) >= needed
    return [
        Finding(
            f"{spec.name}/{name}",
            "budget",
            True if budget >= needed else None if enough else False,
            f"{budget} requests a day; blocks alone take {needed}",
        )
        for name, budget in budgets.items()
    ]


async def _examine_balances(network: NetworkPolicy, client: ChainClient) -> Finding:
    """Ask what some address holds of the coin at the newest final block, as the audit does."""
    spec = network.spec
    try:
        final = await client.finalized()
        if final is None:
            return Finding(spec.name, "balances", None, f"the audit cannot run: {NO_FINAL}")
        [held] = await client.balances([spec.codec.of_key(SOME_KEY)], spec.assets[:1], final)
    except ChainError as error:
        return Finding(spec.name, "balances", None, f"the audit cannot run: {error}")
    return Finding(spec.name, "balances", True, f"told at final block {held.last}, for the audit")


async def examine_audit(conn: Conn, policy: Policy) -> list[Finding]:
    """How the newest audit of each network that had one ended."""
    runs = await storage.holdings.last_runs(conn)
    return [
        Finding(
            name,
            "audit",
            True if run.reason is None else None,
            f"the newest compared {run.addresses} addresses"
            + (f", and ended early: {run.reason}" if run.reason else ""),
        )
        for name, run in runs.items()
        if name in policy.networks
    ]


def examine_rates(policy: Policy, now: int) -> list[Finding]:
    """How the sources of rates answered, and which assets are left without a price."""
    rows = policy.rates.report(now)["sources"]
    findings = [
        Finding(
            "rates",
            row["source"],
            True if row["last_error"] is None else None,
            row["last_error"] or f"{row['pairs']} pairs",
        )
        for row in rows
    ]
    market = policy.rates.market(now)
    symbols = {a.symbol for network in policy.networks.values() for a in network.assets.values()}
    unpriced = [each for each in sorted(symbols) if find_rate(market, "USD", each) is None]
    if unpriced:
        words = f"no price in USD of {', '.join(unpriced)}: not offered for prices in currencies"
        findings.append(Finding("rates", "prices", None, words))
    findings += [
        Finding("rates", "/".join(pair), None, reason) for pair, reason in market.refused.items()
    ]
    return findings


async def backup(database_url: str, target: Path) -> None:
    """Write a consistent copy of a SQLite database while others use it.

    Raises:
        AlreadyThere: the target exists; nothing is overwritten.
        Refused: the database is PostgreSQL, and the message says what to run; or one of the files
            cannot be used.
    """
    url = make_url(database_url)
    if url.get_backend_name() != "sqlite":
        where = url._replace(password=None).render_as_string()  # `set` would keep the password
        command = ["pg_dump", "--format=custom", f"--file={target}", where]
        raise Refused(f"PostgreSQL makes its own copies; use: {shlex.join(command)}")
    await asyncio.to_thread(_copy, str(url.database), target)


def _copy(source: str, target: Path) -> None:
    if not Path(source).exists():
        raise Refused(f"there is no database at {source}")
    try:
        handle, part = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")  # mode 0600
        os.close(handle)
        try:
            with closing(sqlite3.connect(source)) as origin, closing(sqlite3.connect(part)) as copy:
                origin.backup(copy, pages=PAGES_AT_ONCE)
            os.link(part, target)  # unlike a rename, it fails where a file exists
        finally:
            os.unlink(part)
    except FileExistsError as error:
        raise AlreadyThere(f"{target} exists; a backup never overwrites") from error
    except OSError as error:
        raise Refused(f"{target} cannot be written: {error.strerror}") from error
    except sqlite3.Error as error:
        raise Refused(f"{source} cannot be copied: {error}") from error
