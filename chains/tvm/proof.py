"""Proves the two answers about a block against the block's own id, as far as Tron allows.

The id is the hash of the header, which commits to every transaction, its signatures and its
`contractRet`. The infos (results of code, logs, internal calls) are under no hash: here they are
only held against the transactions; before anything in them is believed, a second endpoint must
repeat it (`client.corroborate`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from coincurve import PublicKey

from chains.base import ChainDataError, ChainUnavailable
from chains.tvm.address import PREFIX, raw_of_key
from chains.tvm.contracts import Order, order_of
from chains.tvm.messages import (
    Block,
    Head,
    Info,
    RawHeader,
    Transaction,
    decode_block,
    decode_infos,
)
from chains.tvm.protobuf import content, integer, message

SUCCESS, FAILED, DEFAULT = "SUCCESS", "FAILED", "DEFAULT"
RESULTS = (
    DEFAULT,
    SUCCESS,
    "REVERT",
    "BAD_JUMP_DESTINATION",
    "OUT_OF_MEMORY",
    "PRECOMPILED_CONTRACT",
    "STACK_TOO_SMALL",
    "STACK_TOO_LARGE",
    "ILLEGAL_OPERATION",
    "STACK_OVERFLOW",
    "OUT_OF_ENERGY",
    "OUT_OF_TIME",
    "JVM_STACK_OVER_FLOW",
    "UNKNOWN",
    "TRANSFER_FAILED",
    "INVALID_CODE",
)
"""By number: Transaction.Result.contractResult in java-tron's Tron.proto."""
CODES = ("SUCESS", "FAILED")
LAST_MILLISECOND = 253_402_300_799_999  # of the year 9999: later ones have no date
NO_ROOT = bytes(32)
"""txTrieRoot of a block without transactions."""


@dataclass(frozen=True, slots=True)
class Done:
    """One transaction of a proven block: what it ordered, and what came of it."""

    tx_id: str
    order: Order
    succeeded: bool
    info: Info


@dataclass(frozen=True, slots=True)
class Proven:
    """A block that is what its id says."""

    head: Head
    done: Sequence[Done]
    signer: bytes | None
    """Who signed the header, when not its witness itself: 20 bytes. None: the witness."""


def prove(block_json: bytes, infos_json: bytes) -> Proven:
    """Prove a block by the answers to `getblockbynum` and `gettransactioninfobyblocknum`.

    A genesis block has neither signature nor infos: nothing in it was paid.

    Raises:
        ChainUnavailable: there are no infos yet for a block that has transactions.
        ChainDataError: the answers contradict themselves or the block's id; names the block.
    """
    block = decode_block(block_json)
    number = block.block_header.raw_data.number
    try:
        signer = prove_head(block)
        _prove_root(block)
        if number == 0:
            return Proven(block, (), None)
        return Proven(block, _match(block, decode_infos(infos_json)), signer)
    except ValueError as error:
        raise ChainDataError(f"block {number}: {error}") from error


def prove_head(head: Head) -> bytes | None:
    """Recompute the id and recover who signed: None, or 20 bytes when not the witness named.

    Raises:
        ValueError: the header does not give the id, has no signature, or a time without a date.
    """
    header = head.block_header.raw_data
    digest = sha256(encode_header(header)).digest()
    if head.block_id != header.number.to_bytes(8, "big").hex() + digest[8:].hex():
        raise ValueError("its header does not give its blockID")
    if header.number == 0:
        return None
    if header.timestamp > LAST_MILLISECOND:
        raise ValueError("its time is beyond all bounds")
    if int(header.parent_hash[:16], 16) != header.number - 1:
        raise ValueError("its parentHash is not that of the block below")
    witness = bytes.fromhex(header.witness_address)
    if len(witness) != 21 or witness[:1] != PREFIX:
        raise ValueError("its witness_address is none")
    signer = _recover(bytes.fromhex(head.block_header.witness_signature), digest)
    return None if signer == witness[1:] else signer


