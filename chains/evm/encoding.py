"""Transactions, receipts and withdrawals in RLP, as hashes and roots cover them.

A ValueError says what a node left out or misspelled.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TypeVar

from chains.evm.messages import Access, Authorization, Log, Receipt, Transaction, Withdrawal
from chains.evm.rlp import (
    address,
    content,
    data,
    fixed,
    integer,
    number,
    quantity,
    sequence,
    string,
    unprefixed,
    words,
)

LEGACY, ACCESS_LIST, DYNAMIC_FEE, BLOB, SET_CODE = range(5)
KNOWN_TYPES = range(5)
LAST_TYPE = 0x7F

T = TypeVar("T")


def transaction_type(tx: Transaction) -> int:
    """Its EIP-2718 type, below 128; 0: legacy."""
    return LEGACY if tx.type is None else _type_number(tx.type)


def encode_transaction(tx: Transaction) -> bytes:
    """The bytes that hash to the transaction's hash; blobs go without their sidecar."""
    kind = transaction_type(tx)
    # `v` as sent already tells whether EIP-155 put a chain id into it.
    v = tx.v if kind == LEGACY else _parity(tx)
    return _typed(kind, (*_fields(tx, kind), quantity(v), quantity(tx.r), quantity(tx.s)))


def encode_unsigned(tx: Transaction) -> bytes:
    """The bytes of which the sender signed the hash."""
    kind = transaction_type(tx)
    fields = _fields(tx, kind)
    if kind == LEGACY and (v := number(tx.v or "")) >= 35:  # EIP-155
        fields = (*fields, integer((v - 35) // 2), integer(0), integer(0))
    return _typed(kind, fields)


def encode_receipt(receipt: Receipt, kind: int) -> bytes:
    """A receipt of a transaction of type `kind`, known or not: all types share one encoding."""
    fields = (
        _outcome(receipt),
        quantity(receipt.cumulative_gas_used),
        string(unprefixed(receipt.logs_bloom, 256)),
        sequence([_log(log) for log in receipt.logs]),
    )
    return _typed(kind, fields)


def encode_withdrawal(withdrawal: Withdrawal) -> bytes:
    """A withdrawal (EIP-4895)."""
    fields = (
        quantity(withdrawal.index),
        quantity(withdrawal.validator_index),
        address(withdrawal.address),
        quantity(withdrawal.amount),
    )
    return content(sequence(fields))


@lru_cache(maxsize=16)
def _type_number(text: str) -> int:
    kind = number(text)
    if kind > LAST_TYPE:  # above it begin the first bytes of legacy transactions
        raise ValueError(f"no type of transaction: {text}")
    return kind


def _typed(kind: int, fields: Iterable[str]) -> bytes:
    return content(sequence(fields) if kind == LEGACY else f"{kind:02x}{sequence(fields)}")


def _fields(tx: Transaction, kind: int) -> tuple[str, ...]:
    """What a transaction says, without its signature."""
    call = (quantity(tx.gas), _recipient(tx.to), quantity(tx.value), data(tx.input))
    if kind == LEGACY:
        return (quantity(tx.nonce), quantity(tx.gas_price), *call)
    capped = (tx.max_priority_fee_per_gas, tx.max_fee_per_gas)
    fees = (tx.gas_price,) if kind == ACCESS_LIST else capped
    return (
        quantity(tx.chain_id),
        quantity(tx.nonce),
        *map(quantity, fees),
        *call,
        _access_list(tx.access_list),
        *_additions(tx, kind),
    )


def _additions(tx: Transaction, kind: int) -> Iterable[str]:
    """What EIP-4844 and EIP-7702 put between access list and signature."""
    if kind == BLOB:
        hashes = _required(tx.blob_versioned_hashes, "blobVersionedHashes")
        return quantity(tx.max_fee_per_blob_gas), words(hashes)
    if kind == SET_CODE:
        granted = _required(tx.authorization_list, "authorizationList")
        return (sequence(map(_authorization, granted)),)
    return ()


def _authorization(granted: Authorization) -> str:
    return sequence(
        (
            quantity(granted.chain_id),
            address(granted.address),
            quantity(granted.nonce),
            quantity(_parity(granted)),
            quantity(granted.r),
            quantity(granted.s),
        )
    )


def _access_list(accesses: list[Access] | None) -> str:
    return sequence(
        sequence((address(access.address), words(access.storage_keys)))
        for access in _required(accesses, "accessList")
    )


def _log(log: Log) -> str:
    return sequence((address(log.address), words(log.topics), data(log.data)))


def _outcome(receipt: Receipt) -> str:
    if receipt.root is not None:
        return fixed(receipt.root, 32)
    if receipt.status not in ("0x0", "0x1"):
        raise ValueError(f"neither a status nor a state root: {receipt.status!r:.80}")
    return quantity(receipt.status)


def _parity(signed: Transaction | Authorization) -> str | None:
    """`yParity`, or `v` from nodes that have only that."""
    return signed.v if signed.y_parity is None else signed.y_parity


def _recipient(to: str | None) -> str:
    return "80" if to is None else address(to)


def _required(value: T | None, name: str) -> T:
    if value is None:
        raise ValueError(f"{name} is missing")
    return value
