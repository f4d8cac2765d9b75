"""What goes into a block, before and after it is signed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from coincurve import PrivateKey

from chains.evm import rlp
from chains.evm.address import of_key
from chains.evm.encoding import DYNAMIC_FEE
from chains.sandbox.chain import Json
from watcher.domain.money import Address

SEED = "deposit-watcher sandbox payer"
"""What the payers' keys are made of. They are public: toy keys of a toy chain."""


@dataclass(frozen=True, slots=True)
class Order:
    """A call that somebody shall make."""

    to: Address
    value: int = 0
    data: bytes = b""
    refused: bool = False
    """Whoever is called refuses, as an account does that has lent itself to such code (EIP-7702):
    that is how a plain payment can fail on a true chain."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A transaction on its way into a block."""

    fields: Json
    """As a node sends it, but for where it stands."""
    refused: bool = False
    spends: bool = False
    """Who sends it has only what came to it; the payers are given what they pay."""

    @property
    def hash(self) -> str:
        """With 0x."""
        return str(self.fields["hash"])

    @property
    def sender(self) -> Address:
        return Address(self.fields["from"])

    @property
    def most(self) -> int:
        """What its sender must have, so that it may stand in a block."""
        price, gas, value = (self.fields[name] for name in ("maxFeePerGas", "gas", "value"))
        return int(price, 16) * int(gas, 16) + int(value, 16)


@dataclass(frozen=True, slots=True)
class Fees:
    """What a transaction offers and what it costs, in wei per gas; the same in every block."""

    base: int
    tip: int
    most: int


@dataclass(frozen=True, slots=True)
class Payer:
    """One of the accounts that pay."""

    key: PrivateKey
    address: Address


@lru_cache(maxsize=1024)
def payer(number: int) -> Payer:
    """The account of that number."""
    key = PrivateKey(rlp.digest(f"{SEED} {number}".encode()))
    return Payer(key, of_key(key.public_key.format(compressed=False)[1:]))


def sign(order: Order, sender: Payer, nonce: int, chain_id: int, fees: Fees) -> Signed:
    """A transaction with a fee by EIP-1559 (type 2)."""
    fields: Json = {
        "type": hex(DYNAMIC_FEE),
        "chainId": hex(chain_id),
        "nonce": hex(nonce),
        "from": sender.address,
        "to": order.to,
        "value": hex(order.value),
        "input": f"0x{order.data.hex()}",
        "gas": hex(gas_limit(order)),
        "maxPriorityFeePerGas": hex(fees.tip),
        "maxFeePerGas": hex(fees.most),
        "gasPrice": hex(fees.base + fees.tip),
        "accessList": [],
    }
    unsigned = (
        *(rlp.integer(part) for part in (chain_id, nonce, fees.tip, fees.most)),
        rlp.integer(gas_limit(order)),
        rlp.address(order.to),
        rlp.integer(order.value),
        rlp.string(order.data.hex()),
        rlp.sequence(()),
    )
    signature = sign_content(sender.key, _typed(unsigned))
    r, s, parity = signature[:32], signature[32:64], signature[64]
    numbers = [int.from_bytes(r, "big"), int.from_bytes(s, "big"), parity]
    whole = _typed((*unsigned, *map(rlp.integer, (numbers[2], *numbers[:2]))))
    fields |= dict(zip(("r", "s", "v"), map(hex, numbers), strict=True))
    fields |= {"yParity": hex(parity), "hash": f"0x{rlp.hashed(whole)}"}
    return Signed(fields, order.refused)


def sign_content(key: PrivateKey, content: bytes) -> bytes:
    """65 bytes r, s and parity over the Keccak-256 of `content`."""
    return key.sign_recoverable(rlp.digest(content), hasher=None)


def _typed(fields: Iterable[str]) -> bytes:
    return rlp.content(f"{DYNAMIC_FEE:02x}{rlp.sequence(fields)}")


def gas_limit(order: Order) -> int:
    """Enough for what the toy contracts do: 100,000 for each call that the data can hold."""
    return 100_000 * (1 + len(order.data) // 96)
