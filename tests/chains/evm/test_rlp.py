"""RLP and the spelling of numbers and bytes: known vectors, and the `rlp` package as a witness."""

from __future__ import annotations

import pytest
import rlp as witness
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st

from chains.evm import rlp


@pytest.mark.parametrize(
    ("data", "encoded"),
    [
        ("", "80"),
        ("00", "00"),
        ("7f", "7f"),
        ("80", "8180"),
        ("646f67", "83646f67"),  # "dog", as in the Yellow Paper's appendix B
        ("61" * 55, "b7" + "61" * 55),
        ("61" * 56, "b838" + "61" * 56),
        ("61" * 1024, "b90400" + "61" * 1024),
    ],
)
def test_a_string(data: str, encoded: str) -> None:
    assert rlp.string(data) == encoded


@pytest.mark.parametrize(
    ("items", "encoded"),
    [
        ([], "c0"),
        (["83636174", "83646f67"], "c88363617483646f67"),  # ["cat", "dog"]
        (["c0", "c1c0", "c3c0c1c0"], "c7c0c1c0c3c0c1c0"),
        (["80"] * 55, "f7" + "80" * 55),
        (["80"] * 56, "f838" + "80" * 56),
    ],
)
def test_a_sequence(items: list[str], encoded: str) -> None:
    assert rlp.sequence(items) == encoded


@given(st.recursive(st.binary(max_size=300), lambda inner: st.lists(inner, max_size=8)))
def test_any_item_is_encoded_as_the_witness_does(item: object) -> None:
    def encode(item: object) -> str:
        if isinstance(item, bytes):
            return rlp.string(item.hex())
        assert isinstance(item, list)
        return rlp.sequence(map(encode, item))

    assert encode(item) == witness.encode(item).hex()


@given(st.integers(0, 2**256 - 1))
def test_a_number_is_encoded_as_the_witness_does(value: int) -> None:
    assert rlp.quantity(hex(value)) == rlp.integer(value) == witness.encode(value).hex()
    assert rlp.number(hex(value)) == value


NO_QUANTITIES = ["", "0x", "0x00", "0x01", "1f", "-0x1", "1x1", "0X1", f"0x1{'0' * 64}", None]


@pytest.mark.parametrize("text", NO_QUANTITIES)
def test_a_misspelled_quantity_is_refused(text: str | None) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        rlp.quantity(text)


@pytest.mark.parametrize("text", [*NO_QUANTITIES[1:-1], "0x1F", "0x_1", "0x1 ", " 0x1"])
def test_a_misspelled_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a quantity|invalid literal"):
        rlp.number(text)


@pytest.mark.parametrize("text", ["", "0", "0x0", "0x000", "1234", "0X12", None])
def test_misspelled_bytes_are_refused(text: str | None) -> None:
    with pytest.raises(ValueError, match="not bytes"):
        rlp.data(text)


@pytest.mark.parametrize("text", ["0x", "0x" + "00" * 31, "0x" + "00" * 33, "00" * 33, None])
def test_a_wrong_size_is_refused(text: str | None) -> None:
    with pytest.raises(ValueError, match=r"not 32 bytes"):
        rlp.fixed(text, 32)


def test_a_list_of_words_refuses_one_of_another_size() -> None:
    word = "0x" + "ab" * 32
    assert rlp.words([word]) == rlp.sequence([rlp.fixed(word, 32)])
    with pytest.raises(ValueError, match="not 32 bytes"):
        rlp.words([word, word[:-2]])


@pytest.mark.parametrize("text", ["AB", "a b ", " ab ", "0x12", "zz", "abc", "é0"])
def test_what_is_no_lower_case_hexadecimal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="hexadecimal"):
        rlp.content(text)


@given(st.binary(max_size=600))
def test_bytes_hash_as_the_witness_does(content: bytes) -> None:
    assert rlp.content(content.hex()) == content
    assert rlp.hashed(content) == keccak(content).hex()
