"""Protobuf's wire format, by the examples of its guide and by what parsers must agree on."""

from __future__ import annotations

import pytest

from chains.tvm.protobuf import (
    bytes_of,
    content,
    fields,
    int_of,
    integer,
    message,
    messages_of,
    varint,
)


@pytest.mark.parametrize(
    ("number", "encoded"),
    [
        (0, "00"),
        (1, "01"),
        (127, "7f"),
        (128, "8001"),
        (150, "9601"),
        (2**63 - 1, "ffffffffffffffff7f"),
        (-1, "ffffffffffffffffff01"),
        (-2, "feffffffffffffffff01"),
    ],
)
def test_a_number_is_7_bits_a_byte_and_read_as_it_was_written(number: int, encoded: str) -> None:
    assert varint(number).hex() == encoded
    assert int_of(fields(b"\x08" + varint(number)), 1) == number


def test_fields_are_written_with_number_and_kind() -> None:
    assert integer(1, 150).hex() == "089601"
    assert content(2, b"testing").hex() == "120774657374696e67"
    assert message(3, integer(1, 150)).hex() == "1a03089601"
    assert integer(16, 1).hex() == "800101"


def test_what_is_zero_or_empty_is_not_written_unless_it_is_an_item() -> None:
    assert (integer(1, 0), content(1, b""), message(1, b"")) == (b"", b"", b"\x0a\x00")


def test_a_field_that_is_missing_is_zero_or_empty() -> None:
    found = fields(b"")
    assert (int_of(found, 1), bytes_of(found, 1), messages_of(found, 1)) == (0, b"", [])


def test_of_a_single_field_written_twice_the_last_counts() -> None:
    found = fields(integer(1, 5) + integer(1, 6) + content(2, b"a") + content(2, b"b"))
    assert (int_of(found, 1), bytes_of(found, 2)) == (6, b"b")
    assert messages_of(found, 2) == [b"a", b"b"]


def test_a_field_of_another_kind_is_unknown() -> None:
    found = fields(content(1, b"\x05") + integer(2, 5))
    assert (int_of(found, 1), bytes_of(found, 2)) == (0, b"")


@pytest.mark.parametrize("fixed", ["09" + "11" * 8, "0d" + "11" * 4])
def test_fields_of_fixed_length_are_read_over(fixed: str) -> None:
    assert fields(bytes.fromhex(fixed) + integer(2, 5)) == {2: [5]}


@pytest.mark.parametrize(
    "encoded", ["08", "0880", "0a", "0a02aa", "0b", "0f", "09" + "11" * 7, "08" + "80" * 10 + "01"]
)
def test_half_of_a_message_is_refused(encoded: str) -> None:
    with pytest.raises(ValueError, match="not a protobuf message"):
        fields(bytes.fromhex(encoded))
