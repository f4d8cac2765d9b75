"""The little of protobuf's wire format that hashes are taken over: write fields, read fields.

Source: the encoding guide of Protocol Buffers. Tron's messages have int64, enum, bytes, string and
message fields only. As in proto3 a scalar field of zero is not written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
WORD = 1 << 64

Fields = Mapping[int, Sequence[int | bytes]]
"""The values of each field, in order: an int from a varint, bytes from a length and content."""


def varint(number: int) -> bytes:
    """An int64 as 1 to 10 bytes of 7 bits; a negative one in two's complement."""
    number %= WORD
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def integer(field: int, number: int) -> bytes:
    """An int64 or enum field; nothing where it is zero."""
    return varint(field << 3 | VARINT) + varint(number) if number else b""


def content(field: int, value: bytes) -> bytes:
    """A bytes field; nothing where it is empty."""
    return message(field, value) if value else b""


def message(field: int, encoded: bytes) -> bytes:
    """A field that is there even when empty: a message, or an item of a list."""
    return varint(field << 3 | BYTES) + varint(len(encoded)) + encoded


def fields(encoded: bytes) -> Fields:
    """Every field of a message; raises ValueError where it is none.

    Fields of fixed length, of which Tron has none, are read over like any unknown field.
    """
    found: dict[int, list[int | bytes]] = {}
    at, end = 0, len(encoded)
    while at < end:
        key, at = (encoded[at], at + 1) if encoded[at] < 0x80 else _varint(encoded, at)
        kind = key & 7
        if kind == VARINT:
            value, at = _varint(encoded, at)
            found.setdefault(key >> 3, []).append(value)
        elif kind == BYTES:
            size, start = _varint(encoded, at)
            at = start + size
            found.setdefault(key >> 3, []).append(encoded[start:at])
        elif kind in (FIXED64, FIXED32):
            at += 8 if kind == FIXED64 else 4
        else:
            raise ValueError("not a protobuf message: a field of an unknown kind")
    if at > end:
        raise ValueError("not a protobuf message: it ends within a field")
    return found


def int_of(found: Fields, field: int) -> int:
    """A single int64 or enum: the last one written, as every parser does; 0 where there is none."""
    for value in reversed(found.get(field, ())):
        if isinstance(value, int):
            return value - WORD if value >> 63 else value
    return 0


def bytes_of(found: Fields, field: int) -> bytes:
    """A single bytes or string field: the last one written; empty where there is none."""
    for value in reversed(found.get(field, ())):
        if isinstance(value, bytes):
            return value
    return b""


def messages_of(found: Fields, field: int) -> list[bytes]:
    """A repeated message field."""
    return [value for value in found.get(field, ()) if isinstance(value, bytes)]


def _varint(encoded: bytes, at: int) -> tuple[int, int]:
    """The varint at `at`, and where it ends."""
    number = shift = 0
    while shift < 70:
        if at >= len(encoded):
            raise ValueError("not a protobuf message: it ends within a number")
        byte = encoded[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number % WORD, at
        shift += 7
    raise ValueError("not a protobuf message: a number of more than 10 bytes")
