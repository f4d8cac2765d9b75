"""The public JSON: how amounts are rounded, and what is shown of coins no longer listed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from tests.factories import (
    ADDRESS,
    METHOD,
    NETWORK,
    make_deposit,
    make_invoice,
    make_quote,
    make_ref,
)
from tests.world import make_policy
from watcher.domain.deposits import Deposit, DepositStatus
from watcher.domain.invoices import Invoice, InvoiceStatus
from watcher.domain.money import Method, Network, Price
from watcher.policy import Policy
from watcher.render import InvoiceView, Json, render_deposit, render_invoice

POL = Method("polygon:pol")
TIPS = {NETWORK: make_ref(92)}
PATIENCE = 10  # blocks: ten times a network's pace, or a minute


def shown(invoice: Invoice, deposits: Sequence[Deposit] = (), policy: Policy | None = None) -> Json:
    return render_invoice(policy or make_policy(), InvoiceView(invoice, deposits, []), TIPS, 920)


def without(method: Method) -> Policy:
    """The policy after `method` was taken off the list."""
    policy = make_policy()
    network = policy.networks[NETWORK]
    assets = {name: asset for name, asset in network.assets.items() if name != method}
    return replace(policy, networks={NETWORK: replace(network, assets=assets)})


@pytest.mark.parametrize(
    ("price", "seen", "paid", "remaining"),
    [
        pytest.param(("49.99", "USD"), Fraction(0), "0", "49.99", id="nothing"),
        pytest.param(("49.99", "USD"), Fraction(1), "49.99", "0", id="all"),
        pytest.param(("100", "USD"), Fraction(1, 3), "33.33", "66.67", id="a third"),
        pytest.param(("49.99", "USD"), 1 - Fraction(1, 10**9), "49.98", "0.01", id="almost all"),
        pytest.param(("10", "USD"), Fraction(3, 2), "15", "0", id="more"),
        pytest.param(("1000", "JPY"), Fraction(1, 7), "142.85", "857.15", id="no decimals"),
        pytest.param(("0.0001", "BTC"), Fraction(1, 3), "0", "0.0001", id="coin not offered"),
        pytest.param(("0.000002", "USDC"), Fraction(1, 2), "0.000001", "0.000001", id="offered"),
    ],
)
def test_what_is_paid_is_cut_and_adds_up_with_what_remains(
    price: tuple[str, str], seen: Fraction, paid: str, remaining: str
) -> None:
    invoice = make_invoice(price=Price(*price), seen=seen, confirmed=Fraction(0))
    body = shown(invoice)
    assert (body["paid"]["amount"], body["remaining"]) == (paid, remaining)
    assert body["paid"]["confirmed"] == "0"


def test_a_coin_price_shows_every_unit() -> None:
    quote = make_quote(10**18, POL, decimals=18)
    invoice = make_invoice(quotes=[quote], price=Price("1", "POL"), seen=Fraction(1, 10**18))
    body = shown(invoice)
    assert body["paid"]["amount"] == "0." + "0" * 17 + "1"
    assert body["remaining"] == "0." + "9" * 18


def test_nothing_remains_of_a_paid_invoice_within_its_tolerance() -> None:
    invoice = make_invoice(status=InvoiceStatus.PAID, seen=Fraction(99, 100))
    assert (shown(invoice)["paid"]["amount"], shown(invoice)["remaining"]) == ("99", "0")


def test_a_coin_taken_off_the_list_keeps_its_decimals() -> None:
    deposit = make_deposit(15 * 10**17, method=POL)
    body = render_deposit(without(POL), make_invoice(), deposit, TIPS)
    assert (body["asset"], body["amount"]) == ("POL", "1.5")


def test_a_token_that_nobody_knows_any_more_has_no_amount() -> None:
    deposit = make_deposit(100, method=Method("polygon:mine"))
    body = render_deposit(make_policy(), make_invoice(), deposit, TIPS)
    assert (body["asset"], body["amount"], body["amount_units"]) == ("MINE", None, "100")


def test_what_is_no_longer_watched_has_no_payment_link() -> None:
    invoice = make_invoice()
    assert shown(invoice)["quotes"][0]["payment_uri"] == f"pay:USDC:{ADDRESS}:100"
    [quote] = shown(invoice, policy=without(METHOD))["quotes"]
    assert (quote["payment_uri"], quote["decimals"], quote["amount"]) == (None, 6, "0.0001")


def test_a_network_that_is_off_is_shown_as_stored() -> None:
    deposit = make_deposit(100)
    policy = replace(make_policy(), networks={})
    body = render_deposit(policy, make_invoice(), deposit, {})
    assert (body["amount"], body["confirmations"], body["explorer_url"]) == ("0.0001", 0, None)
    assert (body["to"], body["tx_hash"]) == (ADDRESS, deposit.tx_hash)


def test_confirmations_count_from_our_tip() -> None:
    deposit = make_deposit(time=900)
    assert render_deposit(make_policy(), make_invoice(), deposit, TIPS)["confirmations"] == 3
    gone = replace(deposit, status=DepositStatus.ORPHANED)
    body = render_deposit(make_policy(), make_invoice(), gone, TIPS)
    assert (body["confirmations"], body["counts"], body["reason"]) == (0, False, None)


def test_a_block_reward_links_to_its_block() -> None:
    deposit = make_deposit(100, tx_hash=None, position="withdrawal/0")
    body = render_deposit(make_policy(), make_invoice(), deposit, TIPS)
    assert (body["tx_hash"], body["explorer_url"]) == (None, "https://e/block/90")


@pytest.mark.parametrize(
    ("status", "now", "delayed"),
    [
        (InvoiceStatus.AWAITING_PAYMENT, 920 + 100, False),
        (InvoiceStatus.AWAITING_PAYMENT, 920 + 101, True),
        (InvoiceStatus.PARTIALLY_PAID, 5000, True),
        (InvoiceStatus.CONFIRMING, 5000, True),
        (InvoiceStatus.PAID, 5000, False),
        (InvoiceStatus.EXPIRED, 5000, False),
    ],
)
def test_an_open_invoice_is_delayed_while_a_network_lags(
    status: InvoiceStatus, now: int, delayed: bool
) -> None:
    view = InvoiceView(make_invoice(status=status), [], [])
    assert render_invoice(make_policy(), view, TIPS, now)["delayed"] is delayed


@pytest.mark.parametrize(
    ("number", "facts", "delayed"),
    [
        (92 + PATIENCE - 1, {}, False),
        (92 + PATIENCE, {}, True),
        (92 + PATIENCE, {"status": DepositStatus.CONFIRMED}, False),
        (92 + PATIENCE, {"status": DepositStatus.ORPHANED}, False),
        (92 + PATIENCE, {"required": 4}, False),
        (92 + PATIENCE, {"required": "finalized"}, False),  # what holds finality up has its alarm
    ],
)
def test_an_open_invoice_is_delayed_while_a_deposit_waits_for_agreement(
    number: int, facts: dict[str, Any], delayed: bool
) -> None:
    deposit = make_deposit(time=900, **facts)  # in block 90, with three confirmations in block 92
    view = InvoiceView(make_invoice(status=InvoiceStatus.CONFIRMING), [deposit], [])
    tip = make_ref(number)
    body = render_invoice(make_policy(), view, {NETWORK: tip}, tip.timestamp)
    assert body["delayed"] is delayed


def test_a_network_without_a_tip_delays() -> None:
    policy = make_policy([NETWORK, Network("base")])  # of the same family, so it is watched too
    view = InvoiceView(make_invoice(), [], [])
    assert render_invoice(policy, view, TIPS, 920)["delayed"] is True
