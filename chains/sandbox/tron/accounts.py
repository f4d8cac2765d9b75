"""Who pays and who makes blocks, and the spellings of an address.

Inside, an address is `0x…` as the virtual machine has it, which is that of the EVM nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from coincurve import PrivateKey

from chains.tvm.address import parse, raw, raw_of_key
from watcher.domain.money import Address

SEED = "deposit-watcher sandbox tron"
"""What all keys are made of. They are public: toy keys of a toy chain."""
WITNESSES = 27


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody with a key."""

    key: PrivateKey
    address: Address

    def sign(self, digest: bytes) -> str:
        """65 bytes r, s and parity, in hex."""
        return self.key.sign_recoverable(digest, hasher=None).hex()


@lru_cache(maxsize=1024)
def account(name: str) -> Account:
    """The account of that name."""
    key = PrivateKey(sha256(f"{SEED} {name}".encode()).digest())
    return Account(
        key, Address(f"0x{raw_of_key(key.public_key.format(compressed=False)[1:]).hex()}")
    )


def payer(number: int) -> Account:
    """The payer of that number."""
    return account(f"payer {number}")


def witness(turn: int) -> Account:
    """Whose turn it is to make a block; the 27 follow one another."""
    return account(f"witness {turn % WITNESSES}")


def inner(text: str) -> Address:
    """The `0x…` of T…; raises ValueError where it is none."""
    return Address(f"0x{raw(parse(text)).hex()}")


def wire(address: Address) -> str:
    """What the HTTP interface sends for `0x…`: 41…"""
    return f"41{address[2:]}"


def heard(text: str) -> Address:
    """The `0x…` of what somebody sends: 41… or T…; raises ValueError where it is neither."""
    if text.startswith("T"):
        return inner(text)
    content = bytes.fromhex(text)
    if len(content) != 21 or content[0] != 0x41:
        raise ValueError("INVALID hex String")
    return Address(f"0x{content[1:].hex()}")
