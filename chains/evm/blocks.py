"""From a node's two answers to a proven block with its transfers.

Runs in a worker process: pure, quick to import, and everything that goes in or out can be pickled.
Internal calls that move the native coin are in no receipt and not found here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from chains.evm.encoding import KNOWN_TYPES, transaction_type
from chains.evm.header import header_fields
from chains.evm.messages import Log, Receipt, Transaction
from chains.evm.proof import Proven, prove
from chains.evm.rlp import number
from watcher.domain.blocks import Block, Hash, Transfer
from watcher.domain.money import Address, Method, Network

__all__ = ["Listing", "Reading", "Refusal", "header_fields", "read_block"]

TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
"""keccak("Transfer(address,address,uint256)")"""
SYSTEM_ADDRESS = Address("0xfffffffffffffffffffffffffffffffffffffffe")
"""Logs the native coin's own moves once EIP-7708 is active: never a token."""
GWEI = 10**9

SUCCESS = "0x1"
NO_HIGH_BYTES = "0x" + 24 * "0"  # above an address in a word of 32 bytes


@dataclass(frozen=True, slots=True)
class Listing:
    """What to look for."""

    network: Network
    native: Method
    tokens: Mapping[Address, Method]
    """By contract."""

    def __post_init__(self) -> None:
        for contract in self.tokens:
            if contract != contract.lower():  # would never match, and miss every deposit
                raise ValueError(f"not canonical: {contract}")
            if contract == SYSTEM_ADDRESS:
                raise ValueError(f"reserved, no token: {contract}")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something in a block that looks like a transfer of a listed asset and is no payment."""

    tx_hash: Hash
    position: str
    reason: str


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
    proven = prove(block_json, receipts_json)
    found = list(_find(proven, listing))
    block = Block(
        proven.ref,
        tuple(move for move in found if isinstance(move, Transfer)),
        len(block_json) + len(receipts_json),
    )
    refusals = tuple(claim for claim in found if isinstance(claim, Refusal))
    return Reading(block, refusals, proven.unknown_fields)


def _find(proven: Proven, listing: Listing) -> Iterator[Transfer | Refusal]:
    block = proven.block
    for tx, receipt in zip(block.transactions, proven.receipts, strict=True):
        if tx.to is not None and tx.value != "0x0":
            yield _moved_value(tx, tx.to, receipt, listing.native)
        for index, log in enumerate(receipt.logs):
            if log.topics and log.topics[0] == TRANSFER:
                method = listing.tokens.get(_address(log.address))
                if method is not None:
                    yield _token_transfer(tx, receipt, index, method)
    for index, withdrawal in enumerate(block.withdrawals or ()):
        if gwei := number(withdrawal.amount):
            to, units = _address(withdrawal.address), gwei * GWEI
            yield Transfer(None, f"withdrawal/{index}", listing.native, None, to, units)


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
        return Refusal(_hash(tx.hash), "value", reason)
    units = number(tx.value)
    return Transfer(_hash(tx.hash), "value", native, _address(tx.sender), _address(to), units)


def _token_transfer(
    tx: Transaction, receipt: Receipt, index: int, method: Method
) -> Transfer | Refusal:
    """What a Transfer log of a listed contract says. Before Byzantium a log means success."""
    tx_hash, position, log = _hash(tx.hash), f"log/{index}", receipt.logs[index]
    failed = receipt.root is None and receipt.status != SUCCESS
    reason = "failed transaction" if failed else _flaw(log)
    if reason is not None:
        return Refusal(tx_hash, position, reason)
    sender, to = (Address("0x" + topic[-40:]) for topic in log.topics[1:])
    return Transfer(tx_hash, position, method, sender, to, int(log.data, 16))


def _flaw(log: Log) -> str | None:
    """Why a log with the topic of Transfer is none of the common shape (chains.md 2.8)."""
    if len(log.topics) != 3:
        return f"{len(log.topics)} topics instead of 3"
    if len(log.data) != len(TRANSFER):
        return "amount is not 32 bytes"
    if any(topic[:-40] != NO_HIGH_BYTES for topic in log.topics[1:]):
        return "a topic is no address"
    return "amount is zero" if int(log.data, 16) == 0 else None


def _hash(text: str) -> Hash:
    return Hash(text[2:])


def _address(text: str) -> Address:
    return Address(text.lower())
