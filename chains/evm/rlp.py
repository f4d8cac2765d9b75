"""Hexadecimal text, RLP and Keccak-256.

Nodes send hexadecimal, so an item is put together as text without prefix, two digits a byte, by
joining. The first half reads what a node sent, `0x…` in its one canonical spelling, and raises
ValueError for any other; wrong digits are found when `content` makes the whole item bytes, once.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from Crypto.Hash import keccak as _keccak

_SHORT = 56  # payloads below this many bytes carry their size in the first byte
_STRING = tuple(f"{0x80 + size:02x}" for size in range(_SHORT))
_SEQUENCE = tuple(f"{0xC0 + size:02x}" for size in range(_SHORT))
_NOTHING = _STRING[0]
_WORD = len("0x") + 64  # 256 bits


def unprefixed(text: str | None, size: int | None = None) -> str:
    """The digits of `0x…` bytes: `size` of them, or any whole number."""
    if text is None or text[:2] != "0x" or len(text) & 1:
        raise ValueError(f"not bytes: {text!r:.80}")
    if size is not None and len(text) != 2 * size + 2:
        raise ValueError(f"not {size} bytes: {text!r:.80}")
    return text[2:]


def number(text: str) -> int:
    """The number that a quantity names: `0x0`, `0x1f`, no leading zeros, below 2**256."""
    value = int(text, 16) if len(text) <= _WORD else -1
    if value < 0 or hex(value) != text:
        raise ValueError(f"not a quantity: {text!r:.80}")
    return value


@lru_cache(maxsize=4096)  # gas limits, fees and statuses repeat
def quantity(text: str | None) -> str:
    """The RLP of a number below 2**256, from the quantity that a node sent."""
    if text == "0x0":
        return _NOTHING
    if text is None or text[:2] != "0x" or text[2:3] in ("", "0") or len(text) > _WORD:
        raise ValueError(f"not a quantity: {text!r:.80}")
    digits = "0" + text[2:] if len(text) & 1 else text[2:]
    if len(digits) == 2 and digits < "80":
        return digits
    return _STRING[len(digits) >> 1] + digits


def data(text: str | None) -> str:
    """The RLP of bytes of any length, from the `0x…` that a node sent."""
    return string(unprefixed(text))


def fixed(text: str | None, size: int) -> str:
    """The RLP of exactly `size` bytes, from 2 to 55, from the `0x…` that a node sent."""
    if text is None or len(text) != 2 * size + 2 or text[:2] != "0x":
        raise ValueError(f"not {size} bytes: {text!r:.80}")
    return _STRING[size] + text[2:]


@lru_cache(maxsize=4096)  # a block names the same few again and again
def address(text: str) -> str:
    """The RLP of an address, which some nodes send with capitals."""
    return fixed(text.lower(), 20)


@lru_cache(maxsize=4096)  # topics are mostly a few events, pairs and routers
def word(text: str) -> str:
    """The RLP of 32 bytes, from the `0x…` that a node sent."""
    return fixed(text, 32)


def words(texts: Iterable[str]) -> str:
    """The RLP of a list of 32-byte words, from the `0x…` that a node sent."""
    return sequence(map(word, texts))


def string(digits: str) -> str:
    """The RLP of bytes."""
    size = len(digits) >> 1
    if size == 1 and digits < "80":
        return digits
    return (_STRING[size] if size < _SHORT else _long(0xB7, size)) + digits


def sequence(items: Iterable[str]) -> str:
    """The RLP of a list of items, each in RLP."""
    payload = "".join(items)
    size = len(payload) >> 1
    return (_SEQUENCE[size] if size < _SHORT else _long(0xF7, size)) + payload


def integer(value: int) -> str:
    """The RLP of a number."""
    return quantity(hex(value))


def byte_string(content: bytes) -> bytes:
    """`string`, of bytes and in bytes."""
    if len(content) == 1 and content < b"\x80":
        return content
    return _head(0x80, len(content)) + content


def byte_sequence(payload: bytes) -> bytes:
    """`sequence`, of items joined already and in bytes."""
    return _head(0xC0, len(payload)) + payload


def digest(content: bytes) -> bytes:
    """Keccak-256."""
    return _keccak.new(digest_bits=256, data=content).digest()


def hashed(content: bytes) -> str:
    """`digest` as hexadecimal text."""
    return digest(content).hex()


def content(item: str) -> bytes:
    """The bytes of an item; ValueError where it was joined from other than lower-case digits."""
    content = bytes.fromhex(item)
    if content.hex() != item:  # `fromhex` takes spaces and capitals
        raise ValueError("not lower-case hexadecimal")
    return content


@lru_cache(maxsize=4096)
def _head(offset: int, size: int) -> bytes:
    short = f"{offset + size:02x}" if size < _SHORT else _long(offset + _SHORT - 1, size)
    return bytes.fromhex(short)


@lru_cache(maxsize=4096)
def _long(offset: int, size: int) -> str:
    width = (size.bit_length() + 7) // 8
    return f"{offset + width:02x}{size:0{2 * width}x}"
