"""The root of a list: known roots, shapes of the trie, and a slow general trie as a witness."""

from __future__ import annotations

import hashlib

import pytest
import rlp as witness
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st

from chains.evm.trie import list_root

Node = bytes | list["Node"]


def slow_root(values: list[bytes]) -> bytes:
    """The root by the letter of the Yellow Paper's appendix D, for any keys."""
    pairs = {witness.encode(index).hex(): value for index, value in enumerate(values)}
    return keccak(witness.encode(structure(pairs, 0)))


def structure(pairs: dict[str, bytes], depth: int) -> Node:
    """c(I, i)."""
    if not pairs:
        return b""
    paths = list(pairs)
    if len(pairs) == 1:
        return [hex_prefix(paths[0][depth:], 2), pairs[paths[0]]]
    alike = max(n for n in range(len(paths[0]) + 1) if len({path[:n] for path in paths}) == 1)
    if alike > depth:
        return [hex_prefix(paths[0][depth:alike], 0), below(pairs, alike)]
    children: list[Node] = [
        below({path: pairs[path] for path in paths if path[depth] == digit}, depth + 1)
        for digit in "0123456789abcdef"
    ]
    return [*children, b""]


def below(pairs: dict[str, bytes], depth: int) -> Node:
    """n(I, i)."""
    node = structure(pairs, depth)
    encoded = witness.encode(node)
    return node if not pairs or len(encoded) < 32 else keccak(encoded)


def hex_prefix(digits: str, flag: int) -> bytes:
    odd = len(digits) % 2
    return bytes.fromhex(f"{flag + odd}{'' if odd else '0'}{digits}")


def test_nothing_has_the_root_of_every_empty_block() -> None:
    root = "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
    assert list_root([]) == root


def test_one_short_value_is_still_hashed_at_the_root() -> None:
    assert list_root([b"a"]) == keccak(witness.encode([b"\x20\x80", b"a"])).hex()


SIZES = [1, 2, 3, 15, 16, 17, 18, 127, 128, 129, 130, 143, 144, 255, 256, 257, 258, 600]


@pytest.mark.parametrize("size", [1, 31, 32, 33, 300])
@pytest.mark.parametrize("count", SIZES)
def test_a_list_of_any_length_has_the_root_of_the_witness(count: int, size: int) -> None:
    values = [hashlib.shake_256(bytes([i % 256, i // 256])).digest(size) for i in range(count)]
    assert list_root(values) == slow_root(values).hex()


@given(st.lists(st.binary(min_size=1, max_size=80), max_size=40))
def test_values_of_mixed_sizes_have_the_root_of_the_witness(values: list[bytes]) -> None:
    expected = slow_root(values) if values else keccak(witness.encode(b""))
    assert list_root(values) == expected.hex()


def test_the_order_of_values_changes_the_root() -> None:
    assert list_root([b"a", b"b"]) != list_root([b"b", b"a"])
