"""The operator's view: every network, what waits for a decision, and whether we are ready.

Read from the database alone, so that every process and the command line see the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import storage
from storage import Conn
from storage.wallets import Wallet
from watcher import __version__
from watcher.alarms import alarms_of
from watcher.clock import rfc3339
from watcher.domain.blocks import BlockRef
from watcher.domain.money import Network
from watcher.policy import NetworkPolicy, Policy
from watcher.render import Json
from watcher.settling import our_tips
from watcher.webhooks.showing import render_load

SILENT_SECONDS = 30  # a follower that published nothing for so long is gone


async def admin_status(conn: Conn, policy: Policy, started_at: int | None, now: int) -> Json:
    """`GET /admin/status` of contract.md 6; `started_at` is None where no daemon is asked.

    Then `rates` is None, too: each process that serves the API knows only its own.
    """
    facts = await _facts(conn, policy, started_at, now)
    return {**facts, "alarms": [asdict(each) for each in alarms_of(facts)]}


async def _facts(conn: Conn, policy: Policy, started_at: int | None, now: int) -> Json:
    networks = await network_rows(conn, policy, started_at, now)
    lagging = lagging_of(policy, networks)
    families = {policy.networks[name].spec.family for name in lagging}
    return {
        "version": __version__,
        "livemode": policy.livemode,
        "started_at": None if started_at is None else rfc3339(started_at),
        "database": {"engine": conn.dialect.name, "ok": True, "schema": "head"},
        "networks": networks,
        "invoices": {
            "open": await storage.overview.open_invoices(conn),
            "delayed": await storage.overview.delayed_invoices(conn, lagging, families),
        },
        "deposits": {
            "pending": await storage.overview.pending_deposits(conn),
            "unmatched": await storage.overview.unmatched_deposits(conn),
        },
        "wallets": [_wallet_row(*each) for each in await storage.wallets.listing(conn)],
        "webhooks": render_load(await storage.tries.load(conn), now),
        "audit": await _audit(conn, policy),
        "rates": None if started_at is None else policy.rates.report(now),
        "chores": [
            {
                "name": each.name,
                "next_run": rfc3339(each.next_run),
                "last_ok": None if each.last_ok is None else rfc3339(each.last_ok),
                "last_error": each.last_error,
                "failures": each.failures,
            }
            for each in await storage.chores.courses(conn)
        ],
    }


def _wallet_row(wallet: Wallet, left: int | None) -> Json:
    return {
        "id": wallet.id,
        "merchant_id": wallet.merchant_id,
        "family": wallet.family,
        "kind": wallet.kind,
        "next_index": wallet.next_index if wallet.kind == "xpub" else None,
        "left": left,
    }


async def _audit(conn: Conn, policy: Policy) -> Json:
    """What the audit found that a person should look at, and how its newest runs went."""
    runs = await storage.holdings.last_runs(conn)
    rows = [
        {
            "network": name,
            "last_run": rfc3339(runs[name].at) if name in runs else None,
            "block": runs[name].number if name in runs else None,
            "addresses": runs[name].addresses if name in runs else 0,
            "reason": runs[name].reason if name in runs else None,
        }
        for name in policy.networks
    ]
    return {
        "last_run": max((row["last_run"] for row in rows if row["last_run"]), default=None),
        "findings": await storage.findings.open_count(conn),
        "networks": rows,
    }


async def network_rows(conn: Conn, policy: Policy, started_at: int | None, now: int) -> list[Json]:
    """One row for every enabled network, followed by any process or by none."""
    tips = await our_tips(conn, policy)
    reports = await storage.health.reports(conn)
    rows = []
    for name, network in policy.networks.items():
        published_at, report = reports.get(name, (started_at or 0, {}))
        silent = now - published_at > SILENT_SECONDS
        rows.append(_network_row(name, network, tips.get(name), report, silent, now))
    return rows


def lagging_of(policy: Policy, rows: list[Json]) -> list[Network]:
    """The networks whose newest block is so old that it delays what may be paid there."""
    return [
        Network(row["network"])
        for row in rows
        if row["tip"]["age_seconds"] is None
        or row["tip"]["age_seconds"] > policy.networks[row["network"]].stalled_after
    ]


def why_not_ready(rows: list[Json]) -> list[str]:
    """A sentence for each network that is stalled or halted."""
    return [
        f"{row['network']} is {row['state']}: {row['last_error'] or 'no new block for too long'}"
        for row in rows
        if row["state"] in ("stalled", "halted")
    ]


def _network_row(
    name: Network,
    network: NetworkPolicy,
    tip: BlockRef | None,
    report: Mapping[str, Any],
    silent: bool,
    now: int,
) -> Json:
    head = report.get("head")
    frozen = report.get("frozen")
    last_error = report.get("last_error")
    if silent:
        last_error = last_error or "no process follows it"
    return {
        "network": name,
        "state": _state(network, tip, report, silent, now),
        "tip": {
            "number": tip.number if tip else None,
            "hash": network.spec.show_hash(tip.hash) if tip else None,
            "age_seconds": max(0, now - tip.timestamp) if tip else None,
        },
        "head": head,
        "lag_blocks": max(0, head - tip.number) if tip and head is not None else None,
        "finalized": {
            "number": report.get("finalized"),
            "frozen": frozen is not None,
            "reason": frozen or report.get("finality_unknown"),
        },
        "agreement": report.get("agreement", {"waiting": 0, "reason": None}),
        "blocks_per_second": report.get("blocks_per_second", 0),
        "catch_up_eta_seconds": report.get("catch_up_eta_seconds"),
        "last_error": last_error,
        "errors_1h": report.get("errors_1h", 0),
        "warnings": [*network_warnings(network), *report.get("warnings", [])],
        "leader": None if silent else report.get("leader"),
        "reorgs_24h": report.get("reorgs_24h", {"count": 0, "deepest": 0}),
        "endpoints": [_endpoint_row(each) for each in report.get("endpoints", [])],
    }


def _state(
    network: NetworkPolicy, tip: BlockRef | None, report: Mapping[str, Any], silent: bool, now: int
) -> str:
    """The published state, unless nothing has moved for too long.

    A node that is far behind itself looks like one to follow: there the age of the tip tells.
    """
    if not report:
        return "stalled" if silent else "starting"
    state, since = str(report["state"]), int(report["progress_at"])
    if state == "following" and tip is not None:
        since = min(since, tip.timestamp)
    stuck = now - since > network.stalled_after
    return "stalled" if state != "halted" and (silent or stuck) else state


def _endpoint_row(report: Mapping[str, Any]) -> Json:
    quarantined = report["reason"] if report["state"] == "quarantined" else None
    return {
        "name": report["name"],
        "state": report["state"],
        "reason": report["reason"],
        "head": report["head"],
        "latency_ms": {"p50": report["latency_p50_ms"], "p99": report["latency_p99_ms"]},
        "requests_today": report["requests_today"],
        "daily_requests": report["daily_requests"],
        "forecast_today": report["forecast_today"],
        "errors_1h": report["errors_1h"],
        "quarantined": quarantined,
        "traces": report.get("traces"),
    }


def network_warnings(network: NetworkPolicy) -> list[str]:
    """What this network's configuration cannot know, said aloud."""
    warnings = []
    if network.agreement > network.endpoints:
        warnings.append(
            f"no deposit is ever confirmed: {network.agreement} endpoints must agree, "
            f"and {network.endpoints} is configured"
        )
    if network.agreement < 2:
        warnings.append(
            "one endpoint decides: a chain of invented blocks would be believed; "
            "configure a second, independent endpoint"
        )
    if not network.repeat_transfers and not network.spec.commits_to_transfers:
        warnings.append("tokens and internal transfers are believed as one endpoint tells them")
    elif network.agreement < 2 and not network.spec.commits_to_transfers:
        warnings.append(
            "tokens and internal transfers are confirmed on one endpoint's word: no block commits "
            "to them, and no second endpoint is configured to repeat them"
        )
    return warnings
