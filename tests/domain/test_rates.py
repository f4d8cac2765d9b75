"""Rates: which of what sources say is believed, and the way from one thing to another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import NoReturn

import pytest

from watcher.domain.currencies import MINOR_UNITS, too_fine
from watcher.domain.money import Price
from watcher.domain.rates import (
    Limits,
    Market,
    Observation,
    Pair,
    Rate,
    find_rate,
    median,
    parse_quotation,
    settle,
)

NOW = 1_700_000_000
ETH = ("ETH", "USD")
LIMITS = Limits(max_age_seconds=300, max_spread_percent="2")
FIXED = {
    ("USDT", "USD"): "1.001",
    ("ETH", "USD"): "2000",
    ("EUR", "USD"): "1.25",
    ("GOLD", "XAU"): "3",
    ("TINY", "USD"): "0.000000000000000001",
}


def said(
    source: str, price: str, pair: Pair = ETH, *, age: int = 0, vouched: bool = True
) -> Observation:
    return Observation(source, pair, Fraction(price), NOW - age, vouched=vouched)


def market(*observations: Observation, fixed: dict[Pair, str] | None = None) -> Market:
    return settle(fixed or {}, observations, LIMITS, NOW)


def rate(market: Market, currency: str, symbol: str) -> str | None:
    found = find_rate(market, currency, symbol)
    return found.text if found else None


@pytest.mark.parametrize(
    ("currency", "symbol", "expected"),
    [
        pytest.param("USD", "USDT", "1.001", id="as it stands"),
        pytest.param("usd", "Usdt", "1.001", id="in any case"),
        pytest.param("ETH", "ETH", "1", id="itself"),
        pytest.param("DOGE", "DOGE", "1", id="itself, unknown"),
        pytest.param("EUR", "ETH", "1600", id="chained"),
        pytest.param("ETH", "USDT", "0.0005005", id="chained and turned round"),
        pytest.param("EUR", "USD", "0.8", id="turned round"),
        pytest.param("XAU", "ETH", None, id="no way"),
        pytest.param("GBP", "ETH", None, id="unknown currency"),
        pytest.param("USD", "DAI", None, id="unknown coin"),
        pytest.param("ETH", "TINY", None, id="too small to write down"),
    ],
)
def test_find_rate(currency: str, symbol: str, expected: str | None) -> None:
    assert rate(market(fixed=FIXED), currency, symbol) == expected


def test_the_shortest_way_wins() -> None:
    direct = {("A", "B"): "2", ("B", "C"): "2", ("A", "C"): "5"}
    assert rate(market(fixed=direct), "C", "A") == "5"


class Looked(dict[Pair, Rate]):
    """Rates that count how often they were gone through."""

    times = 0

    def __iter__(self) -> Iterator[Pair]:
        self.times += 1
        return super().__iter__()

    def items(self) -> NoReturn:
        raise AssertionError("every rate was looked at, where names are enough")


@pytest.mark.parametrize("currency", ["USD", "C169", "NOWHERE"])
def test_looking_for_a_way_goes_through_the_pairs_once(currency: str) -> None:
    rates = Looked({(f"C{number}", "USD"): Rate(Fraction(2)) for number in range(170)})
    found = find_rate(Market(rates), currency, "C0")
    assert (found is None) == (currency == "NOWHERE")
    assert rates.times == 1


def test_a_rate_is_cut_after_18_decimals() -> None:
    assert rate(market(fixed={("A", "B"): "3"}), "A", "B") == "0." + "3" * 18


@pytest.mark.parametrize(
    ("observations", "expected"),
    [
        pytest.param([], None, id="nobody"),
        pytest.param([said("a", "3000")], "3000", id="one"),
        pytest.param([said("a", "3000"), said("b", "3010")], "3005", id="half-way between two"),
        pytest.param(
            [said("a", "3000"), said("b", "3050"), said("c", "3010")], "3010", id="the middle one"
        ),
        pytest.param([said("a", "2970"), said("b", "3030")], "3000", id="just within the spread"),
        pytest.param([said("a", "2970"), said("b", "3030.1")], None, id="just beyond it"),
        pytest.param([said("a", "3000", age=300)], "3000", id="just fresh"),
        pytest.param([said("a", "3000", age=301)], None, id="too old"),
        pytest.param([said("a", "3000"), said("b", "9000", age=301)], "3000", id="one is too old"),
        pytest.param([said("a", "3000", vouched=False)], None, id="too few endpoints told it"),
        pytest.param(
            [said("a", "3000", vouched=False), said("b", "3010")], "3005", id="which another does"
        ),
        pytest.param(
            [said("a", "9000", vouched=False), said("b", "3010")], "3010", id="or contradicts"
        ),
        pytest.param(
            [said("a", "3000", vouched=False), said("b", "3000", vouched=False)],
            None,
            id="two that nobody vouches for do not vouch for each other",
        ),
        pytest.param(
            [said("a", "3000", vouched=False), said("b", "3010", age=301)],
            None,
            id="nor does one that is too old",
        ),
    ],
)
def test_what_is_believed(observations: Sequence[Observation], expected: str | None) -> None:
    believed = market(*observations)
    assert rate(believed, "USD", "ETH") == expected
    assert (ETH in believed.refused) == (bool(observations) and expected is None)


def test_a_refusal_names_who_said_what() -> None:
    reason = market(said("a", "3000"), said("b", "3100")).refused[ETH]
    assert reason == "sources differ by more than 2 %: a 3000, b 3100"


def test_what_is_not_believed_is_no_source_of_the_rate() -> None:
    believed = market(said("a", "9000", vouched=False), said("b", "3010"), said("c", "1", age=900))
    assert [each.source for each in believed.rates[ETH].said] == ["b"]


@pytest.mark.parametrize("pair", [ETH, ETH[::-1]])
def test_a_fixed_pair_replaces_all_sources_in_both_directions(pair: Pair) -> None:
    found = find_rate(market(said("a", "3000"), fixed={pair: "1"}), "USD", "ETH")
    assert found is not None
    assert (found.text, [each.source for each in found.said]) == ("1", ["fixed"])


def test_a_fixed_pair_leaves_other_pairs_to_the_sources() -> None:
    live = market(said("a", "0.25", ("TRX", "USD")), said("a", "3000"), fixed={("EUR", "USD"): "2"})
    assert rate(live, "EUR", "TRX") == "0.125"
    assert rate(live, "USD", "ETH") == "3000"


def test_a_cross_tells_all_that_it_rests_on_and_is_as_old_as_the_oldest() -> None:
    eur = said("b", "1.25", ("EUR", "USD"), age=200)
    live = market(said("a", "0.25", ("TRX", "USD"), age=10), eur)
    found = find_rate(live, "EUR", "TRX")
    assert found is not None
    assert (found.text, found.oldest) == ("0.2", NOW - 200)
    assert {each.source for each in found.said} == {"a", "b"}


def test_a_cross_over_a_refused_pair_does_not_exist() -> None:
    eur = [said("a", "1.1", ("EUR", "USD")), said("b", "1.2", ("EUR", "USD"))]
    assert rate(market(said("a", "0.25", ("TRX", "USD")), *eur), "EUR", "TRX") is None


def test_a_fixed_rate_never_ages() -> None:
    found = find_rate(settle(FIXED, [], LIMITS, NOW + 10**9), "USD", "ETH")
    assert found is not None
    assert found.oldest is None


def test_no_spread_at_all_may_be_asked_for() -> None:
    strict = replace(LIMITS, max_spread_percent="0")
    assert strict.agree([Fraction(1), Fraction(1)])
    assert not strict.agree([Fraction(1), Fraction(1) + Fraction(1, 10**18)])


@pytest.mark.parametrize(
    ("prices", "middle"), [(["3"], "3"), (["3", "1"], "2"), (["9", "1", "2"], "2")]
)
def test_the_median(prices: Sequence[str], middle: str) -> None:
    assert median(map(Fraction, prices)) == Fraction(middle)


@pytest.mark.parametrize(
    "text", ["", "0", "0.00", "-1", "1e3", "1/3", "NaN", "\u0661", " 1", "9" * 41]
)
def test_what_is_no_price(text: str) -> None:
    with pytest.raises(ValueError, match="no price"):
        parse_quotation(text)


def test_a_price_is_exact() -> None:
    assert parse_quotation("0.1000000000000000000001") == Fraction(10**21 + 1, 10**22)


@pytest.mark.parametrize(
    ("amount", "currency", "reason"),
    [
        ("49.99", "USD", None),
        ("49.999", "USD", "USD has 2 decimals"),
        ("100", "JPY", None),
        ("100.5", "JPY", "JPY has no decimals"),
        ("1.234", "KWD", None),
        ("1.2345", "KWD", "KWD has 3 decimals"),
        ("0.000000000000000001", "ETH", None),
    ],
)
def test_how_finely_a_price_can_be_named(amount: str, currency: str, reason: str | None) -> None:
    assert too_fine(Price(amount, currency)) == reason


def test_the_table_of_currencies_names_each_once() -> None:
    assert len(MINOR_UNITS) > 150
    assert {MINOR_UNITS[code] for code in ("EUR", "GBP", "CHF", "BRL", "INR")} == {2}
