"""Ids: a prefix and the 26 Crockford base32 characters of a UUIDv7 (RFC 9562).

Time and randomness are arguments here; `watcher.clock` brings them.
"""

from __future__ import annotations

import hashlib

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def make_id(prefix: str, milliseconds: int, noise: bytes) -> str:
    """The id whose UUIDv7 has this Unix time and takes its 74 random bits from `noise`.

    Args:
        prefix: `inv`, `dep`, `mer`, …; an underscore joins it to the rest.
        milliseconds: Unix time, below 2**48.
        noise: at least 10 bytes.
    """
    random = int.from_bytes(noise[:10], "big")
    high, low = random >> 62 & 0xFFF, random & (1 << 62) - 1
    uuid = (milliseconds & (1 << 48) - 1) << 80 | 7 << 76 | high << 64 | 2 << 62 | low
    return f"{prefix}_{crockford(uuid)}"


def derived_id(prefix: str, seconds: int, *key: str) -> str:
    """The id that always belongs to `key`: asked again, also after a crash, it is the same."""
    return make_id(prefix, seconds * 1000, hashlib.sha256("\0".join(key).encode()).digest())


def crockford(value: int) -> str:
    """128 bits as 26 characters that sort like the number."""
    return "".join(ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))


def number_of(text: str) -> int | None:
    """The number that `crockford` wrote so; None where it is none of 128 bits."""
    if len(text) != 26 or not set(text) <= set(ALPHABET):
        return None
    value = 0
    for letter in text:
        value = value << 5 | ALPHABET.index(letter)
    return value if value < 1 << 128 else None
