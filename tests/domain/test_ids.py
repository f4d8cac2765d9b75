"""Ids: UUIDv7 in Crockford base32, and those derived from a key."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.domain.ids import crockford, derived_id, make_id

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # no I, L, O, U
BIG = 2**128 - 1


def decode(text: str) -> int:
    """The number that 26 characters stand for, by the definition and not by our code."""
    value = 0
    for character in text:
        value = value * 32 + CROCKFORD.index(character)
    return value


def as_uuid(identity: str) -> uuid.UUID:
    return uuid.UUID(int=decode(identity.rpartition("_")[2]))


def test_an_id_is_the_example_of_the_standard() -> None:
    noise = (0xCC3 << 62 | 0x18C4DC0C0C07398F).to_bytes(10, "big")  # RFC 9562, A.6
    made = make_id("inv", 0x017F22E279B0, noise)
    assert as_uuid(made) == uuid.UUID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")


@pytest.mark.parametrize("noise", [bytes(10), b"\xff" * 10, b"\xff" * 32])
def test_noise_never_reaches_time_version_or_variant(noise: bytes) -> None:
    made = as_uuid(make_id("inv", 1_700_000_000_123, noise))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == 1_700_000_000_123


@pytest.mark.parametrize("bit", [0, 1, 40, 61, 62, 73])
def test_each_of_74_random_bits_makes_another_id(bit: int) -> None:
    plain, turned = make_id("inv", 1, bytes(10)), make_id("inv", 1, (1 << bit).to_bytes(10, "big"))
    assert plain != turned


def test_an_id_is_its_prefix_and_26_characters() -> None:
    prefix, _, rest = make_id("inv", 1_700_000_000_000, b"0123456789").partition("_")
    assert prefix == "inv"
    assert len(rest) == 26
    assert set(rest) <= set(CROCKFORD)


def test_a_later_id_sorts_after_an_earlier_one_whatever_the_noise() -> None:
    assert make_id("inv", 1_700_000_000_000, b"\xff" * 10) < make_id(
        "inv", 1_700_000_000_001, bytes(10)
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0" * 26),
        (31, "0" * 25 + "Z"),
        (32, "0" * 24 + "10"),
        (1 << 125, "1" + "0" * 25),
        (BIG, "7" + "Z" * 25),
    ],
)
def test_crockford(value: int, text: str) -> None:
    assert crockford(value) == text


@settings(derandomize=True, max_examples=200)
@given(st.integers(0, BIG), st.integers(0, BIG))
def test_crockford_sorts_like_the_number_and_loses_nothing(one: int, other: int) -> None:
    assert (crockford(one) < crockford(other)) == (one < other)
    assert decode(crockford(one)) == one


def test_a_derived_id_is_the_same_in_every_process_and_version() -> None:
    # A stored literal: another derivation would give a deposit found again a second id.
    found = derived_id("dep", 1_700_000_000, "polygon", "00ff", "abcd", "log/0")
    assert found == "dep_01HF7YAT00FK8A1VNMZ2RQ386P"


@pytest.mark.parametrize(
    "key",
    [
        ("tron", "00ff", "abcd", "log/0"),
        ("polygon", "00fe", "abcd", "log/0"),
        ("polygon", "00ff", "abce", "log/0"),
        ("polygon", "00ff", "abcd", "log/1"),
        ("polygon", "00ff", "", "log/0"),
        ("polygon", "00ffa", "bcd", "log/0"),
        ("polygon", "00ff", "abcd", "log/0", ""),
    ],
)
def test_a_derived_id_differs_with_every_part_of_its_key(key: tuple[str, ...]) -> None:
    first = derived_id("dep", 1_700_000_000, "polygon", "00ff", "abcd", "log/0")
    assert derived_id("dep", 1_700_000_000, *key) != first


def test_a_derived_id_differs_with_its_second() -> None:
    assert derived_id("dep", 1, "a")[:14] != derived_id("dep", 2, "a")[:14]


def test_a_derived_id_holds_its_second() -> None:
    assert as_uuid(derived_id("dep", 1_700_000_000, "a")).int >> 80 == 1_700_000_000_000
