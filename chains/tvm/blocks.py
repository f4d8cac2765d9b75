"""From a node's two answers to a proven block with its transfers.

Runs in a worker process: pure, quick to import, and everything that goes in or out can be pickled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from chains.base import INTERNAL, ChainDataError, NetworkSpec, Refusal
from chains.tvm.address import PREFIX, raw, text
from chains.tvm.messages import CallValue, Internal, Log
from chains.tvm.proof import Done, prove
from watcher.domain.blocks import Block, Hash, Transfer
from watcher.domain.money import Address, Asset, Method, Network

TRANSFER = bytes.fromhex("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")
"""keccak("Transfer(address,address,uint256)")"""
NOT_LISTED = "asset is not listed"
ITSELF = "pays itself"
"""Why a transfer from an address to itself is none: it changes no balance."""
OTHER_EVENTS = {
    bytes.fromhex("8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925"): (
        "Approval, which moves nothing"
    ),
}
MOVING = {word.encode().hex() for word in ("call", "create", "suicide")}
"""Notes of internal calls, in hex, that move money and that every node keeps which keeps any.

Others freeze, vote or delegate; a node keeps those only with `vm.saveFeaturedInternalTx`.
"""
UNNUMBERED = "-"
"""In a position: one of those others."""
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
    explained: Hash | None = None
    """A transaction in which nothing is passed over without a word."""


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


def listing_of(spec: NetworkSpec, assets: Sequence[Asset]) -> Listing:
    """What to look for: a contract of digits only is the id of a TRC-10 token."""
    tokens = [(asset.contract, asset.method) for asset in assets if asset.contract is not None]
    native = spec.assets[0].method
    return Listing(
        spec.name,
        native if any(asset.method == native for asset in assets) else None,
        {raw(contract): method for contract, method in tokens if not contract.isdigit()},
        {contract: method for contract, method in tokens if contract.isdigit()},
    )


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
    explained = done.tx_id == listing.explained
    yield from _ordered(done, listing, explained)
    for position, call in _numbered(done.info.internal_transactions):
        for value in call.call_value_info:
            yield from _called(done, position, call, value, listing, explained)
    for index, log in enumerate(done.info.log):
        reason = _ignored(log, listing)
        if reason is None:
            yield _token_transfer(done, f"log/{index}", log, listing)
        elif explained:
            yield Refusal(Hash(done.tx_id), f"log/{index}", reason, _shown(log.address))


def _ordered(done: Done, listing: Listing, explained: bool) -> Iterator[Transfer | Refusal]:
    """What the transaction itself moves: TRX at `value`, TRC-10 at `value/<id>`."""
    order, tx_hash = done.order, Hash(done.tx_id)
    token = Address(order.token)
    moved = (
        ("value", None, listing.native, order.amount),
        (f"value/{token}", token, listing.coins.get(token), order.token_amount),
    )
    for position, contract, method, units in moved[: 2 if order.token_amount > 0 else 1]:
        reason = _unpaid(method, units)
        if reason is not None and not explained:
            continue
        if reason is None and not done.succeeded:
            reason = "failed transaction"
        if reason is None and order.sender == order.to is not None:
            reason = ITSELF
        to = None if order.to is None else text(order.to)
        if method is None or reason is not None:
            yield Refusal(tx_hash, position, reason or NOT_LISTED, contract, to, max(0, units))
        elif to is None:
            yield Refusal(tx_hash, position, "receiver is no address", contract, to, units)
        else:
            sender = None if order.sender is None else text(order.sender)
            yield Transfer(tx_hash, position, method, sender, to, units)


def _numbered(calls: Iterable[Internal]) -> Iterator[tuple[str, Internal]]:
    """Each call with its position: numbered without those that only some nodes keep."""
    numbers = count()
    for call in calls:
        yield f"{INTERNAL}{next(numbers) if call.note in MOVING else UNNUMBERED}", call


def _called(
    done: Done, position: str, call: Internal, value: CallValue, listing: Listing, explained: bool
) -> Iterator[Transfer | Refusal]:
    """What a call from a contract moved; TRC-10 at `internal/<i>/<id>`, as TRX may go with it."""
    tx_hash, method, contract = Hash(done.tx_id), listing.native, None
    if value.token_id:
        method, contract = listing.coins.get(value.token_id), Address(value.token_id)
        position = f"{position}/{contract}"
    reason = _unpaid(method, value.call_value)
    if reason is not None and not explained:
        return
    if reason is None:
        reason = _unmoved(done, call)
    if method is None or reason is not None:
        to = _shown(call.transfer_to_address)
        yield Refusal(
            tx_hash, position, reason or NOT_LISTED, contract, to, max(0, value.call_value)
        )
    else:
        sender, to = text(_account(call.caller_address)), text(_account(call.transfer_to_address))
        yield Transfer(tx_hash, position, method, sender, to, value.call_value)


def _unpaid(method: Method | None, units: int) -> str | None:
    """Why a move is nobody's payment, whatever came of it; None: it is to be judged."""
    if units <= 0:
        return "amount is zero"
    return NOT_LISTED if method is None else None


