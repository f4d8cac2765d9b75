"""From a node's two answers to a proven block with its transfers.

Runs in a worker process: pure, quick to import, and everything that goes in or out can be pickled.
Which route tells of the native coin is the block's own matter: one only, so that nothing counts
twice. On Polygon it is the chain's log; from Amsterdam on it is the log of EIP-7708; before, it is
the transactions' values, and for what contracts send the traces, which prove nothing: `traces`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat

from chains.base import ChainDataError, Refusal
from chains.evm.encoding import KNOWN_TYPES, transaction_type
from chains.evm.header import header_fields
from chains.evm.logs import (
    ITSELF,
    LOG_TRANSFER,
    SUCCESS,
    TRANSFER,
    canonical,
    coin_transfer,
    ignored,
    refusal,
    require_move_logged,
    require_value_logged,
    token_transfer,
    tx_hash,
)
from chains.evm.messages import Header, Receipt, Transaction
from chains.evm.proof import Proven, prove
from chains.evm.rlp import number
from chains.evm.rules import ETHEREUM_RULES, SYSTEM_ADDRESS, EvmRules
from chains.evm.signature import require_signed
from chains.evm.traces import Traces, internal_moves
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
    explained: str | None = None
    """Hash, as nodes spell it, of a transaction in which nothing is passed over without a word."""

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


def read_block(
    block_json: bytes, receipts_json: bytes, listing: Listing, traces: Traces | None = None
) -> Reading:
    """Prove a block and find every transfer of the listed assets.

    Args:
        block_json: the result of `eth_getBlockByNumber(n, true)`.
        receipts_json: the result of `eth_getBlockReceipts(hash)`.
        traces: what contracts sent; None: nobody tells, or the block's logs do.

    Transfers stand in the order of transactions, each one's value before its logs and what its
    calls sent, withdrawals last. The sender of a native transfer is what the node says, and shown;
    where it would take a payment away, as one to itself, its signature must say the same.

    Raises:
        ChainDataError: the answers contradict themselves or the block's hash; names the block.
    """
    proven = prove(block_json, receipts_json, state_sync=listing.rules.state_sync)
    try:
        _check_values(proven, listing.rules)
        found = [*_find(proven, listing, traces), *_unproven(proven, listing)]
    except ValueError as error:
        raise ChainDataError(f"block {proven.ref.number}: {error}") from error
    block = Block(
        proven.ref,
        tuple(move for move in found if isinstance(move, Transfer)),
        len(block_json) + len(receipts_json) + (len(traces.content) if traces else 0),
    )
    refusals = tuple(claim for claim in found if isinstance(claim, Refusal))
    return Reading(block, refusals, proven.unknown_fields)


def by_moves(header: Header, rules: EvmRules) -> bool:
    """Whether the block logs every move of the coin: by its fork, never by seeing such a log."""
    return rules.logs_moves and header.block_access_list_hash is not None


def _check_values(proven: Proven, rules: EvmRules) -> None:
    """Raise ValueError where a transaction's value is in no log of its own, and should be."""
    moves = by_moves(proven.block, rules)
    if rules.native_log is None and not moves:
        return
    for tx, receipt in zip(proven.block.transactions, proven.receipts, strict=True):
        if moves:
            require_move_logged(tx, receipt, SYSTEM_ADDRESS)
        elif rules.native_log is not None:
            require_value_logged(tx, receipt, rules.native_log)


def _find(proven: Proven, listing: Listing, traces: Traces | None) -> Iterator[Transfer | Refusal]:
    block, native = proven.block, listing.native
    moves = by_moves(block, listing.rules)
    by_logs = moves or listing.rules.native_log is not None
    tokens = {**listing.tokens, SYSTEM_ADDRESS: native} if moves else listing.tokens
    inner: Iterable[Sequence[Transfer | Refusal]] = repeat((), len(block.transactions))
    if traces is not None and not by_logs:
        inner = internal_moves(proven, traces, native, listing.explained)
    for tx, receipt, calls in zip(block.transactions, proven.receipts, inner, strict=True):
        explained = tx.hash == listing.explained
        reason = _no_value(tx, by_logs)
        if reason is None:
            yield _moved_value(tx, receipt, native)
        elif explained:
            yield Refusal(tx_hash(tx.hash), "value", reason)
        yield from _in_logs(tx, receipt, listing, tokens, explained)
        yield from calls
    for index, withdrawal in enumerate(block.withdrawals or ()):
        if gwei := number(withdrawal.amount):
            to, units = canonical(withdrawal.address), gwei * GWEI
            yield Transfer(None, f"withdrawal/{index}", native, None, to, units)


def _in_logs(
    tx: Transaction,
    receipt: Receipt,
    listing: Listing,
    tokens: Mapping[Address, Method],
    explained: bool,
) -> Iterator[Transfer | Refusal]:
    coin = listing.rules.native_log
    for index, log in enumerate(receipt.logs):
        reason = ignored(receipt, index, tokens, coin)
        if reason is not None:
            if explained:
                yield refusal(tx.hash, index, log, reason)
        elif coin is not None and log.topics[0] == LOG_TRANSFER:
            yield coin_transfer(tx, receipt, index, coin, listing.native)
        else:
            yield token_transfer(tx, receipt, index, tokens[canonical(log.address)])


def _unproven(proven: Proven, listing: Listing) -> Iterator[Refusal]:
    """What a receipt claims that is under no root; its logs were not even checked for form."""
    receipt, contracts = proven.made_up, {*listing.tokens, listing.rules.native_log}
    if receipt is None:
        return
    hash, reason = tx_hash(receipt.transaction_hash), "state-sync receipt under no root"
    explained = receipt.transaction_hash == listing.explained
    if explained:
        yield Refusal(hash, "value", reason)
    for index, log in enumerate(receipt.logs):
        claims = log.topics[:1] in ([TRANSFER], [LOG_TRANSFER])
        if explained or (claims and canonical(log.address) in contracts):
            yield Refusal(hash, f"log/{index}", reason, canonical(log.address))


def _no_value(tx: Transaction, by_logs: bool) -> str | None:
    """Why the value of a transaction is nobody's payment, whatever came of it; None: judge it."""
    if by_logs:
        return "the coin's moves are logs here"
    if tx.to is None:
        return "creates a contract"
    return "amount is zero" if tx.value == "0x0" else None


def _moved_value(tx: Transaction, receipt: Receipt, native: Method) -> Transfer | Refusal:
    """What a transaction itself moves."""
    hash = tx_hash(tx.hash)
    if transaction_type(tx) not in KNOWN_TYPES:  # then its hash does not vouch for its fields
        return Refusal(hash, "value", "unknown transaction type")
    assert tx.to is not None  # by `_no_value`
    to, units = canonical(tx.to), number(tx.value)
    if receipt.root is not None:
        return Refusal(hash, "value", "status unknown", None, to, units)
    if receipt.status != SUCCESS:
        return Refusal(hash, "value", "failed transaction", None, to, units)
    sender = canonical(tx.sender)
    if sender == to:  # a bare word may not take a deposit away
        require_signed(tx)
        return Refusal(hash, "value", ITSELF, None, to, units)
    return Transfer(hash, "value", native, sender, to, units)
