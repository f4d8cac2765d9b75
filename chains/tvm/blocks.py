"""From a node's two answers to a proven block with its transfers.

Runs in a worker process: pure, quick to import, and everything that goes in or out can be pickled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from chains.base import ChainDataError
from chains.tvm.address import PREFIX, text
from chains.tvm.messages import CallValue, Internal, Log
from chains.tvm.proof import Done, prove
from watcher.domain.blocks import Block, Hash, Transfer
from watcher.domain.money import Address, Method, Network

TRANSFER = bytes.fromhex("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")
"""keccak("Transfer(address,address,uint256)")"""
MOVING = {word.encode().hex() for word in ("call", "create", "suicide")}
"""Notes of internal calls that move money; others freeze, vote, delegate."""
ABOVE = (bytes(12), bytes(11) + PREFIX)
"""What may stand above an address in a word of 32 bytes: old contracts keep Tron's prefix."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What to look for."""

    network: Network
    native: Method | None
    """None: TRX is not listed."""
    contracts: Mapping[bytes, Method]
    """TRC-20, by the 20 bytes of the contract."""
    coins: Mapping[str, Method]
    """TRC-10, by numeric id: names are anyone's."""


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
    witness: Address | None
    signer: Address | None
    """Who signed for the witness; None: it signed itself, or the block is block 0."""
    has_internal: bool
    """Whether any internal call was told of: not every node keeps them."""


def read_block(block_json: bytes, infos_json: bytes, listing: Listing) -> Reading:
    """Prove a block and find every transfer of the listed assets.

    Args:
        block_json: the answer to `getblockbynum`.
        infos_json: the answer to `gettransactioninfobyblocknum`, for the same number.

    Transfers stand in the order of transactions, each one's own value before its internal calls,
    those before its logs.

    Raises:
        ChainUnavailable: there are no infos yet for a block that has transactions.
        ChainDataError: the answers contradict themselves or the block's id; names the block.
    """
    proven = prove(block_json, infos_json)
    try:
        found = [each for done in proven.done for each in _find(done, listing)]
    except ValueError as error:
        raise ChainDataError(f"block {proven.head.ref.number}: {error}") from error
    places = [(each.tx_hash, each.position) for each in found if isinstance(each, Transfer)]
    if len(set(places)) < len(places):
        raise ChainDataError(f"block {proven.head.ref.number}: one call moves one coin twice")
    block = Block(
        proven.head.ref,
        tuple(each for each in found if isinstance(each, Transfer)),
        len(block_json) + len(infos_json),
    )
    signer = None if proven.signer is None else text(proven.signer)
    witness = proven.head.block_header.raw_data.witness_address
    return Reading(
        block,
        tuple(each for each in found if isinstance(each, Refusal)),
        None if signer is None else text(bytes.fromhex(witness)[1:]),
        signer,
        any(done.info.internal_transactions for done in proven.done),
    )


def _find(done: Done, listing: Listing) -> Iterator[Transfer | Refusal]:
    yield from _ordered(done, listing)
    for index, call in enumerate(done.info.internal_transactions):
        for value in call.call_value_info:
            yield from _called(done, f"internal/{index}", call, value, listing)
    for index, log in enumerate(done.info.log):
        method = listing.contracts.get(_contract(log.address))
        if method is not None and log.topics and bytes.fromhex(log.topics[0]) == TRANSFER:
            yield _token_transfer(done, f"log/{index}", log, method)


def _ordered(done: Done, listing: Listing) -> Iterator[Transfer | Refusal]:
    """What the transaction itself moves: TRX at `value`, TRC-10 at `value/<id>`."""
    order, tx_hash = done.order, Hash(done.tx_id)
    moved = (
        ("value", listing.native, order.amount),
        (f"value/{order.token}", listing.coins.get(order.token), order.token_amount),
    )
    for position, method, units in moved:
        if method is None or units <= 0:
            continue
        if not done.succeeded:
            yield Refusal(tx_hash, position, "failed transaction")
        elif order.to is None:
            yield Refusal(tx_hash, position, "receiver is no address")
        else:
            sender = None if order.sender is None else text(order.sender)
            yield Transfer(tx_hash, position, method, sender, text(order.to), units)


def _called(
    done: Done, position: str, call: Internal, value: CallValue, listing: Listing
) -> Iterator[Transfer | Refusal]:
    """What a call from a contract moved; TRC-10 at `internal/<i>/<id>`, as TRX may go with it."""
    method = listing.native
    if value.token_id:
        method, position = listing.coins.get(value.token_id), f"{position}/{value.token_id}"
    if method is None or value.call_value <= 0:
        return
    tx_hash, reason = Hash(done.tx_id), None
    if not done.succeeded:
        reason = "failed transaction"
    elif call.rejected:
        reason = "rejected call"
    elif call.note not in MOVING:
        reason = "not a call that pays"
    if reason is not None:
        yield Refusal(tx_hash, position, reason)
    else:
        sender, to = text(_account(call.caller_address)), text(_account(call.transfer_to_address))
        yield Transfer(tx_hash, position, method, sender, to, value.call_value)


def _token_transfer(done: Done, position: str, log: Log, method: Method) -> Transfer | Refusal:
    """What a Transfer log of a listed contract says. What the call returned says nothing."""
    tx_hash = Hash(done.tx_id)
    topics, amount = [bytes.fromhex(topic) for topic in log.topics], bytes.fromhex(log.data)
    # Code that runs out of time fails, but keeps its logs (chains.md 4.4).
    reason = _flaw(topics, amount) if done.succeeded else "failed transaction"
    if reason is not None:
        return Refusal(tx_hash, position, reason)
    sender, to = (text(topic[12:]) for topic in topics[1:])
    return Transfer(tx_hash, position, method, sender, to, int.from_bytes(amount, "big"))


def _flaw(topics: list[bytes], amount: bytes) -> str | None:
    """Why a log with the topic of Transfer is none of the common shape."""
    if len(topics) != 3:
        return f"{len(topics)} topics instead of 3"
    if len(amount) != 32:
        return "amount is not 32 bytes"
    if any(len(topic) != 32 or topic[:12] not in ABOVE for topic in topics[1:]):
        return "a topic is no address"
    return None if any(amount) else "amount is zero"


def _contract(address: str) -> bytes:
    """The 20 bytes of a contract in a log, which some gateways give with Tron's prefix."""
    content = bytes.fromhex(address)
    return content[1:] if len(content) == 21 else content


def _account(address: str) -> bytes:
    """The 20 bytes of an address with its prefix; raises ValueError where it is none."""
    content = bytes.fromhex(address)
    if len(content) != 21 or content[:1] != PREFIX:
        raise ValueError(f"no address: {address}")
    return content[1:]
