"""Every transition that the rules allow, found by trying them all, is the one that is drawn.

From an invoice over 100 units, due by second 1000, with up to two deposits, each change of a single
fact is made in each state that can be reached.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from tests.factories import make_deposit, make_invoice
from watcher.domain.deposits import Deposit, DepositStatus, orphan, revive
from watcher.domain.invoices import Invoice, InvoiceStatus, accept_late, evaluate, why_not
from watcher.domain.money import Method
from watcher.domain.timeline import Cause, moment_of

PAGE = Path(__file__).parents[2] / "docs" / "invoices.md"
PENDING, CONFIRMED, ORPHANED = DepositStatus
OPEN = {InvoiceStatus.AWAITING_PAYMENT, InvoiceStatus.PARTIALLY_PAID}
SHORT = {InvoiceStatus.PARTIALLY_PAID, InvoiceStatus.UNDERPAID}
BEFORE, PAST = 940, 1001
CANCELLED_AT = 950

Facts = tuple[Invoice, tuple[Deposit, ...], int]
Edges = dict[tuple[str, str], set[str]]

KINDS = [
    make_deposit(units, time, method=Method(method), tx=f"{units} {time} {method} {again}")
    for units in (40, 100)
    for time, method in ((900, "polygon:usdc"), (PAST, "polygon:usdc"), (900, "polygon:dai"))
    for again in "12"
]


def reached(invoice: Invoice, deposits: tuple[Deposit, ...], time: int) -> Facts:
    return evaluate(invoice, deposits, time), deposits, time


def by_chain(facts: Facts) -> Iterator[tuple[Facts, list[Deposit]]]:
    """What a step of the chain may do: each with the deposits that it changes."""
    invoice, deposits, time = facts
    yield reached(invoice, deposits, PAST if time == BEFORE else BEFORE), []
    if len(deposits) < 2:
        for kind in KINDS:
            if all(kind.id != each.id for each in deposits):
                for found in {kind, accept_late(invoice, kind)}:  # by either policy
                    yield from appeared(facts, (*deposits, found), found)
    for place, was in enumerate(deposits):
        for changed in moved(was):
            after = (*deposits[:place], changed, *deposits[place + 1 :])
            if changed.status is PENDING:
                yield from appeared(facts, after, changed)
                continue
            yield reached(invoice, after, time), [changed]
            if changed.status is ORPHANED and was.block_time == PAST == time:  # it was the tip
                yield reached(invoice, after, BEFORE), [changed]


def appeared(
    facts: Facts, deposits: tuple[Deposit, ...], found: Deposit
) -> Iterator[tuple[Facts, list[Deposit]]]:
    """With a block in time the chain's clock is in time; a late block may pass the deadline."""
    for time in {PAST, facts[2]} if found.block_time == PAST else {BEFORE}:
        if found.block_time == PAST or facts[2] == BEFORE:
            yield reached(facts[0], deposits, time), [found]


def moved(deposit: Deposit) -> list[Deposit]:
    if deposit.status is ORPHANED:
        found = replace(deposit, status=PENDING, accepted_by_hand=False)
        return [revive(deposit, found, 0)]
    lost = [replace(each, reverted=False) for each in orphan([deposit])]
    sure = replace(deposit, status=CONFIRMED)
    return lost if deposit.status is CONFIRMED else [*lost, sure]


def by_people(facts: Facts) -> Iterator[tuple[Facts, Cause]]:
    """What a merchant or payer may do."""
    invoice, deposits, time = facts
    live = [each for each in deposits if each.status is not ORPHANED]
    if invoice.status in OPEN and not live:
        for cause in (Cause.CANCELLED, Cause.CANCELLED_BY_PAYER):
            yield reached(replace(invoice, cancelled_at=CANCELLED_AT), deposits, time), cause
    for chosen in live:
        if why_not(invoice, chosen) is not None:
            part = Fraction(chosen.units, 100)
            accepted = replace(chosen, accepted=part, accepted_by_hand=True)
            after = tuple(accepted if each is chosen else each for each in deposits)
            yield reached(invoice, after, time), Cause.ACCEPTED
    if invoice.status in SHORT:
        settled = replace(invoice, settled_for=invoice.seen)
        yield reached(settled, deposits, time), Cause.ACCEPTED_AS_PAID


def all_transitions() -> Edges:
    """Each change of status, and what causes it."""
    edges: Edges = defaultdict(set)
    start = reached(make_invoice(100), (), BEFORE)
    known, frontier = {key(start)}, [start]
    while frontier:
        facts = frontier.pop()
        steps = [
            (after, moment_of(after[0], changed, 0).cause) for after, changed in by_chain(facts)
        ]
        for after, cause in [*steps, *by_people(facts)]:
            was, now = facts[0].status, after[0].status
            if was is not now and cause is not None:
                edges[was.value, now.value].add(cause.value)
            if key(after) not in known:
                known.add(key(after))
                frontier.append(after)
    return dict(edges)


def key(facts: Facts) -> object:
    invoice, deposits, time = facts
    money = sorted((d.id, d.status, d.accepted is not None) for d in deposits)
    return invoice.cancelled_at, invoice.settled_for, tuple(money), time


def drawn() -> Edges:
    """The arrows of the page's diagrams."""
    edges: Edges = {}
    for block in re.findall(r"```mermaid\n(.*?)```", PAGE.read_text(), re.DOTALL):
        for was, now, causes in re.findall(r"^ +(\w+) --> (\w+): (.+)$", block, re.MULTILINE):
            assert (was, now) not in edges, f"{was} --> {now} is drawn twice"
            edges[was, now] = set(causes.split(", "))
    return edges


def test_the_diagram_shows_every_transition_with_what_causes_it() -> None:
    assert drawn() == all_transitions()
