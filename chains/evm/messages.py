"""What a node sends for a block and its receipts, as it sends it.

A field has a default only where some fork, type of transaction or older client lacks it; where it
is needed after all, the encoding refuses None.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from chains.base import ChainDataError

T = TypeVar("T")


class Message(msgspec.Struct, gc=False, rename="camel"):
    """An object of the JSON-RPC interface; fields that it does not name are ignored."""


class Access(Message):
    """What a transaction announces to touch (EIP-2930)."""

    address: str
    storage_keys: list[str]


class Authorization(Message):
    """An account lends itself to a contract's code (EIP-7702)."""

    chain_id: str
    address: str
    nonce: str
    r: str
    s: str
    y_parity: str | None = None
    v: str | None = None


class Transaction(Message):
    """A transaction of any type."""

    hash: str
    nonce: str
    gas: str
    value: str
    input: str
    sender: str = msgspec.field(name="from")
    to: str | None = None
    """None: it creates a contract."""
    type: str | None = None
    """None before EIP-2718: legacy."""
    gas_price: str | None = None
    v: str | None = None
    r: str | None = None
    s: str | None = None
    y_parity: str | None = None
    chain_id: str | None = None
    access_list: list[Access] | None = None
    max_priority_fee_per_gas: str | None = None
    max_fee_per_gas: str | None = None
    max_fee_per_blob_gas: str | None = None
    blob_versioned_hashes: list[str] | None = None
    authorization_list: list[Authorization] | None = None


class Withdrawal(Message):
    """Money that the beacon chain pays out (EIP-4895); `amount` in gwei."""

    index: str
    validator_index: str
    address: str
    amount: str


class Header(Message):
    """A block without what its header only commits to."""

    number: str
    hash: str
    parent_hash: str
    sha3_uncles: str = msgspec.field(name="sha3Uncles")
    miner: str
    state_root: str
    transactions_root: str
    receipts_root: str
    logs_bloom: str
    difficulty: str
    gas_limit: str
    gas_used: str
    timestamp: str
    extra_data: str
    mix_hash: str
    nonce: str
    base_fee_per_gas: str | None = None
    withdrawals_root: str | None = None
    blob_gas_used: str | None = None
    excess_blob_gas: str | None = None
    parent_beacon_block_root: str | None = None
    requests_hash: str | None = None
    block_access_list_hash: str | None = None
    slot_number: str | None = None


class Block(Header, kw_only=True):
    """A block with its transactions in full."""

    transactions: list[Transaction]
    withdrawals: list[Withdrawal] | None = None


class Placed(Message):
    """Says where it stands, which is under no root."""

    block_hash: str | None
    """None in a preconfirmation."""
    block_number: str | None
    transaction_hash: str
    transaction_index: str


class Log(Placed):
    """A log in a receipt."""

    address: str
    topics: list[str]
    data: str
    log_index: str
    removed: bool = False


class Receipt(Placed):
    """What a transaction did."""

    cumulative_gas_used: str
    logs_bloom: str
    logs: list[Log]
    status: str | None = None
    root: str | None = None
    """The state after it, instead of `status`, before Byzantium."""
    preconfirmation: bool = False
    """bor's word on a transaction that is in no block yet."""


_header = msgspec.json.Decoder(Header)
_block = msgspec.json.Decoder(Block)
_receipts = msgspec.json.Decoder(list[Receipt])


def decode_block(content: bytes) -> Block:
    """The block in a node's answer; raises ChainDataError."""
    return _decode(_block, content, "block")


def decode_receipts(content: bytes) -> list[Receipt]:
    """The receipts in a node's answer, none of them null; raises ChainDataError."""
    return _decode(_receipts, content, "receipts")


def decode_header(content: bytes) -> Header:
    """The header in a node's answer, transactions or not; raises ChainDataError."""
    return _decode(_header, content, "header")


def _decode(decoder: msgspec.json.Decoder[T], content: bytes, what: str) -> T:
    try:
        return decoder.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ChainDataError(f"malformed {what}: {error}") from error
