"""Amounts and ids in other spellings."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest

from watcher.api.compat.reading import read_amount
from watcher.domain.ids import crockford, number_of
from watcher.faces import ids, values
from watcher.refused import NotFound

INVOICE = "inv_01JZB38ZCEERAR01Z3FECJSPSG"
BITS = "0197d6347d8e76158007e37b992cdb30"


@pytest.mark.parametrize(
    "spelling",
    [BITS, f"inv_{BITS}", str(UUID(BITS)), str(UUID(BITS)).upper(), INVOICE, INVOICE.lower()],
)
def test_an_id_is_the_same_bits_in_every_spelling(spelling: str) -> None:
    assert ids.read_id("inv", spelling) == INVOICE
    assert ids.hex_id("inv", INVOICE) == f"inv_{BITS}"


@pytest.mark.parametrize(
    "text", ["", "inv_", "inv_1", "8" + "0" * 25, "x" * 32, BITS + "0", "\u0660" * 32]
)
def test_what_can_be_no_id_is_not_found(text: str) -> None:
    with pytest.raises(NotFound):
        ids.read_id("inv", text)


@pytest.mark.parametrize("number", [0, 1, 2**128 - 1])
def test_an_id_is_read_as_it_was_written(number: int) -> None:
    assert number_of(crockford(number)) == number


def test_derived_ids_differ_by_name_and_owner_and_stay() -> None:
    one = ids.derived("pay", INVOICE, "polygon:usdc")
    assert one == ids.derived("pay", INVOICE, "polygon:usdc")
    assert one not in (
        ids.derived("pay", INVOICE, "polygon:usdt"),
        ids.derived("pay", f"inv_{crockford(7)}", "polygon:usdc"),
    )


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (1, "1"),
        (Decimal("49.99"), "49.99"),
        (Decimal("10.299999999999999"), "10.3"),
        (Decimal("1e2"), "100"),
        (Decimal("1e-18"), "0.000000000000000001"),
        ("10.3", "10.3"),
        ("0.123456789012345678", "0.123456789012345678"),
        (Decimal("123456789012345678"), "123456789012346000"),
    ],
)
def test_money_is_read_exactly(sent: object, read: str) -> None:
    assert read_amount(sent) == read


@pytest.mark.parametrize(
    "sent", [0, -1, "0", "-1", "0.00", Decimal("1e99999999"), True, None, [], "1e2"]
)
def test_what_is_no_amount_is_refused(sent: object) -> None:
    with pytest.raises(ValueError, match=r"must|is too"):
        read_amount(sent)


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        ("49.990", "49.99"),
        ("1", "1"),
        ("0", "0"),
        ("0.000000000000000001", "0.000000000000000001"),
        ("123456789012345678901234567890.5", "123456789012345678901234567890.5"),
    ],
)
def test_a_number_in_json_has_the_very_digits(amount: str, written: str) -> None:
    assert values.encode({"a": values.number(amount)}) == f'{{"a":{written}}}'.encode()


@pytest.mark.parametrize("text", ["", "1e2", "-1", '1,"b":2', "NaN"])
def test_only_a_plain_number_becomes_one(text: str) -> None:
    with pytest.raises(ValueError, match="not plain"):
        values.number(text)


@pytest.mark.parametrize(
    ("amount", "places", "shown"),
    [("49.9999995", 6, "50.000000"), ("0.0000005", 6, "0.000001"), ("1", 6, "1.000000")],
)
def test_an_amount_is_rounded_half_up_and_padded(amount: str, places: int, shown: str) -> None:
    assert values.padded(values.rounded(amount, places), places) == shown


@pytest.mark.parametrize(
    ("status", "confirmed", "left"),
    [("confirming", "0", "49.99"), ("partially_paid", "20", "29.99"), ("paid", "49.98", "0")],
)
def test_only_confirmed_money_lessens_what_is_missing(
    status: str, confirmed: str, left: str
) -> None:
    price = {"amount": "49.99", "currency": "USD"}
    invoice = {"status": status, "price": price, "paid": {"confirmed": confirmed}}
    assert values.missing(invoice) == left
