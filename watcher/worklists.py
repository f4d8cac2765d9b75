"""What the operator looks through, over all merchants: lists, newest first, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import storage
from storage import Conn
from storage.deliveries import Delivery
from watcher.domain.deposits import DepositStatus
from watcher.invoicing import list_invoices
from watcher.policy import Policy
from watcher.render import Json
from watcher.settling import show_deposits
from watcher.status import lagging_of, network_rows
from watcher.webhooks.showing import render_delivery, show_webhooks

PAGE = 50
InvoiceView = Literal["open", "delayed", "all"]
DepositView = Literal["pending", "unmatched", "orphaned", "all"]


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a list, and after which id it goes on; None: these were the last."""

    rows: Sequence[Json]
    next: str | None


async def page_invoices(
    conn: Conn, policy: Policy, view: InvoiceView, after: str | None, now: int
) -> Page:
    """Invoices: those that money may still change, those of them that a network delays, or all."""
    overview = storage.overview
    match view:
        case "open":
            ids = await overview.list_open(conn, after, PAGE + 1)
        case "delayed":
            lagging = lagging_of(policy, await network_rows(conn, policy, None, now))
            families = {policy.networks[name].spec.family for name in lagging}
            ids = await overview.list_delayed(conn, lagging, families, after, PAGE + 1)
        case "all":
            ids = await overview.list_invoices(conn, after, PAGE + 1)
    return Page(await invoices_of(conn, policy, ids[:PAGE], now), _next(ids))


async def page_deposits(conn: Conn, policy: Policy, view: DepositView, after: str | None) -> Page:
    """Deposits by what the chain says of them, or those that count for nothing and wait.

    The latter a page of their invoices at a time.
    """
    overview = storage.overview
    match view:
        case "unmatched":
            ids = await overview.list_unmatched(conn, after, PAGE + 1)
            return Page(await _undecided(conn, policy, ids[:PAGE]), _next(ids))
        case "all":
            ids = await overview.list_deposits(conn, None, after, PAGE + 1)
        case "pending" | "orphaned":
            ids = await overview.list_deposits(conn, DepositStatus(view), after, PAGE + 1)
    return Page(await deposits_of(conn, policy, ids[:PAGE]), _next(ids))


async def page_troubled(conn: Conn, after: str | None) -> Page:
    """Deliveries that were given up, or failed and are tried again."""
    found = await storage.overview.list_troubled(conn, after, PAGE + 1)
    return Page(
        await show_deliveries(conn, found[:PAGE]),
        found[PAGE - 1].id if len(found) > PAGE else None,
    )


async def all_webhooks(conn: Conn, now: int) -> list[Json]:
    """Every merchant's webhooks with what is queued for them, and the merchant's name."""
    rows = []
    for merchant in await storage.merchants.listing(conn):
        found = await storage.webhooks.listing(conn, merchant.id)
        for shown in await show_webhooks(conn, found, now):
            rows.append({**shown, "merchant_name": merchant.name})
    return rows


async def invoices_of(conn: Conn, policy: Policy, ids: Sequence[str], now: int) -> list[Json]:
    """These invoices as they are shown, in this order."""
    found = await storage.invoices.get_many(conn, ids)
    return await list_invoices(conn, policy, [found[id] for id in ids], now)


async def deposits_of(conn: Conn, policy: Policy, ids: Sequence[str]) -> list[Json]:
    """These deposits as they are shown, in this order."""
    found = await storage.deposits.known(conn, ids)
    return await show_deposits(conn, policy, [found[id] for id in ids])


async def show_deliveries(conn: Conn, deliveries: Sequence[Delivery]) -> list[Json]:
    """Deliveries with their logs, the type of their event and the merchant."""
    tries = await storage.tries.of_deliveries(conn, [each.id for each in deliveries])
    events = await storage.events.by_ids(conn, {each.event_id for each in deliveries})
    return [
        {
            **render_delivery(each, tries[each.id]),
            "merchant_id": each.merchant_id,
            "type": events[each.event_id].type.value if each.event_id in events else None,
        }
        for each in deliveries
    ]


async def _undecided(conn: Conn, policy: Policy, invoice_ids: Sequence[str]) -> list[Json]:
    """The deposits of these invoices that count for nothing."""
    held = await storage.deposits.of_invoices(conn, invoice_ids)
    shown = await show_deposits(conn, policy, [each for id in invoice_ids for each in held[id]])
    return [row for row in shown if row["reason"] and row["status"] != DepositStatus.ORPHANED]


def _next(ids: Sequence[str]) -> str | None:
    return ids[PAGE - 1] if len(ids) > PAGE else None
