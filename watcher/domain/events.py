"""Events: the differences between two states that are worth telling."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from watcher.domain.deposits import Deposit, DepositStatus
from watcher.domain.invoices import Invoice, InvoiceStatus


class EventType(StrEnum):
    """Every type of event, as webhooks and the events API name it."""

    INVOICE_CREATED = "invoice.created"
    INVOICE_METHOD_SELECTED = "invoice.method_selected"
    INVOICE_UPDATED = "invoice.updated"
    INVOICE_AWAITING_PAYMENT = "invoice.awaiting_payment"
    INVOICE_PARTIALLY_PAID = "invoice.partially_paid"
    INVOICE_CONFIRMING = "invoice.confirming"
    INVOICE_PAID = "invoice.paid"
    INVOICE_UNDERPAID = "invoice.underpaid"
    INVOICE_EXPIRED = "invoice.expired"
    INVOICE_CANCELLED = "invoice.cancelled"
    INVOICE_REVERTED = "invoice.reverted"
    DEPOSIT_DETECTED = "deposit.detected"
    DEPOSIT_CONFIRMED = "deposit.confirmed"
    DEPOSIT_ORPHANED = "deposit.orphaned"


PATTERNS = ("*", "invoice.*", "deposit.*", *(each.value for each in EventType))
"""What a subscription may name."""


def wants(patterns: Collection[str], type: EventType) -> bool:
    """Whether a subscription to `patterns` includes events of this type."""
    group = type.value.partition(".")[0]
    return not {"*", f"{group}.*", type.value}.isdisjoint(patterns)


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell a merchant."""

    type: EventType
    merchant_id: str
    invoice_id: str
    deposit_id: str | None = None


def invoice_events(before: Invoice | None, after: Invoice) -> list[Event]:
    """What to tell of an invoice that was `before` (None: just opened): nothing or one event."""
    kind = _invoice_event(before, after)
    return [Event(kind, after.merchant_id, after.id)] if kind else []


def _invoice_event(before: Invoice | None, after: Invoice) -> EventType | None:
    if before is None:
        return EventType.INVOICE_CREATED
    if before.status is not after.status:
        left_paid = before.status is InvoiceStatus.PAID
        return EventType.INVOICE_REVERTED if left_paid else EventType(f"invoice.{after.status}")
    if before.selected != after.selected:
        return EventType.INVOICE_METHOD_SELECTED
    changed = _visible(before) != _visible(after)
    return EventType.INVOICE_UPDATED if changed else None


def _visible(invoice: Invoice) -> tuple[object, ...]:
    return invoice.flags, invoice.seen, invoice.confirmed, invoice.details


def deposit_events(before: Deposit | None, after: Deposit) -> list[Event]:
    """What to tell of a deposit that was `before` (None: just found): nothing or one event."""
    was = DepositStatus.ORPHANED if before is None else before.status
    if was is after.status:
        return []
    kind = {
        DepositStatus.PENDING: EventType.DEPOSIT_DETECTED,
        DepositStatus.CONFIRMED: EventType.DEPOSIT_CONFIRMED,
        DepositStatus.ORPHANED: EventType.DEPOSIT_ORPHANED,
    }[after.status]
    return [Event(kind, after.merchant_id, after.invoice_id, after.id)]
