"""How a price is written for people."""

from __future__ import annotations

import pytest

from watcher.domain.currencies import written_out


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        ("10", "USD", "10.00"),
        ("2.5", "EUR", "2.50"),
        ("49.99", "USD", "49.99"),
        ("0.333333", "USD", "0.333333"),
        ("1000", "JPY", "1000"),
        ("1.5", "KWD", "1.500"),
        ("0.005", "ETH", "0.005"),
        ("1", "ETH", "1"),
    ],
)
def test_an_amount_has_the_decimals_of_its_currency(
    amount: str, currency: str, written: str
) -> None:
    assert written_out(amount, currency) == written
