"""From a node's two answers to a proven block with its transfers.

Runs in a worker process: pure, quick to import, and everything that goes in or out can be pickled.
Internal calls that move the native coin are in no receipt and not found here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from chains.base import ChainDataError
from chains.evm.encoding import KNOWN_TYPES, transaction_type
from chains.evm.header import header_fields
from chains.evm.logs import (
    LOG_TRANSFER,
    SUCCESS,
    TRANSFER,
    Refusal,
    canonical,
    coin_transfer,
    refusal,
    require_value_logged,
    token_transfer,
    tx_hash,
)
from chains.evm.messages import Receipt, Transaction
from chains.evm.proof import Proven, prove
from chains.evm.rlp import number
from chains.evm.rules import ETHEREUM_RULES, SYSTEM_ADDRESS, EvmRules
from watcher.domain.blocks import Block, Transfer
from watcher.domain.money import Address, Method, Network

__all__ = ["Listing", "Reading", "Refusal", "header_fields", "read_block"]

GWEI = 10**9


@dataclass(frozen=True, slots=True)
class Listing:
    """What to look for, and by which rules."""

    network: Network
    native: Method
    tokens: Mapping[Address, Method]
    """By contract."""
    rules: EvmRules = ETHEREUM_RULES

    def __post_init__(self) -> None:
        for contract in self.tokens:
            if contract != contract.lower():  # would never match, and miss every deposit
                raise ValueError(f"not canonical: {contract}")
            if contract in (SYSTEM_ADDRESS, self.rules.native_log):
                raise ValueError(f"reserved, no token: {contract}")


@dataclass(frozen=True, slots=True)
class Reading:
    """What one block holds."""

    block: Block
    refusals: tuple[Refusal, ...]
    unknown_fields: tuple[str, ...]
    """What kept the block from being proven in full: see `proof.prove`. () = proven."""


def read_block(block_json: bytes, receipts_json: bytes, listing: Listing) -> Reading:
    """Prove a block and find every transfer of the listed assets.

    Args:
        block_json: the result of `eth_getBlockByNumber(n, true)`.
        receipts_json: the result of `eth_getBlockReceipts(hash)`.

    Transfers stand in the order of transactions, each one's value before its logs, withdrawals
    last. The sender of a native transfer is what the node says: shown, never used.

    Raises:
        ChainDataError: the answers contradict themselves or the block's hash; names the block.
    """
    proven = prove(block_json, receipts_json, state_sync=listing.rules.state_sync)
    if listing.rules.native_log is not None:
        _check_values(proven, listing.rules.native_log)
    found = [*_find(proven, listing), *_unproven(proven, listing)]
    block = Block(
        proven.ref,
        tuple(move for move in found if isinstance(move, Transfer)),
        len(block_json) + len(receipts_json),
    )
    refusals = tuple(claim for claim in found if isinstance(claim, Refusal))
    return Reading(block, refusals, proven.unknown_fields)


def _check_values(proven: Proven, coin: Address) -> None:
    """Raise ChainDataError where a transaction's value is in no log of its own."""
    try:
        for tx, receipt in zip(proven.block.transactions, proven.receipts, strict=True):
            require_value_logged(tx, receipt, coin)
    except ValueError as error:
        raise ChainDataError(f"block {proven.ref.number}: {error}") from error


def _find(proven: Proven, listing: Listing) -> Iterator[Transfer | Refusal]:
    block, by_value = proven.block, listing.rules.native_log is None
    for tx, receipt in zip(block.transactions, proven.receipts, strict=True):
        if by_value and tx.to is not None and tx.value != "0x0":
            yield _moved_value(tx, tx.to, receipt, listing.native)
        yield from _in_logs(tx, receipt, listing)
    for index, withdrawal in enumerate(block.withdrawals or ()):
        if gwei := number(withdrawal.amount):
            to, units = canonical(withdrawal.address), gwei * GWEI
            yield Transfer(None, f"withdrawal/{index}", listing.native, None, to, units)


def _in_logs(tx: Transaction, receipt: Receipt, listing: Listing) -> Iterator[Transfer | Refusal]:
    coin = listing.rules.native_log
    for index, log in enumerate(receipt.logs):
        if not log.topics:
            continue
        if log.topics[0] == TRANSFER:
            method = listing.tokens.get(canonical(log.address))
            if method is not None:
                yield token_transfer(tx, receipt, index, method)
        elif coin is not None and log.topics[0] == LOG_TRANSFER and canonical(log.address) == coin:
            found = coin_transfer(tx, receipt, index, coin, listing.native)
            if found is not None:
                yield found


def _unproven(proven: Proven, listing: Listing) -> Iterator[Refusal]:
    """What a receipt claims that is under no root; its logs were not even checked for form."""
    receipt, contracts = proven.made_up, {*listing.tokens, listing.rules.native_log}
    if receipt is None:
        return
    for index, log in enumerate(receipt.logs):
        if log.topics[:1] in ([TRANSFER], [LOG_TRANSFER]) and canonical(log.address) in contracts:
            yield refusal(receipt.transaction_hash, index, "state-sync receipt under no root")


def _moved_value(tx: Transaction, to: str, receipt: Receipt, native: Method) -> Transfer | Refusal:
    """What a transaction itself moves."""
    reason = None
    if transaction_type(tx) not in KNOWN_TYPES:
        reason = "unknown transaction type"  # its hash does not vouch for its fields
    elif receipt.root is not None:
        reason = "status unknown"
    elif receipt.status != SUCCESS:
        reason = "failed transaction"
    if reason is not None:
        return Refusal(tx_hash(tx.hash), "value", reason)
    units = number(tx.value)
    return Transfer(tx_hash(tx.hash), "value", native, canonical(tx.sender), canonical(to), units)
