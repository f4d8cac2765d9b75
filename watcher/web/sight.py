"""What a payer sees of a scene: which phase he is in, and the facts that its templates fill in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

from watcher.domain.deposits import Deposit, confirmations
from watcher.domain.invoices import Flag, InvoiceStatus
from watcher.domain.money import decimals_of, rounded_down
from watcher.policy import Policy
from watcher.render import Json, render_invoice
from watcher.web.paying import Offer, Payment, offers_of, payment_of
from watcher.web.returning import Return, return_of
from watcher.web.scene import Scene


class Phase(StrEnum):
    """What the page is about."""

    TAMPERED = "tampered"
    QUESTIONS = "questions"
    CHOOSE = "choose"
    WAITING = "waiting"
    PARTIAL = "partial"
    CLOSING = "closing"
    CONFIRMING = "confirming"
    PAID = "paid"
    UNDERPAID = "underpaid"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


SETTLED: Mapping[InvoiceStatus, Phase] = {
    InvoiceStatus.CONFIRMING: Phase.CONFIRMING,
    InvoiceStatus.PAID: Phase.PAID,
    InvoiceStatus.UNDERPAID: Phase.UNDERPAID,
    InvoiceStatus.EXPIRED: Phase.EXPIRED,
    InvoiceStatus.CANCELLED: Phase.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Depth:
    """How deep a payment is in its chain."""

    blocks: int
    required: int | None
    """None: what the chain calls final, however many blocks that takes."""

    @property
    def percent(self) -> int:
        return 100 * self.blocks // self.required if self.required else 0


@dataclass(frozen=True, slots=True)
class Sight:
    """The facts of one page."""

    phase: Phase
    shown: Json
    """The invoice as everyone is shown it."""
    payment: Payment | None
    offers: Sequence[Offer]
    questions: Sequence[Json]
    deposits: Sequence[Json]
    depth: Depth | None
    lagging: Sequence[str]
    """The titles of networks that it may be paid on and that are behind."""
    late: bool
    """Money came after the end."""
    surplus: str | None
    back: Return | None
    may_cancel: bool
    may_choose: bool
    """There is another method than the one that is shown."""
    expires_at: int


def sight_of(policy: Policy, scene: Scene, now: int, choosing: bool) -> Sight:
    """What is to be seen now; `choosing`: by a payer who wants another method."""
    invoice = scene.invoice
    shown = render_invoice(policy, scene.view, scene.tips, now)
    offers, payment = offers_of(policy, scene), payment_of(policy, scene)
    phase = _phase(scene, payment, now, choosing)
    asked: Any = invoice.details.get("questionnaire")
    live = [each for each in shown["deposits"] if each["status"] != "orphaned"]
    return Sight(
        phase=phase,
        shown=shown,
        payment=payment,
        offers=offers,
        questions=asked["fields"] if asked else [],
        deposits=[_titled(policy, each) for each in shown["deposits"]],
        depth=_depth(scene),
        lagging=[policy.networks[each].spec.title for each in scene.delaying(policy, now)],
        late=Flag.LATE in invoice.flags,
        surplus=_surplus(shown) if Flag.OVERPAID in invoice.flags else None,
        back=return_of(invoice),
        may_cancel=policy.payer_may_cancel and scene.is_open and not live,
        may_choose=len(offers) > 1 and phase in (Phase.WAITING, Phase.PARTIAL),
        expires_at=invoice.deadline,
    )


def _phase(scene: Scene, payment: Payment | None, now: int, choosing: bool) -> Phase:
    invoice = scene.invoice
    cases = (  # the first that holds
        (invoice.status in SETTLED, SETTLED.get(invoice.status, Phase.CLOSING)),
        (scene.tampered, Phase.TAMPERED),
        (scene.past(now), Phase.CLOSING),
        (scene.unanswered, Phase.QUESTIONS),
        (choosing or payment is None, Phase.CHOOSE),
        (invoice.status is InvoiceStatus.PARTIALLY_PAID, Phase.PARTIAL),
        (True, Phase.WAITING),
    )
    return next(phase for holds, phase in cases if holds)


def _depth(scene: Scene) -> Depth | None:
    """Of the payment that takes longest; None where none is on its way."""
    depths = [_depth_of(scene, each) for each in scene.on_their_way]
    return max(depths, key=_blocks_to_go, default=None)


def _depth_of(scene: Scene, deposit: Deposit) -> Depth:
    tip = scene.tips.get(deposit.network)
    blocks = confirmations(deposit, tip) if tip else 0
    if deposit.required == "finalized":
        return Depth(blocks, None)
    return Depth(min(blocks, deposit.required), deposit.required)


def _blocks_to_go(depth: Depth) -> tuple[bool, int]:
    if depth.required is None:
        return True, -depth.blocks
    return False, depth.required - depth.blocks


def _titled(policy: Policy, deposit: Json) -> Json:
    """A deposit with the name of its network for people."""
    network = policy.networks.get(deposit["network"])
    return {**deposit, "title": network.spec.title if network else deposit["network"]}


def _surplus(shown: Json) -> str | None:
    """What was paid above the price; None where it is less than the price's decimals show."""
    paid, price = shown["paid"]["amount"], shown["price"]["amount"]
    over = rounded_down(Fraction(paid) - Fraction(price), decimals_of(paid))
    return over if Fraction(over) > 0 else None
