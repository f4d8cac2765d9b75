"""What goes into a block: what somebody orders, and the transaction that says so, signed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from chains.sandbox.chain import Json
from chains.sandbox.tron.accounts import Account, wire
from chains.tvm.contracts import CONTRACTS, NAMES, TRANSFER, TRANSFER_ASSET, TRIGGER_SMART
from chains.tvm.protobuf import content, integer, message
from watcher.domain.money import Address

Ending = Literal["SUCCESS", "REVERT", "OUT_OF_ENERGY", "OUT_OF_TIME"]
"""How a call shall end; SUCCESS: as the code has it."""

FEE_LIMIT = 200_000_000
VALID_MILLISECONDS = 24 * 60 * 60 * 1000  # the longest that nodes take

# Names and numbers of fields: java-tron's Tron.proto and the protos of its contracts.
_BEFORE = ((1, "ref_block_bytes"), (4, "ref_block_hash"), (8, "expiration"), (10, "data"))
_AFTER = ((14, "timestamp"), (18, "fee_limit"))
_VALUES: dict[str, Sequence[tuple[int, str]]] = {
    NAMES[TRANSFER]: ((1, "owner_address"), (2, "to_address"), (3, "amount")),
    NAMES[TRANSFER_ASSET]: (
        (1, "asset_name"),
        (2, "owner_address"),
        (3, "to_address"),
        (4, "amount"),
    ),
    NAMES[TRIGGER_SMART]: (
        (1, "owner_address"),
        (2, "contract_address"),
        (3, "call_value"),
        (4, "data"),
    ),
}
_NUMBERS = {name: number for number, name in NAMES.items()}


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody shall do."""

    to: Address
    """Who is paid, or which contract is called."""
    units: int = 0
    """Of TRX, in sun; or of the TRC-10 token that `coin` names."""
    coin: str = ""
    """The id of a TRC-10 token."""
    data: bytes | None = None
    """What a contract is called with; None: no code runs."""
    ending: Ending = "SUCCESS"
    memo: bytes = b""
    """What the transaction says beside; it means nothing to the chain."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the chain stood when a transaction was made."""

    reference: str
    """Id of a block below; on a chain without it the transaction is void."""
    milliseconds: int


@dataclass(frozen=True, slots=True)
class Signed:
    """A transaction on its way into a block."""

    fields: Json
    """As a node sends it, but for what came of it."""
    ending: Ending = "SUCCESS"
    spends: bool = False
    """Who sends it has only what came to it; the payers are given what they pay."""

    @property
    def id(self) -> str:
        return str(self.fields["txID"])

    @property
    def runs_code(self) -> bool:
        return "fee_limit" in self.fields["raw_data"]

    @property
    def contract(self) -> Json:
        """The one contract in it: its type, and its parameter's value."""
        contract: Json = self.fields["raw_data"]["contract"][0]
        return {"type": contract["type"], **contract["parameter"]["value"]}


def sign(order: Order, sender: Account, place: Place) -> Signed:
    """The transaction of an order, signed by who pays."""
    contract = _contract(order, sender.address)
    raw: Json = {
        "contract": [contract],
        "ref_block_bytes": place.reference[12:16],
        "ref_block_hash": place.reference[16:32],
        "expiration": place.milliseconds + VALID_MILLISECONDS,
        "timestamp": place.milliseconds,
    }
    if order.memo:
        raw["data"] = order.memo.hex()
    if order.data is not None:
        raw["fee_limit"] = FEE_LIMIT
    fields = with_id({"raw_data": raw})
    digest = bytes.fromhex(fields["txID"])
    return Signed({"signature": [sender.sign(digest)], **fields}, order.ending)


def with_id(fields: Json) -> Json:
    """A transaction with the bytes of its raw data, and its id, which is their hash."""
    encoded = encode_raw(fields["raw_data"])
    digest = sha256(encoded).hexdigest()
    return {**fields, "txID": digest, "raw_data_hex": encoded.hex()}


def contract_of(name: str, value: Json) -> Json:
    """A contract as it stands in raw data."""
    url = f"type.googleapis.com/protocol.{name}"
    kept = {field: part for field, part in value.items() if part}
    return {"parameter": {"value": kept, "type_url": url}, "type": name}


def encode_raw(raw: Json) -> bytes:
    """The bytes of Transaction.raw."""
    (contract,) = raw["contract"]
    parameter = contract["parameter"]
    value = _encode(_VALUES[contract["type"]], parameter["value"])
    anything = content(1, parameter["type_url"].encode()) + content(2, value)
    whole = integer(1, _NUMBERS[contract["type"]]) + message(2, anything)
    return _encode(_BEFORE, raw) + message(CONTRACTS, whole) + _encode(_AFTER, raw)


def _contract(order: Order, sender: Address) -> Json:
    owner, to = wire(sender), wire(order.to)
    if order.data is not None:
        call = {"data": order.data.hex(), "call_value": order.units}
        accounts = {"owner_address": owner, "contract_address": to}
        return contract_of(NAMES[TRIGGER_SMART], {**accounts, **call})
    value = {"owner_address": owner, "to_address": to, "amount": order.units}
    if order.coin:
        name = order.coin.encode().hex()
        return contract_of(NAMES[TRANSFER_ASSET], {**value, "asset_name": name})
    return contract_of(NAMES[TRANSFER], value)


def _encode(numbered: Sequence[tuple[int, str]], value: Json) -> bytes:
    return b"".join(_field(number, value.get(name, "")) for number, name in numbered)


def _field(number: int, part: int | str) -> bytes:
    """Numbers stay numbers in JSON, bytes become hex."""
    if isinstance(part, int):
        return integer(number, part)
    return content(number, bytes.fromhex(part))