def _unmoved(done: Done, call: Internal) -> str | None:
    """Why a call moved nothing; None: it did."""
    if not done.succeeded:
        return "failed transaction"
    if call.rejected:
        return "rejected call"
    if call.note not in MOVING:
        return "not a call that pays"
    return ITSELF if call.caller_address == call.transfer_to_address else None


def _ignored(log: Log, listing: Listing) -> str | None:
    """Why a log is nobody's payment, without a look at what it says; None: it is to be judged."""
    if _contract(log.address) not in listing.contracts:
        return NOT_LISTED
    if not log.topics:
        return "no event"
    topic = bytes.fromhex(log.topics[0])
    return None if topic == TRANSFER else OTHER_EVENTS.get(topic, "another event than a transfer")


def _token_transfer(done: Done, position: str, log: Log, listing: Listing) -> Transfer | Refusal:
    """What a Transfer log of a listed contract says. What the call returned says nothing."""
    tx_hash, method = Hash(done.tx_id), listing.contracts[_contract(log.address)]
    topics, amount = [bytes.fromhex(topic) for topic in log.topics], bytes.fromhex(log.data)
    flaw = _flaw(topics, amount)
    # Code that runs out of time fails, but keeps its logs (chains.md 4.4).
    reason = flaw if done.succeeded else "failed transaction"
    if flaw is not None:
        return Refusal(tx_hash, position, reason or flaw, _shown(log.address))
    sender, to = (text(topic[12:]) for topic in topics[1:])
    units = int.from_bytes(amount, "big")
    if reason is not None:
        return Refusal(tx_hash, position, reason, _shown(log.address), to, units)
    return Transfer(tx_hash, position, method, sender, to, units)


def _flaw(topics: list[bytes], amount: bytes) -> str | None:
    """Why a log with the topic of Transfer is none of the common shape."""
    if len(topics) != 3:
        return f"{len(topics)} topics instead of 3"
    if len(amount) != 32:
        return "amount is not 32 bytes"
    if any(len(topic) != 32 or topic[:12] not in ABOVE for topic in topics[1:]):
        return "a topic is no address"
    if not any(amount):
        return "amount is zero"
    return ITSELF if topics[1][12:] == topics[2][12:] else None


def _contract(address: str) -> bytes:
    """The 20 bytes of a contract in a log, which some gateways give with Tron's prefix."""
    content = bytes.fromhex(address)
    return content[1:] if len(content) == 21 else content


def _shown(address: str) -> Address | None:
    """An address of a log or call as people write it; None where what stands there is none."""
    content = _contract(address)
    return text(content) if len(content) == 20 else None


def _account(address: str) -> bytes:
    """The 20 bytes of an address with its prefix; raises ValueError where it is none."""
    content = bytes.fromhex(address)
    if len(content) != 21 or content[:1] != PREFIX:
        raise ValueError(f"no address: {address}")
    return content[1:]
