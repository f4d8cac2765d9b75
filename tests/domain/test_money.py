"""Money: decimal text and units, prices from outside, and the one place that rounds."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.factories import CONTRACT, NETWORK
from watcher.domain.money import (
    MAX_UNITS,
    Asset,
    Price,
    amount_of,
    decimals_of,
    due_units,
    parse_amount,
    parse_percent,
    parse_price,
    rounded_down,
    units_of,
)

STEADY = settings(derandomize=True, max_examples=300)


@pytest.mark.parametrize(
    ("amount", "decimals", "units"),
    [
        ("0", 6, 0),
        ("0", 0, 0),
        ("1", 0, 1),
        ("1.5", 6, 1_500_000),
        ("0.000001", 6, 1),
        ("49.99", 2, 4999),
        ("120", 0, 120),
        ("100", 6, 100_000_000),
        ("0.000000000000000001", 18, 1),
        ("1.000000000000000001", 18, 10**18 + 1),
        (str(MAX_UNITS), 0, MAX_UNITS),
    ],
)
def test_amount_and_units_are_two_spellings(amount: str, decimals: int, units: int) -> None:
    assert units_of(amount, decimals) == units
    assert amount_of(units, decimals) == amount


@STEADY
@given(st.integers(0, MAX_UNITS), st.integers(0, 77))
def test_units_survive_the_way_out_and_back(units: int, decimals: int) -> None:
    assert units_of(amount_of(units, decimals), decimals) == units


@pytest.mark.parametrize("amount", ["1.50", "1.500000", "001.5", "1.5000000000000"])
def test_zeros_that_say_nothing_are_read(amount: str) -> None:
    assert units_of(amount, 6) == 1_500_000


NOT_PLAIN = {
    "empty": "",
    "blank": " ",
    "negative": "-1",
    "signed": "+1",
    "not a number": "NaN",
    "infinite": "Infinity",
    "scientific": "1e5",
    "scientific, capital": "1E5",
    "power": "10^40",
    "blank before": " 1",
    "blank after": "1 ",
    "line after": "1\n",
    "nothing after the point": "1.",
    "nothing before the point": ".5",
    "only a point": ".",
    "two points": "1.2.3",
    "comma": "1,5",
    "underscore": "1_000",
    "fraction": "1/3",
    "hexadecimal": "0x10",
    "full-width digit": "\uff11",
    "arabic digit": "\u0661",
    "superscript": "1\u00b2",
    "null byte": "1\0",
}


@pytest.mark.parametrize("text", list(NOT_PLAIN.values()), ids=list(NOT_PLAIN))
def test_what_is_not_plain_decimal_text_is_refused_everywhere(text: str) -> None:
    with pytest.raises(ValueError, match="a price must be plain decimal text"):
        parse_price(text, "USD")
    with pytest.raises(ValueError, match="not plain decimal text"):
        units_of(text, 6)


@pytest.mark.parametrize("zero", ["0", "00", "0.0", "0.000000000000000000000000", "000.000"])
def test_a_price_of_zero_is_refused(zero: str) -> None:
    with pytest.raises(ValueError, match="above zero"):
        parse_price(zero, "USD")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("1" + "0" * 18, "at most 18 digits before the point"),
        ("9" * 10_000, "at most 18 digits before the point"),
        ("0." + "0" * 18 + "1", "at most 18 decimals"),
        ("1." + "1" * 40, "at most 18 decimals"),
    ],
)
def test_a_price_too_long_is_refused_with_its_reason(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        parse_price(text, "USD")


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("49.99", "49.99"),
        ("50.00", "50"),
        ("0.10", "0.1"),
        ("007", "7"),
        ("00.5", "0.5"),
        ("100", "100"),
        ("9" * 18 + "." + "9" * 18, "9" * 18 + "." + "9" * 18),
        ("0." + "0" * 17 + "1", "0." + "0" * 17 + "1"),
        ("0" * 50 + "1." + "1" + "0" * 50, "1.1"),
    ],
)
def test_a_price_takes_its_shortest_spelling(text: str, amount: str) -> None:
    assert parse_price(text, "USD") == Price(amount, "USD")


def test_a_currency_is_upper_case() -> None:
    assert parse_price("1", "usd").currency == "USD"


@pytest.mark.parametrize("currency", ["", " usd", "a b", "€", "A" * 21])
def test_what_is_no_name_of_a_currency_is_refused(currency: str) -> None:
    with pytest.raises(ValueError, match=r"^a currency is"):
        parse_price("1", currency)


@pytest.mark.parametrize(("price", "rate"), [(0, 1), (1, 0), (-1, 1)])
def test_nothing_is_due_for_nothing(price: int, rate: int) -> None:
    with pytest.raises(ValueError, match="above zero"):
        due_units(Fraction(price), Fraction(rate), 18)


def test_a_refused_amount_is_named_as_what_it_is() -> None:
    with pytest.raises(ValueError, match=r"^a minimum must be above zero"):
        parse_amount("0", what="a minimum")


@pytest.mark.parametrize(
    ("text", "percent"),
    [
        ("0", "0"),
        ("0.00", "0"),
        ("0.50", "0.5"),
        ("007", "7"),
        ("99." + "9" * 18, "99." + "9" * 18),
    ],
)
def test_a_percentage_takes_its_shortest_spelling(text: str, percent: str) -> None:
    assert parse_percent(text) == percent


@pytest.mark.parametrize("text", ["100", "100.0", "101", "-0", "-1", "", "1%", "1e1", "9" * 5000])
def test_a_percentage_is_below_the_whole_and_not_below_zero(text: str) -> None:
    with pytest.raises(ValueError, match='from "0" to below "100"'):
        parse_percent(text)


def test_the_value_of_a_price_is_exact() -> None:
    assert Price("0.1", "USD").value * 3 == Fraction(3, 10)


@pytest.mark.parametrize(
    ("amount", "decimals", "fault"),
    [
        ("1.5", 0, "more than 0 decimals"),
        ("0.0000001", 6, "more than 6 decimals"),
        (str(MAX_UNITS + 1), 0, "above 2"),
        ("1" + "0" * 72, 6, "above 2"),
    ],
)
def test_units_that_cannot_be_are_refused(amount: str, decimals: int, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        units_of(amount, decimals)


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [
        (Fraction(2, 3), 2, "0.66"),
        (Fraction(999, 1000), 2, "0.99"),
        (Fraction(1), 2, "1"),
        (Fraction(1, 1000), 2, "0"),
        (Fraction(1, 2), 0, "0"),
        (Fraction(3, 2), 18, "1.5"),
    ],
)
def test_rounded_down_never_says_more(value: Fraction, places: int, text: str) -> None:
    assert rounded_down(value, places) == text


@pytest.mark.parametrize(("amount", "decimals"), [("49.99", 2), ("50", 0), ("0.10", 2)])
def test_decimals_are_those_shown(amount: str, decimals: int) -> None:
    assert decimals_of(amount) == decimals


def test_a_method_is_lower_case_and_names_its_network() -> None:
    assert Asset(NETWORK, "USDC.e", 6, CONTRACT).method == "polygon:usdc.e"


@pytest.mark.parametrize(
    ("price", "rate", "decimals", "amount"),
    [
        pytest.param("49.99", "1", 6, "49.99", id="no conversion"),
        pytest.param("49.990001", "1", 6, "49.990001", id="no conversion, to the last unit"),
        pytest.param("49.9900001", "1", 6, "49.990001", id="rate 1 but finer than the asset"),
        pytest.param("1.123456789012345678", "1", 18, "1.123456789012345678", id="rate 1, wei"),
        pytest.param("0.5", "1.000000", 0, "1", id="rate 1 spelled longer, whole coins"),
        pytest.param("50", "2", 6, "25", id="exact"),
        pytest.param("1", "3", 6, "0.333334", id="a third, up"),
        pytest.param("2", "3", 6, "0.666667", id="two thirds, up"),
        pytest.param("1", "3", 0, "1", id="whole coins, up"),
        pytest.param("7", "2", 0, "4", id="whole coins, up from a half"),
        pytest.param("6", "2", 0, "3", id="whole coins, exact"),
        pytest.param("100", "3000", 18, "0.03333334", id="8 decimals, not 18"),
        pytest.param("100", "3", 18, "33.33333334", id="8 decimals of a large amount"),
        pytest.param("3000000000", "7", 18, "428571428.57142858", id="8 decimals at any size"),
        pytest.param("0.01", "1", 18, "0.01", id="rate 1 needs no 6 digits"),
        pytest.param("0.001", "1.5", 18, "0.000666667", id="6 digits of a small amount"),
        pytest.param("0.01", "70000", 18, "0.000000142858", id="6 digits of a tiny amount"),
        pytest.param("0.01", "70000", 8, "0.00000015", id="… but never finer than the asset"),
        pytest.param("0.01", "70000", 6, "0.000001", id="… down to a single unit"),
        pytest.param("3", "3000", 18, "0.001", id="exactly 6 digits at 8 decimals"),
        pytest.param("2.999997", "3000", 18, "0.000999999", id="just below it"),
        pytest.param("1", "1.0000000000000001", 18, "1", id="a rate near 1 is a conversion"),
    ],
)
def test_due_units(price: str, rate: str, decimals: int, amount: str) -> None:
    due = due_units(Fraction(price), Fraction(rate), decimals)
    assert amount_of(due, decimals) == amount


prices = st.builds(
    Fraction, st.integers(1, 10**36), st.integers(0, 18).map(lambda places: 10**places)
)
rates = st.builds(
    Fraction, st.integers(1, 10**12), st.integers(0, 18).map(lambda places: 10**places)
)
decimals_of_assets = st.sampled_from([0, 2, 6, 8, 9, 18])


@STEADY
@given(prices, rates, decimals_of_assets)
def test_what_is_due_always_covers_the_price(price: Fraction, rate: Fraction, places: int) -> None:
    assert Fraction(due_units(price, rate, places), 10**places) * rate >= price


@STEADY
@given(prices, rates, decimals_of_assets)
def test_what_is_due_is_less_than_one_sendable_step_too_much(
    price: Fraction, rate: Fraction, places: int
) -> None:
    exact = price / rate
    excess = Fraction(due_units(price, rate, places), 10**places) - exact
    # One unit, or the 8th decimal, or the 6th digit: whichever a wallet can send and we need.
    small = min(Fraction(1, 10**8), exact / 10**5)
    assert excess < max(Fraction(1, 10**places), small)


@STEADY
@given(prices, rates, decimals_of_assets)
def test_what_is_due_can_be_typed_into_a_wallet(
    price: Fraction, rate: Fraction, places: int
) -> None:
    amount = amount_of(due_units(price, rate, places), places)
    whole, _, part = amount.partition(".")
    assert rate == 1 or len(part) <= 8 or len((whole + part).lstrip("0")) <= 6
