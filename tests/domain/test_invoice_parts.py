"""What a deposit counts for and why not, and the clock by which an invoice expires."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from tests.factories import ADDRESS, METHOD, make_deposit, make_invoice, make_quote
from watcher.domain.deposits import DepositStatus
from watcher.domain.invoices import (
    Flag,
    InvoiceStatus,
    Reason,
    accept_late,
    chain_time,
    evaluate,
    part_of,
    units_left,
    why_not,
)
from watcher.domain.money import Address, Family, Method, Network

EVM, TRON_FAMILY = Family("evm"), Family("tron")
ETHEREUM, POLYGON, TRON = Network("ethereum"), Network("polygon"), Network("tron")
FAMILIES = {ETHEREUM: EVM, POLYGON: EVM, TRON: TRON_FAMILY}
DAI = Method("polygon:dai")
HERE = {EVM: ADDRESS}
BOTH = {EVM: ADDRESS, TRON_FAMILY: Address("T" + "x" * 33)}


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({}, None),
        ({"time": 1000}, None),
        ({"time": 1001}, Reason.LATE),
        ({"below_minimum": True}, Reason.BELOW_MINIMUM),
        ({"method": DAI}, Reason.WRONG_ASSET),
        ({"method": DAI, "time": 1001, "below_minimum": True}, Reason.WRONG_ASSET),
        ({"time": 1001, "below_minimum": True}, Reason.BELOW_MINIMUM),
        ({"time": 1001, "accepted": Fraction(1)}, None),
        ({"below_minimum": True, "accepted": Fraction(1)}, None),
        ({"method": DAI, "accepted": Fraction(1)}, None),
        ({"method": DAI, "accepted": Fraction(0)}, None),
    ],
)
def test_why_a_deposit_does_not_count(facts: dict[str, Any], reason: Reason | None) -> None:
    assert why_not(make_invoice(), make_deposit(**facts)) is reason


@pytest.mark.parametrize(
    ("time", "reason"), [(4100, None), (4099, Reason.EARLY), (0, Reason.EARLY)]
)
def test_money_that_is_clearly_older_than_its_invoice_is_early(
    time: int, reason: Reason | None
) -> None:
    invoice = make_invoice(created_at=5000, expires_at=9000)
    assert why_not(invoice, make_deposit(time=time)) is reason


def test_what_is_early_counts_once_accepted() -> None:
    invoice = make_invoice(created_at=5000, expires_at=9000)
    assert why_not(invoice, make_deposit(time=0, accepted=Fraction(1))) is None


def test_no_policy_accepts_what_is_early() -> None:
    found = make_deposit(time=0)
    assert accept_late(make_invoice(created_at=5000, expires_at=9000), found) == found


@pytest.mark.parametrize(("time", "reason"), [(500, None), (501, Reason.LATE)])
def test_what_comes_after_a_cancellation_is_late(time: int, reason: Reason | None) -> None:
    assert why_not(make_invoice(cancelled_at=500), make_deposit(time=time)) is reason


@pytest.mark.parametrize(
    ("facts", "part"),
    [
        ({"units": 100}, Fraction(1)),
        ({"units": 1}, Fraction(1, 100)),
        ({"units": 333}, Fraction(333, 100)),
        ({"units": 100, "method": DAI}, Fraction(0)),
        ({"units": 100, "method": DAI, "accepted": Fraction(2, 3)}, Fraction(2, 3)),
        ({"units": 100, "accepted": Fraction(0)}, Fraction(0)),
    ],
)
def test_the_part_that_a_deposit_pays(facts: dict[str, Any], part: Fraction) -> None:
    assert part_of(make_invoice(100), make_deposit(**facts)) == part


def test_a_quote_is_found_by_its_exact_method() -> None:
    invoice = make_invoice(quotes=[make_quote(1, METHOD), make_quote(2, DAI)])
    found = invoice.quote(DAI)
    assert found is not None
    assert found.units == 2
    assert invoice.quote(Method("polygon:usdc.e")) is None


@pytest.mark.parametrize("percent", ["0", "0.5", "1", "12.345"])
def test_a_tolerance_is_an_exact_part_of_the_price(percent: str) -> None:
    assert make_invoice(tolerance_percent=percent).tolerance * 100 == Fraction(percent)


@pytest.mark.parametrize(
    ("addresses", "offered", "times", "expected"),
    [
        pytest.param({}, [POLYGON], {POLYGON: 7}, 7, id="no address: the offered network"),
        pytest.param({}, [POLYGON, TRON], {POLYGON: 7, TRON: 9}, 9, id="… the first to pass"),
        pytest.param({}, [POLYGON, TRON], {POLYGON: 7}, 7, id="… one without a tip holds nothing"),
        pytest.param({}, [POLYGON], {POLYGON: 7, TRON: 9}, 7, id="… what is not offered is mute"),
        pytest.param({}, [POLYGON], {TRON: 9}, 0, id="… none with a tip: hold"),
        pytest.param({}, [POLYGON], {}, 0, id="… no tips at all: hold"),
        pytest.param(
            HERE, [POLYGON], {ETHEREUM: 5, POLYGON: 7, TRON: 1}, 5, id="the slowest of the family"
        ),
        pytest.param(
            HERE, [POLYGON, TRON], {ETHEREUM: 8, POLYGON: 7, TRON: 1}, 7, id="not other families"
        ),
        pytest.param(HERE, [POLYGON], {POLYGON: 7}, 0, id="a network without a tip holds"),
        pytest.param(BOTH, [POLYGON], {ETHEREUM: 5, POLYGON: 7, TRON: 3}, 3, id="of both families"),
        pytest.param(BOTH, [POLYGON], {ETHEREUM: 5, POLYGON: 7}, 0, id="either may hold"),
    ],
)
def test_chain_time(
    addresses: dict[Family, Address],
    offered: list[Network],
    times: dict[Network, int],
    expected: int,
) -> None:
    quotes = [make_quote(method=Method(f"{name}:usdc")) for name in offered]
    invoice = make_invoice(quotes=quotes, addresses=addresses)
    assert chain_time(invoice, times, FAMILIES) == expected


def test_a_network_that_is_not_enabled_holds_nothing() -> None:
    times = {POLYGON: 7, ETHEREUM: 1}
    assert chain_time(make_invoice(addresses=HERE), times, {POLYGON: EVM}) == 7


def test_a_family_without_an_enabled_network_holds_for_ever() -> None:
    assert chain_time(make_invoice(addresses=HERE), {TRON: 9}, {TRON: TRON_FAMILY}) == 0


ETHER = make_quote(10**16, Method("ethereum:eth"), decimals=18, rate="3000")


@pytest.mark.parametrize(
    ("seen", "quote", "left"),
    [
        (Fraction(0), ETHER, 10**16),
        (Fraction(1, 2), ETHER, 5 * 10**15),
        (Fraction(1, 3), ETHER, 666_667 * 10**10),  # 0.00666667, which wallets can send
        (Fraction(10**16 - 1, 10**16), ETHER, 1),
        (Fraction(1, 3), make_quote(10_000_000), 6_666_667),  # at a rate of 1 the asset's decimals
        (Fraction(1, 3), make_quote(3, decimals=0), 2),
        (Fraction(1), ETHER, 0),
        (Fraction(5, 4), ETHER, 0),
    ],
)
def test_what_is_left_is_rounded_up_as_a_quote_is(seen: Fraction, quote: Any, left: int) -> None:
    assert units_left(make_invoice(quotes=[quote], seen=seen), quote) == left


@pytest.mark.parametrize(
    ("seen", "least", "left"),
    [("0.98", 500_000, 500_000), ("0.9", 500_000, 1_000_000), ("1", 500_000, 0)],
)
def test_no_less_is_left_than_counts(seen: str, least: int, left: int) -> None:
    quote = make_quote(10_000_000)
    part = make_invoice(quotes=[quote], seen=Fraction(seen))
    assert units_left(part, quote, least) == left


@pytest.mark.parametrize("first", [1, 3, 33_333_333, 99_999_999])
def test_what_is_left_completes_the_price(first: int) -> None:
    dollars = make_quote(100_000_000)
    invoice = make_invoice(quotes=[dollars, ETHER])
    paid = make_deposit(first)
    short = evaluate(invoice, [paid], 900)
    for quote, step in ((dollars, 1), (ETHER, 10**10)):
        left = units_left(short, quote)
        rest = make_deposit(left, method=quote.method, tx="2")
        assert evaluate(invoice, [paid, rest], 900).status is InvoiceStatus.CONFIRMING
        less = make_deposit(left - step, method=quote.method, tx="2")
        assert evaluate(invoice, [paid, less], 900).status is InvoiceStatus.PARTIALLY_PAID


@pytest.mark.parametrize("first", [1, 3, 33_333_333, 99_999_999])
def test_the_rest_that_was_asked_for_is_not_too_much_but_a_step_more_is(first: int) -> None:
    invoice = make_invoice(quotes=[make_quote(100_000_000), ETHER])
    paid = make_deposit(first, status=DepositStatus.CONFIRMED)
    left = units_left(evaluate(invoice, [paid], 900), ETHER)
    for more, flags in ((0, set()), (10**10, {Flag.OVERPAID})):
        rest = make_deposit(
            left + more, method=ETHER.method, tx="2", status=DepositStatus.CONFIRMED
        )
        assert evaluate(invoice, [paid, rest], 900).flags == flags
