"""What changed facts mean for invoices: their status, their timeline, what is told of them.

Everything happens within the caller's transaction, once the invoices are locked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import storage
from storage import Conn
from storage.deposits import Change
from watcher.domain.blocks import BlockRef
from watcher.domain.deposits import Deposit, DepositStatus
from watcher.domain.events import Event, deposit_events, invoice_events
from watcher.domain.invoices import Invoice, InvoiceStatus, accept_late, chain_time, evaluate
from watcher.domain.money import Network
from watcher.domain.timeline import Cause, Moment, moment_of
from watcher.policy import Policy
from watcher.render import InvoiceView, Json, render_deposit, render_invoice, withhold
from watcher.wallets import find_tampered

Told = tuple[Event, Json]
Facts = tuple[Invoice, Sequence[Deposit]]
Edit = Callable[[Invoice, Sequence[Deposit]], Facts]
"""From an invoice and its deposits to the same with other facts; the deposits keep their order."""


async def settle_invoices(
    conn: Conn,
    policy: Policy,
    ids: set[str],
    crossing: tuple[int, int] | None,
    changes: Sequence[Change],
    now: int,
) -> list[Told]:
    """Evaluate `ids`, the owners of `changes`, and all whose deadline was crossed.

    By policy late money among `changes` is accepted first.
    """
    ids |= {after.invoice_id for _, after in changes}
    locked = await storage.invoices.lock(conn, ids, crossing)
    if not locked:
        return []
    # After the lock: two followers that cross a deadline together must not both see old tips, nor
    # each only its own half of the money.
    tips = await our_tips(conn, policy)
    deposits = await storage.deposits.of_invoices(conn, [each.id for each in locked])
    if policy.accepts_late:
        await _accept_late(conn, locked, deposits, changes)
    events = [event for change in changes for event in deposit_events(*change)]
    changed = {after.id for _, after in changes}
    settled: list[Invoice] = []
    for before in locked:
        held = deposits[before.id]
        after = _settle(policy, before, held, tips, now)
        moment = moment_of(after, [each for each in held if each.id in changed], now)
        await _store(conn, before, after, moment)
        events += invoice_events(before, after)
        settled.append(after)
    return await _told(conn, policy, events, settled, tips, now)


async def amend(
    conn: Conn, policy: Policy, invoice_id: str, edit: Edit, cause: Cause | None, now: int
) -> Invoice:
    """Change the facts of one invoice by `edit`, and draw the consequences.

    `edit` gets the locked invoice and its deposits and may raise Refused. `cause` is what it does
    to the status; None where it does nothing, so that only the time could move it.
    """
    [before] = await storage.invoices.lock(conn, [invoice_id])
    held = (await storage.deposits.of_invoices(conn, [invoice_id]))[invoice_id]
    tips = await our_tips(conn, policy)
    edited, deposits = edit(before, held)
    decided = [each for each, was in zip(deposits, held, strict=True) if each != was]
    await storage.deposits.decide(conn, decided)
    after = _settle(policy, replace(edited, updated_at=now), deposits, tips, now)
    deposit_id = decided[-1].id if decided else None
    moment = Moment(after.status, now, cause, deposit_id) if cause else moment_of(after, [], now)
    await _store(conn, before, after, moment)
    events = invoice_events(before, after)
    await storage.events.append(conn, await _told(conn, policy, events, [after], tips, now), now)
    return after


async def evaluate_past(conn: Conn, policy: Policy, invoice_ids: Iterable[str], now: int) -> None:
    """Evaluate invoices again: after a start, when other networks may be enabled than before."""
    events = await settle_invoices(conn, policy, set(invoice_ids), None, [], now)
    await storage.events.append(conn, events, now)


async def tell_opened(
    conn: Conn, policy: Policy, invoice: Invoice, tips: Mapping[Network, BlockRef], now: int
) -> None:
    """Tell of an invoice just stored."""
    events = invoice_events(None, invoice)
    await storage.events.append(conn, await _told(conn, policy, events, [invoice], tips, now), now)


async def our_tips(conn: Conn, policy: Policy) -> dict[Network, BlockRef]:
    """Our newest block on every enabled network that has one."""
    tips = await storage.cursors.tips(conn)
    return {name: tip for name, tip in tips.items() if name in policy.networks}


async def view_invoices(conn: Conn, invoices: Sequence[Invoice]) -> dict[str, InvoiceView]:
    """What is shown of each invoice, by id: with its deposits and its timeline."""
    ids = [invoice.id for invoice in invoices]
    deposits = await storage.deposits.of_invoices(conn, ids)
    timelines = await storage.invoices.timeline(conn, ids)
    return {each.id: InvoiceView(each, deposits[each.id], timelines[each.id]) for each in invoices}


def show_views(
    policy: Policy,
    views: Mapping[str, InvoiceView],
    tips: Mapping[Network, BlockRef],
    tampered: Mapping[str, str],
    now: int,
) -> dict[str, Json]:
    """Each invoice as it is shown; without the addresses of those `tampered`, see `wallets`."""
    shown = {id: render_invoice(policy, view, tips, now) for id, view in views.items()}
    return shown | {id: withhold(shown[id], reason) for id, reason in tampered.items()}


async def show_deposits(conn: Conn, policy: Policy, deposits: Sequence[Deposit]) -> list[Json]:
    """Deposits of any invoices as they are shown, in the same order."""
    tips = await our_tips(conn, policy)
    invoices = await storage.invoices.get_many(conn, {each.invoice_id for each in deposits})
    return [render_deposit(policy, invoices[each.invoice_id], each, tips) for each in deposits]


def _settle(
    policy: Policy,
    before: Invoice,
    deposits: Sequence[Deposit],
    tips: Mapping[Network, BlockRef],
    now: int,
) -> Invoice:
    """`evaluate`, with the wall-clock times that go with what changed."""
    times = {name: tip.timestamp for name, tip in tips.items()}
    after = evaluate(before, deposits, chain_time(before, times, policy.families))
    if after == before:
        return before
    paid, was_paid = (each.status is InvoiceStatus.PAID for each in (after, before))
    paid_at = (before.paid_at if was_paid else now) if paid else None
    return replace(after, updated_at=now, paid_at=paid_at)


async def _accept_late(
    conn: Conn,
    invoices: Sequence[Invoice],
    deposits: dict[str, list[Deposit]],
    changes: Sequence[Change],
) -> None:
    """Accept what is late of the money that came in with `changes`, in `deposits` too."""
    came = {
        after.id
        for before, after in changes
        if before is None or before.status is DepositStatus.ORPHANED
    }
    for invoice in invoices:
        held = deposits[invoice.id]
        decided = [accept_late(invoice, each) if each.id in came else each for each in held]
        changed = [each for each, was in zip(decided, held, strict=True) if each != was]
        await storage.deposits.decide(conn, changed)
        deposits[invoice.id] = decided


async def _store(conn: Conn, before: Invoice, after: Invoice, moment: Moment) -> None:
    if after == before:
        return
    await storage.invoices.save(conn, after)
    if after.status is not before.status:
        await storage.invoices.note(conn, after.id, moment)


async def _told(
    conn: Conn,
    policy: Policy,
    events: Sequence[Event],
    invoices: Sequence[Invoice],
    tips: Mapping[Network, BlockRef],
    now: int,
) -> list[Told]:
    """Each event with its data, rendered once, as things stand now."""
    if not events:
        return []
    told_of = {event.invoice_id for event in events}
    views = await view_invoices(conn, [each for each in invoices if each.id in told_of])
    tampered = await find_tampered(conn, policy, [view.invoice for view in views.values()])
    rendered = show_views(policy, views, tips, tampered, now)
    result: list[Told] = []
    for event in events:
        data: Json = {"invoice": rendered[event.invoice_id]}
        if event.deposit_id is not None:
            view = views[event.invoice_id]
            deposit = next(each for each in view.deposits if each.id == event.deposit_id)
            data = {"deposit": render_deposit(policy, view.invoice, deposit, tips), **data}
        result.append((event, data))
    return result
