"""Proof that a node's block and receipts are what the block's hash commits to.

Nothing that a node says is believed before it hashes to a root in the header, and the header to the
block's hash. Under no root, and only checked for their form or their agreement with the block: a
transaction's sender, which would cost as much as all the rest to recover from its signature and is
only shown (`blocks` asks the signature where it would decide); and where a receipt or log says that
it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

from chains.base import ChainDataError
from chains.evm.bridge import STATE_SYNC, take_off_made_up
from chains.evm.encoding import (
    KNOWN_TYPES,
    encode_receipt,
    encode_transaction,
    encode_withdrawal,
    transaction_type,
)
from chains.evm.header import make_ref, unproven_fields
from chains.evm.messages import (
    Block,
    Placed,
    Receipt,
    Transaction,
    decode_block,
    decode_receipts,
)
from chains.evm.rlp import address, content, fixed, hashed, number
from chains.evm.trie import list_root
from watcher.domain.blocks import BlockRef


@dataclass(frozen=True, slots=True)
class Proven:
    """A block and its receipts after their proof."""

    ref: BlockRef
    block: Block
    receipts: Sequence[Receipt]
    unknown_fields: tuple[str, ...]
    """What kept hash or transactionsRoot from being recomputed; () when nothing did.

    Names of header fields, and `transaction type 0x…`.
    """
    made_up: Receipt | None = None
    """A state-sync receipt under no root, which was taken off `receipts`."""


def prove(block_json: bytes, receipts_json: bytes, *, state_sync: bool = False) -> Proven:
    """Decode and prove a block; raises ChainDataError naming it and what contradicts.

    A header with fields that we do not know is not refused when its hash does not come out, nor is
    a block with a transaction of an unknown type, for which the transactionsRoot cannot be
    recomputed: a fork may have brought them. They are in `unknown_fields`, and until another
    endpoint agrees on `header_fields` this is no proof. The rest holds all the same: the
    receiptsRoot, and each known transaction's hash.

    With `state_sync` (`rules.EvmRules`) the last transaction may be of type 0x7f. What nodes send
    of it does not give its hash, so that in such a block nothing proves which transactions are
    listed, nor the hash of that one; but each receipt, and with it all money, is proven as ever.
    """
    block, receipts = decode_block(block_json), decode_receipts(receipts_json)
    try:
        unproven = unproven_fields(block, block_json)
        ref = make_ref(block)
        made_up = take_off_made_up(block, receipts) if state_sync else None
        new_types = _prove_transactions(block, state_sync)
        _check_places(block, receipts)
        _prove_receipts(block, receipts)
        _prove_withdrawals(block)
    except ValueError as error:
        raise ChainDataError(f"block {_height(block)}: {error}") from error
    return Proven(ref, block, receipts, (*unproven, *new_types), made_up)


def _prove_transactions(block: Block, state_sync: bool) -> tuple[str, ...]:
    """Recompute hashes and root; return what kept the root from it, where that needs a second."""
    encoded = _each("transaction", _encode_checked, block.transactions)
    kinds = [transaction_type(tx) for tx in block.transactions]
    unknown = set(kinds).difference(KNOWN_TYPES)
    if not unknown:
        _require_root(encoded, block.transactions_root, "transactionsRoot")
        return ()
    if len({tx.hash for tx in block.transactions}) < len(kinds):
        raise ValueError("a transaction stands there twice")  # two deposits would be taken for one
    if state_sync and STATE_SYNC in unknown:
        if STATE_SYNC in kinds[:-1]:
            raise ValueError("a state-sync transaction that is not the last")
        unknown.remove(STATE_SYNC)
    return tuple(f"transaction type {kind:#x}" for kind in sorted(unknown))


def _encode_checked(tx: Transaction) -> bytes:
    """The bytes of `tx`, which give its hash; only that where its type is unknown."""
    content(address(tx.sender))  # refuses wrong digits
    if transaction_type(tx) not in KNOWN_TYPES:
        return content(fixed(tx.hash, 32))
    encoded = encode_transaction(tx)
    if f"0x{hashed(encoded)}" != tx.hash:
        raise ValueError("its fields do not give its hash")
    return encoded


def _check_places(block: Block, receipts: Sequence[Receipt]) -> None:
    """Each receipt belongs to its transaction, each log to its receipt, in the block's order."""
    if len(receipts) != len(block.transactions):
        raise ValueError(f"{len(receipts)} receipts for {len(block.transactions)} transactions")
    newest = -1
    for index, (tx, receipt) in enumerate(zip(block.transactions, receipts, strict=True)):
        if receipt.preconfirmation or receipt.block_hash is None:
            raise ValueError(f"receipt {index} is a preconfirmation: of no block yet")
        if transaction_type(tx) not in KNOWN_TYPES:
            newest = -1  # not established whether bor counts on, and nothing reads it
        place = hex(index)
        parts: tuple[Placed, ...] = (receipt, *receipt.logs)
        for part in parts:
            if (
                part.block_hash != block.hash
                or part.block_number != block.number
                or part.transaction_hash != tx.hash
                or part.transaction_index != place
            ):
                raise ValueError(f"receipt {index} or a log in it says it stands elsewhere")
        for log in receipt.logs:
            previous, newest = newest, number(log.log_index)
            if log.removed or newest <= previous:
                raise ValueError(f"receipt {index} has a log that is removed or out of order")


def _prove_receipts(block: Block, receipts: Sequence[Receipt]) -> None:
    """Recompute receiptsRoot, and logsBloom from the receipts' blooms.

    A receipt's own bloom is under the root, beside the logs that it sums up: to compute it anew
    would take a third of the whole time and prove nothing more.
    """
    kinds = map(transaction_type, block.transactions)
    encoded = _each("receipt", encode_receipt, receipts, kinds)
    _require_root(encoded, block.receipts_root, "receiptsRoot")
    bloom = reduce(or_, (_bits(receipt.logs_bloom) for receipt in receipts), 0)
    if bloom != _bits(block.logs_bloom):
        raise ValueError("the receipts' blooms do not give logsBloom")


def _bits(bloom: str) -> int:
    return int.from_bytes(bytes.fromhex(bloom[2:]), "big")


def _prove_withdrawals(block: Block) -> None:
    if block.withdrawals_root is None:
        if block.withdrawals:
            raise ValueError("withdrawals without withdrawalsRoot")
        return
    if block.withdrawals is None:
        raise ValueError("withdrawalsRoot without withdrawals")
    encoded = _each("withdrawal", encode_withdrawal, block.withdrawals)
    _require_root(encoded, block.withdrawals_root, "withdrawalsRoot")
    if any(number(withdrawal.amount) >= 2**64 for withdrawal in block.withdrawals):  # EIP-4895
        raise ValueError("a withdrawal of more gwei than 64 bits hold")


def _each(what: str, encode: Callable[..., bytes], *columns: Iterable[object]) -> list[bytes]:
    """Encode all, row by row; a ValueError names the one that failed."""
    encoded: list[bytes] = []
    for row in zip(*columns, strict=True):
        try:
            encoded.append(encode(*row))
        except ValueError as error:
            raise ValueError(f"{what} {len(encoded)}: {error}") from error
    return encoded


def _require_root(encoded: Sequence[bytes], root: str, name: str) -> None:
    if f"0x{list_root(encoded)}" != root:
        raise ValueError(f"{name} does not come out of what was sent")


def _height(block: Block) -> str:
    """The block's number for a message; as sent where it is none."""
    try:
        return str(number(block.number))
    except ValueError:
        return f"{block.number!r:.20}"
