"""EVM addresses and payment links. Import-light: configuration and wallets use it."""

from __future__ import annotations

import re

from Crypto.Hash import keccak

from chains.base import AddressCodec
from watcher.domain.money import Address, Asset

_SHAPE = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)


def parse(text: str) -> Address:
    """The canonical lower-case form; raises ValueError saying what is wrong."""
    if not _SHAPE.fullmatch(text):
        raise ValueError("an address is 0x and 40 hex digits")
    digits = text[2:]
    if digits not in (digits.lower(), digits.upper()) and digits != _checksummed(digits.lower()):
        raise ValueError("bad checksum: a character of the address is wrong (EIP-55)")
    return Address(text.lower())


def show(address: Address) -> str:
    """With the checksum that wallets verify (EIP-55)."""
    return f"0x{_checksummed(address[2:])}"


def of_key(key: bytes) -> Address:
    """The address of a public key: the last 20 bytes of the keccak of its x and y."""
    if len(key) != 64:
        raise ValueError("a public key is 64 bytes: x and y")
    return Address(f"0x{_keccak(key)[-20:].hex()}")


def payment_uri(asset: Asset, to: Address, units: int, chain_id: int) -> str:
    """What a wallet opens to pay exactly `units` (EIP-681; amounts in the smallest unit)."""
    if asset.contract is None:
        return f"ethereum:{show(to)}@{chain_id}?value={units}"
    token = show(asset.contract)
    return f"ethereum:{token}@{chain_id}/transfer?address={show(to)}&uint256={units}"


def _checksummed(digits: str) -> str:
    marks = _keccak(digits.encode()).hex()
    return "".join(
        digit.upper() if mark >= "8" else digit for digit, mark in zip(digits, marks, strict=False)
    )


def _keccak(content: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=content).digest()


CODEC = AddressCodec(parse, show, of_key)
