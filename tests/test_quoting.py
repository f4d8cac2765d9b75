"""How many confirmations an invoice asks for: its network, its own rule, its price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.factories import NETWORK
from tests.world import make_policy
from watcher.domain.deposits import DepositRules, Depth, Tier
from watcher.domain.money import Price
from watcher.policy import Policy
from watcher.quoting import required_depth
from watcher.rates.book import RateBook

BIG = Tier(Price("1000", "USD"), 64)
HUGE = Tier(Price("10000", "USD"), "finalized")
RATES = RateBook({("EUR", "USD"): "1.25"})


def policy_with(*tiers: Tier) -> Policy:
    policy = make_policy()
    rules = DepositRules(confirmations=32, tiers=tiers)
    network = replace(policy.networks[NETWORK], rules=rules)
    return replace(policy, networks={NETWORK: network}, rates=RATES)


def depth(price: Price, own: Depth | None, *tiers: Tier) -> Depth:
    policy = policy_with(*tiers)
    return required_depth(policy, policy.rates.market(0), price, NETWORK, own)


@pytest.mark.parametrize(
    ("tiers", "price", "own", "required"),
    [
        pytest.param([], "99999", None, 32, id="no tier: the network's"),
        pytest.param([], "99999", 3, 3, id="no tier: the invoice's own replaces it"),
        pytest.param([BIG, HUGE], "1000", None, 32, id="at the limit is not above it"),
        pytest.param([BIG, HUGE], "1000.01", None, 64, id="above the first"),
        pytest.param([BIG, HUGE], "10000.01", None, "finalized", id="above both: the strictest"),
        pytest.param([HUGE, BIG], "10000.01", None, "finalized", id="in any order"),
        pytest.param([BIG], "1", 3, 3, id="below: the invoice's own"),
        pytest.param([BIG], "1001", 3, 64, id="above: more than the invoice's own"),
        pytest.param([BIG], "1001", 100, 100, id="above: the invoice's own asks for more"),
        pytest.param([BIG], "1001", "finalized", "finalized", id="above: the invoice's finality"),
        pytest.param([Tier(Price("5", "USD"), 1)], "10", None, 32, id="a tier never asks for less"),
    ],
)
def test_required_confirmations(
    tiers: Sequence[Tier], price: str, own: Depth | None, required: Depth
) -> None:
    assert depth(Price(price, "USD"), own, *tiers) == required


@pytest.mark.parametrize(("price", "required"), [("800", 32), ("800.01", 64)])
def test_a_price_in_another_currency_is_converted(price: str, required: int) -> None:
    assert depth(Price(price, "EUR"), None, BIG) == required


def test_a_tier_that_cannot_be_compared_applies() -> None:
    assert depth(Price("0.01", "XAU"), None, BIG) == 64
