"""The block header: what hashes to the block's hash, and what to do about a fork's new fields."""

from __future__ import annotations

import msgspec

from chains.base import ChainDataError
from chains.evm.messages import Header, decode_header
from chains.evm.rlp import (
    address,
    content,
    data,
    fixed,
    hashed,
    number,
    quantity,
    sequence,
    string,
    unprefixed,
)
from watcher.domain.blocks import BlockRef, Hash

LAST_NUMBER = 2**63 - 1  # a signed 64-bit column
LAST_SECOND = 253_402_300_799  # of the year 9999

PRAGUE = frozenset(
    {
        *("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot"),
        *("logsBloom", "difficulty", "number", "gasLimit", "gasUsed", "timestamp", "extraData"),
        *("mixHash", "nonce", "baseFeePerGas", "withdrawalsRoot", "blobGasUsed", "excessBlobGas"),
        *("parentBeaconBlockRoot", "requestsHash"),
    }
)
"""The settled header fields: those of every fork that mainnet has seen."""

BESIDE = frozenset(
    {
        *("size", "totalDifficulty", "uncles", "transactions", "withdrawals"),
        *("author", "sealFields", "signature", "step", "signers", "auraSeal", "auraStep"),
    }
)
"""What is sent beside the header; the second line by OpenEthereum, Nethermind and Erigon."""


def unproven_fields(block: Header, block_json: bytes) -> tuple[str, ...]:
    """The unsettled header fields that keep the block's hash from being recomputed; () if it was.

    A field that we do not know takes part in the hash at a place that we do not know, so such a
    header is not refused. Fields beside those of the header are no excuse: see `BESIDE`.

    Raises:
        ValueError: all fields are settled and do not give the block's hash.
    """
    if f"0x{hashed(encode_header(block))}" == block.hash:
        return ()
    content(unprefixed(block.hash, 32))  # refuses wrong digits
    unknown = sorted(_sent(block_json).keys() - PRAGUE - BESIDE - {"hash"})
    if not unknown:
        raise ValueError("the header does not give the block's hash")
    return tuple(unknown)


def header_fields(block_json: bytes) -> dict[str, str]:
    """What two endpoints must agree on where a block's hash could not be recomputed.

    Every field as sent, but those of `BESIDE` and nulls. `transactions` stands for the hashes of
    all transactions, in order: where one has an unknown type, no root proves that list either. The
    block may have been asked for with transactions in full or not.

    Raises:
        ChainDataError: not a block.
    """
    try:
        sent = _sent(block_json)
        hashes = msgspec.convert(sent["transactions"], list[str | _Hashed])
        fields = {name: _text(value) for name, value in sent.items() if name not in BESIDE}
    except (msgspec.DecodeError, KeyError, UnicodeDecodeError, RecursionError) as error:
        raise ChainDataError(f"malformed block: {error}") from error
    fields["transactions"] = " ".join(tx if isinstance(tx, str) else tx.hash for tx in hashes)
    return fields


def read_header(block_json: bytes) -> BlockRef:
    """Which block a header describes, its hash recomputed where all its fields are settled.

    Raises:
        ChainDataError: the header does not give its hash, or no block can be like that.
    """
    header = decode_header(block_json)
    try:
        unproven_fields(header, block_json)
        return make_ref(header)
    except ValueError as error:
        raise ChainDataError(f"header {header.number[:20]}: {error}") from error


def make_ref(header: Header) -> BlockRef:
    """The reference of a checked header; raises ValueError for what nothing can store."""
    height, time = number(header.number), number(header.timestamp)
    if height > LAST_NUMBER or time > LAST_SECOND:
        raise ValueError("its number or its time is beyond all bounds")
    return BlockRef(height, Hash(header.hash[2:]), Hash(header.parent_hash[2:]), time)


def encode_header(block: Header) -> bytes:
    """The RLP of a header, with the fields of every fork up to Amsterdam.

    Order: go-ethereum `core/types/block.go`. The last two (EIP-7928, EIP-7843) hash right on
    Sepolia, which has them since its block 11856337; mainnet has not forked yet.
    """
    added = (
        (block.base_fee_per_gas, quantity),
        (block.withdrawals_root, _hash),
        (block.blob_gas_used, quantity),
        (block.excess_blob_gas, quantity),
        (block.parent_beacon_block_root, _hash),
        (block.requests_hash, _hash),
        (block.block_access_list_hash, _hash),
        (block.slot_number, quantity),
    )
    fields = (
        _hash(block.parent_hash),
        _hash(block.sha3_uncles),
        address(block.miner),
        _hash(block.state_root),
        _hash(block.transactions_root),
        _hash(block.receipts_root),
        string(unprefixed(block.logs_bloom, 256)),
        quantity(block.difficulty),
        quantity(block.number),
        quantity(block.gas_limit),
        quantity(block.gas_used),
        quantity(block.timestamp),
        data(block.extra_data),
        _hash(block.mix_hash),
        fixed(block.nonce, 8),
        *(encode(value) for value, encode in added if value is not None),
    )
    return content(sequence(fields))


class _Hashed(msgspec.Struct):
    hash: str


def _sent(block_json: bytes) -> dict[str, object]:
    """The fields that carry a value."""
    fields = msgspec.json.decode(block_json, type=dict[str, object])
    return {name: value for name, value in fields.items() if value is not None}


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value, order="sorted").decode()


def _hash(text: str | None) -> str:
    return fixed(text, 32)
