"""What a transaction orders, read from its raw bytes: those that its id is the hash of.

Source: java-tron's Tron.proto and the protos of its contracts. A transaction has one contract.
"""

from __future__ import annotations

from dataclasses import dataclass

from chains.tvm.address import PREFIX
from chains.tvm.protobuf import Fields, bytes_of, fields, int_of, messages_of

CONTRACTS = 11  # field of Transaction.raw
TRANSFER, TRANSFER_ASSET, CREATE_SMART, TRIGGER_SMART = 1, 2, 30, 31
NAMES = {
    TRANSFER: "TransferContract",
    TRANSFER_ASSET: "TransferAssetContract",
    CREATE_SMART: "CreateSmartContract",
    TRIGGER_SMART: "TriggerSmartContract",
}


@dataclass(frozen=True, slots=True)
class Order:
    """What one transaction would do if it succeeds, as far as money moves by it directly."""

    runs_code: bool
    sender: bytes | None = None
    to: bytes | None = None
    """20 bytes; None where the transaction pays nobody, or what stands there is no address."""
    amount: int = 0
    """TRX in sun."""
    token: str = ""
    """Id of a TRC-10 token, of which `token_amount` moves."""
    token_amount: int = 0


def order_of(raw: bytes) -> Order:
    """Read the raw bytes of a transaction; raises ValueError where they are none."""
    contracts = messages_of(fields(raw), CONTRACTS)
    if len(contracts) != 1:
        raise ValueError(f"{len(contracts)} contracts instead of 1")
    contract = fields(contracts[0])
    kind = int_of(contract, 1)
    if kind not in NAMES:
        return Order(runs_code=False)
    # A message that is written twice is both, one after the other.
    parameter = fields(b"".join(messages_of(contract, 2)))
    if bytes_of(parameter, 1).rpartition(b".")[2] != NAMES[kind].encode():
        raise ValueError(f"its parameter is not a {NAMES[kind]}")
    return _read(kind, bytes_of(parameter, 2))


def _read(kind: int, value: bytes) -> Order:
    found = fields(value)
    if kind == TRANSFER:
        return Order(False, _address(found, 1), _address(found, 2), int_of(found, 3))
    if kind == TRANSFER_ASSET:
        token, amount = bytes_of(found, 1).decode(errors="replace"), int_of(found, 4)
        return Order(False, _address(found, 2), _address(found, 3), 0, token, amount)
    if kind == CREATE_SMART:
        return Order(True, _address(found, 1))  # what it makes is nobody's address yet
    token, amount = str(int_of(found, 6)), int_of(found, 5)
    return Order(True, _address(found, 1), _address(found, 2), int_of(found, 3), token, amount)


def _address(found: Fields, field: int) -> bytes | None:
    content = bytes_of(found, field)
    return content[1:] if len(content) == 21 and content[:1] == PREFIX else None
