"""What a page on an invoice is made of: the invoice and all around it, at one moment."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import storage
from storage import Conn
from watcher import settling
from watcher.domain.blocks import BlockRef
from watcher.domain.deposits import Deposit, DepositStatus
from watcher.domain.invoices import Invoice, why_not
from watcher.domain.money import Network
from watcher.invoicing import OPEN
from watcher.policy import Policy
from watcher.render import InvoiceView, delaying
from watcher.wallets import find_tampered


@dataclass(frozen=True, slots=True)
class Scene:
    """One invoice, whose it is, and where the networks are."""

    view: InvoiceView
    merchant: str
    """The name of whoever is paid."""
    has_logo: bool
    """Whether there is a picture beside the name."""
    tampered: bool
    """An address is not the one that its wallet derives: nobody may pay to it."""
    tips: Mapping[Network, BlockRef]

    @property
    def invoice(self) -> Invoice:
        return self.view.invoice

    @property
    def is_open(self) -> bool:
        """Whether it still asks for money, as far as the books know."""
        return self.invoice.status in OPEN

    @property
    def unanswered(self) -> bool:
        """Whether the payer is asked something and has not answered yet."""
        asked: Any = self.invoice.details.get("questionnaire")
        return asked is not None and asked["answers"] is None

    @property
    def on_their_way(self) -> list[Deposit]:
        """What counts and is not confirmed yet."""
        return [
            each
            for each in self.view.deposits
            if each.status is DepositStatus.PENDING and why_not(self.invoice, each) is None
        ]

    def past(self, now: int) -> bool:
        """Whether it is too late to send anything, by the wall clock or any chain's."""
        clocks = [
            self.tips[q.network].timestamp for q in self.invoice.quotes if q.network in self.tips
        ]
        return max([now, *clocks]) > self.invoice.deadline

    def delaying(self, policy: Policy, now: int) -> list[Network]:
        """The networks that it may be paid on and that lag."""
        return delaying(policy, self.invoice, self.view.deposits, self.tips, now)


async def read_scenes(conn: Conn, policy: Policy, ids: Collection[str]) -> dict[str, Scene]:
    """The scenes of these invoices, by id; of those that exist."""
    invoices = list((await storage.invoices.get_many(conn, ids)).values())
    views = await settling.view_invoices(conn, invoices)
    tampered = await find_tampered(conn, policy, invoices)
    tips = await settling.our_tips(conn, policy)
    merchants = {}
    for merchant_id in {invoice.merchant_id for invoice in invoices}:
        merchant = await storage.merchants.get(conn, merchant_id)
        merchants[merchant_id] = (merchant.name, merchant.has_logo) if merchant else ("", False)
    return {
        each.id: Scene(views[each.id], *merchants[each.merchant_id], each.id in tampered, tips)
        for each in invoices
    }
