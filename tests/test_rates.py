"""Rates that the configuration fixes: as they stand, turned round, and chained."""

from __future__ import annotations

import pytest

from watcher.rates import find_rate

FIXED = {
    ("USDT", "USD"): "1.001",
    ("ETH", "USD"): "2000",
    ("EUR", "USD"): "1.25",
    ("GOLD", "XAU"): "3",
    ("TINY", "USD"): "0.000000000000000001",
}


@pytest.mark.parametrize(
    ("currency", "symbol", "rate"),
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
def test_find_rate(currency: str, symbol: str, rate: str | None) -> None:
    assert find_rate(FIXED, currency, symbol) == rate


def test_the_shortest_way_wins() -> None:
    direct = {("A", "B"): "2", ("B", "C"): "2", ("A", "C"): "5"}
    assert find_rate(direct, "C", "A") == "5"


def test_a_rate_is_cut_after_18_decimals() -> None:
    assert find_rate({("A", "B"): "3"}, "A", "B") == "0." + "3" * 18
