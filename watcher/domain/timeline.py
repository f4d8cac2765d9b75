"""The timeline of an invoice: which status it reached, when, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from watcher.domain.deposits import Deposit, DepositStatus
from watcher.domain.invoices import Invoice, InvoiceStatus, why_not

CLOSED_BY_DEPTH = {InvoiceStatus.PAID, InvoiceStatus.UNDERPAID}


class Cause(StrEnum):
    """What moved an invoice into a status."""

    OPENED = "opened"
    DEPOSIT_DETECTED = "deposit_detected"
    DEPOSIT_CONFIRMED = "deposit_confirmed"
    DEPOSIT_ORPHANED = "deposit_orphaned"
    ACCEPTED = "accepted"
    ACCEPTED_AS_PAID = "accepted_as_paid"
    CANCELLED = "cancelled"
    CANCELLED_BY_PAYER = "cancelled_by_payer"
    DEADLINE_PASSED = "deadline_passed"
    DEADLINE_AHEAD = "deadline_ahead"
    """Chain time stepped back before the deadline, or a slower network decides now."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One step of a timeline."""

    status: InvoiceStatus
    at: int
    """Wall-clock time, epoch seconds."""
    cause: Cause | None
    """None: stored by a version that did not tell."""
    deposit_id: str | None = None


_CAUSES = {
    DepositStatus.PENDING: Cause.DEPOSIT_DETECTED,
    DepositStatus.CONFIRMED: Cause.DEPOSIT_CONFIRMED,
    DepositStatus.ORPHANED: Cause.DEPOSIT_ORPHANED,
}


def moment_of(after: Invoice, changed: Iterable[Deposit], now: int) -> Moment:
    """Why a step of the chain moved an invoice: by a deposit that counts, else by its time.

    `changed` are its deposits that this step changed, as they are now. Of several the last one that
    fits the status is named: what closes an invoice is depth, anything else came or went.
    """
    counting = [each for each in changed if why_not(after, each) is None]
    closed = after.status in CLOSED_BY_DEPTH
    fitting = [each for each in counting if (each.status is DepositStatus.CONFIRMED) is closed]
    if counting:
        last = (fitting or counting)[-1]
        return Moment(after.status, now, _CAUSES[last.status], last.id)
    past = after.status in {InvoiceStatus.EXPIRED, InvoiceStatus.UNDERPAID}
    cause = Cause.DEADLINE_PASSED if past else Cause.DEADLINE_AHEAD
    return Moment(after.status, now, cause)