def encode_header(header: RawHeader) -> bytes:
    """The bytes of BlockHeader.raw that are hashed and signed."""
    return b"".join(
        (
            integer(1, header.timestamp),
            content(2, bytes.fromhex(header.tx_trie_root)),
            content(3, bytes.fromhex(header.parent_hash)),
            integer(7, header.number),
            integer(8, header.witness_id),
            content(9, bytes.fromhex(header.witness_address)),
            integer(10, header.version),
            content(11, bytes.fromhex(header.account_state_root)),
        )
    )


def encode_transaction(tx: Transaction, raw: bytes) -> bytes:
    """The bytes of a Transaction that txTrieRoot is taken over."""
    signatures = (message(2, bytes.fromhex(each)) for each in tx.signature)
    results = (_encode_result(each.fee, each.ret, each.contract_ret) for each in tx.ret)
    return b"".join((message(1, raw), *signatures, *results))


@lru_cache(maxsize=64)  # nearly all are alike
def _encode_result(fee: int, code: str, contract_ret: str) -> bytes:
    fields = (integer(1, fee), integer(2, CODES.index(code)), integer(3, _number(contract_ret)))
    return message(5, b"".join(fields))


def _number(contract_ret: str) -> int:
    if contract_ret not in RESULTS:
        raise ValueError(f"unknown result {contract_ret:.40}")
    return RESULTS.index(contract_ret)


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The root over hashes in order; the last of an odd number rises as it is."""
    if not leaves:
        return NO_ROOT
    while len(leaves) > 1:
        pairs = [leaves[at : at + 2] for at in range(0, len(leaves), 2)]
        leaves = [sha256(b"".join(pair)).digest() if len(pair) == 2 else pair[0] for pair in pairs]
    return leaves[0]


def _recover(signature: bytes, digest: bytes) -> bytes:
    if len(signature) != 65:
        raise ValueError("its witness_signature is not 65 bytes")
    recovery = signature[64] - 27 if signature[64] >= 27 else signature[64]
    try:
        key = PublicKey.from_signature_and_message(
            signature[:64] + bytes([recovery]), digest, hasher=None
        )
    except Exception as error:  # coincurve raises bare ones
        raise ValueError("its witness_signature is none") from error
    return raw_of_key(key.format(compressed=False)[1:])


def _prove_root(block: Block) -> None:
    leaves = [sha256(_checked(tx)).digest() for tx in block.transactions]
    root = bytes.fromhex(block.block_header.raw_data.tx_trie_root)
    if merkle_root(leaves) != root:
        raise ValueError("its transactions do not give its txTrieRoot")


def _checked(tx: Transaction) -> bytes:
    raw = bytes.fromhex(tx.raw_data_hex)
    if sha256(raw).hexdigest() != tx.tx_id:
        raise ValueError(f"the raw data of transaction {tx.tx_id} do not give its id")
    return encode_transaction(tx, raw)


def _match(block: Block, infos: Sequence[Info]) -> list[Done]:
    """Each transaction with its info; the two lists are the same, in the same order."""
    header = block.block_header.raw_data
    if block.transactions and not infos:
        raise ChainUnavailable(f"no infos yet of block {header.number}, just given")
    if [info.id for info in infos] != [tx.tx_id for tx in block.transactions]:
        raise ValueError("the infos are not those of its transactions")
    for info in infos:
        if (info.block_number, info.block_time_stamp) != (header.number, header.timestamp):
            raise ValueError(f"the info of {info.id} is of another block")
    return [_done(tx, info) for tx, info in zip(block.transactions, infos, strict=True)]


def _done(tx: Transaction, info: Info) -> Done:
    """What came of a transaction, by its three results, which agree."""
    order = order_of(bytes.fromhex(tx.raw_data_hex))
    if len(tx.ret) != 1:
        raise ValueError(f"transaction {tx.tx_id} has {len(tx.ret)} results")
    result = tx.ret[0].contract_ret
    succeeded = result == SUCCESS
    if (info.result != FAILED) != succeeded:
        raise ValueError(f"transaction {tx.tx_id} is {result}, its info {info.result}")
    if order.runs_code and info.receipt.result != result:
        raise ValueError(f"transaction {tx.tx_id} is {result}, its receipt {info.receipt.result}")
    if not order.runs_code and (info.log or info.internal_transactions):
        raise ValueError(f"transaction {tx.tx_id} runs no code, but has logs or internal calls")
    return Done(tx.tx_id, order, succeeded, info)
