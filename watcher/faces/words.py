"""The one table from our statuses and flags to a face's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from watcher.render import Json

Word = TypeVar("Word")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words(Generic[Word]):
    """A face's word for every status; only two facts beside it ever change the word."""

    unselected: Word
    """Awaiting payment, before a method was selected."""
    awaiting_payment: Word
    partially_paid: Word
    confirming: Word
    paid: Word
    overpaid: Word
    """Paid, and flagged so."""
    underpaid: Word
    expired: Word
    cancelled: Word

    def of(self, invoice: Json) -> Word:
        """The word for an invoice as it is shown."""
        status = invoice["status"]
        if status == "awaiting_payment" and invoice["selected"] is None:
            return self.unselected
        if status == "paid" and "overpaid" in invoice["flags"]:
            return self.overpaid
        return self.by_status(status)

    def by_status(self, status: str) -> Word:
        """The word for a step of a timeline, which has neither."""
        word: Word = getattr(self, status)
        return word
