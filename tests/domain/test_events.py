"""Events: one difference, one event; no difference, none."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import permutations
from typing import Any

import pytest

from tests.factories import FAMILY, METHOD, make_deposit, make_invoice
from watcher.domain.deposits import DepositStatus
from watcher.domain.events import Event, EventType, deposit_events, invoice_events
from watcher.domain.invoices import Flag, InvoiceStatus
from watcher.domain.money import Method

PENDING, CONFIRMED, ORPHANED = DepositStatus
REACHED = {
    InvoiceStatus.AWAITING_PAYMENT: "invoice.awaiting_payment",
    InvoiceStatus.PARTIALLY_PAID: "invoice.partially_paid",
    InvoiceStatus.CONFIRMING: "invoice.confirming",
    InvoiceStatus.PAID: "invoice.paid",
    InvoiceStatus.UNDERPAID: "invoice.underpaid",
    InvoiceStatus.EXPIRED: "invoice.expired",
    InvoiceStatus.CANCELLED: "invoice.cancelled",
}


def kinds(events: list[Event]) -> list[str]:
    return [str(event.type) for event in events]


@pytest.mark.parametrize("status", InvoiceStatus)
def test_an_invoice_just_opened_is_created_whatever_its_status(status: InvoiceStatus) -> None:
    after = make_invoice(status=status, selected=METHOD, flags=frozenset(Flag))
    assert kinds(invoice_events(None, after)) == ["invoice.created"]


@pytest.mark.parametrize(("was", "now"), list(permutations(InvoiceStatus, 2)))
def test_each_change_of_status_is_one_event(was: InvoiceStatus, now: InvoiceStatus) -> None:
    told = kinds(invoice_events(make_invoice(status=was), make_invoice(status=now)))
    assert told == (["invoice.reverted"] if was is InvoiceStatus.PAID else [REACHED[now]])


@pytest.mark.parametrize("status", InvoiceStatus)
def test_the_same_status_is_no_event(status: InvoiceStatus) -> None:
    assert invoice_events(make_invoice(status=status), make_invoice(status=status)) == []


def test_a_change_of_everything_is_told_once_as_its_status() -> None:
    after = make_invoice(
        status=InvoiceStatus.PAID, flags=frozenset(Flag), seen=Fraction(2), selected=METHOD
    )
    assert kinds(invoice_events(make_invoice(), after)) == ["invoice.paid"]


@pytest.mark.parametrize("method", [METHOD, None])
def test_another_selection_is_told_as_such(method: Method | None) -> None:
    before = make_invoice(selected=Method("polygon:pol"))
    assert kinds(invoice_events(before, replace(before, selected=method))) == [
        "invoice.method_selected"
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"flags": frozenset({Flag.LATE})},
        {"seen": Fraction(1, 3)},
        {"confirmed": Fraction(1, 3)},
    ],
    ids=["flags", "seen", "confirmed"],
)
def test_another_visible_change_is_an_update(change: dict[str, Any]) -> None:
    before = make_invoice()
    assert kinds(invoice_events(before, replace(before, **change))) == ["invoice.updated"]
    assert kinds(invoice_events(replace(before, **change), before)) == ["invoice.updated"]


@pytest.mark.parametrize(
    "change", [{"updated_at": 7}, {"addresses": {FAMILY: "0x0"}}, {"paid_at": 7}]
)
def test_bookkeeping_is_not_told(change: dict[str, Any]) -> None:
    before = make_invoice()
    assert invoice_events(before, replace(before, **change)) == []


def test_an_invoice_event_says_whose_it_is_and_names_no_deposit() -> None:
    after = make_invoice(merchant_id="mer_7", id="inv_7")
    assert invoice_events(None, after) == [Event(EventType.INVOICE_CREATED, "mer_7", "inv_7")]


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        (None, PENDING, ["deposit.detected"]),
        (None, CONFIRMED, ["deposit.confirmed"]),
        (None, ORPHANED, []),
        (PENDING, CONFIRMED, ["deposit.confirmed"]),
        (PENDING, ORPHANED, ["deposit.orphaned"]),
        (CONFIRMED, ORPHANED, ["deposit.orphaned"]),
        (ORPHANED, PENDING, ["deposit.detected"]),
        (PENDING, PENDING, []),
        (CONFIRMED, CONFIRMED, []),
        (ORPHANED, ORPHANED, []),
    ],
)
def test_deposit_events(was: DepositStatus | None, now: DepositStatus, told: list[str]) -> None:
    before = None if was is None else make_deposit(status=was)
    assert kinds(deposit_events(before, make_deposit(status=now))) == told


def test_a_deposit_that_only_learns_something_is_no_event() -> None:
    before = make_deposit()
    after = replace(before, corroborated=True, accepted=Fraction(1), accepted_by_hand=True)
    assert deposit_events(before, after) == []


def test_a_deposit_event_says_whose_it_is_and_which() -> None:
    after = make_deposit(merchant_id="mer_7", invoice_id="inv_7", id="dep_7")
    assert deposit_events(None, after) == [
        Event(EventType.DEPOSIT_DETECTED, "mer_7", "inv_7", "dep_7")
    ]


def test_every_status_of_an_invoice_has_its_type_of_event() -> None:
    assert {f"invoice.{status}" for status in InvoiceStatus} <= set(EventType)


def test_an_answer_is_an_update() -> None:
    before = make_invoice(details={"questionnaire": {"answers": None}})
    after = replace(before, details={"questionnaire": {"answers": {"size": "L"}}})
    assert kinds(invoice_events(before, after)) == ["invoice.updated"]
