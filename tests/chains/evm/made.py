"""Blocks made to order, with every hash and root as it must be."""

from __future__ import annotations

import msgspec
from coincurve import PrivateKey

from chains.evm.address import of_key
from chains.evm.encoding import (
    KNOWN_TYPES,
    encode_receipt,
    encode_transaction,
    encode_unsigned,
    encode_withdrawal,
)
from chains.evm.header import encode_header
from chains.evm.messages import Block, Receipt, Transaction, Withdrawal
from chains.evm.rlp import hashed
from chains.evm.trie import list_root
from tests.chains.evm.recorded import Answers, Json, encoded
from watcher.domain.blocks import Hash

TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
TOKEN, PAYER, SHOP = (f"0x{digit * 40}" for digit in "abc")
KEY = PrivateKey(b"\x07" * 32)
SIGNER = of_key(KEY.public_key.format(compressed=False)[1:])
ZERO_HASH, NO_BLOOM = "0x" + 64 * "0", "0x" + 512 * "0"
NOWHERE = ("", "", "", "")


def make_transaction(**fields: Json) -> Json:
    """A legacy payment of 7 wei from PAYER to SHOP."""
    plain = {"nonce": "0x1", "gas": "0x5208", "gasPrice": "0x1", "value": "0x7", "input": "0x"}
    signed = {"v": "0x1b", "r": "0x1", "s": "0x1", "from": PAYER, "to": SHOP}
    return {**plain, **signed, "type": "0x0", **fields}


def signed(tx: Json) -> Json:
    """The same, truly signed and sent by SIGNER; a legacy one as its `v` says, 0x25 by EIP-155."""
    unsigned = encode_unsigned(msgspec.convert({"hash": "", **tx}, Transaction))
    signature = KEY.sign_recoverable(bytes.fromhex(hashed(unsigned)), hasher=None)
    r, s = (hex(int.from_bytes(half, "big")) for half in (signature[:32], signature[32:64]))
    v = hex(int(tx["v"], 16) + signature[64]) if tx["type"] == "0x0" else hex(signature[64])
    return {**tx, "from": SIGNER, "v": v, "r": r, "s": s}


def make_log(amount: int = 5, **fields: Json) -> Json:
    """A Transfer of TOKEN from PAYER to SHOP."""
    topics = [TRANSFER, word(int(PAYER, 16)), word(int(SHOP, 16))]
    return {"address": TOKEN, "topics": topics, "data": word(amount), "removed": False, **fields}


def make_receipt(*logs: Json, **fields: Json) -> Json:
    """A success, with a bloom that nobody computed."""
    outcome = {"status": "0x1", "cumulativeGasUsed": "0x5208", "logsBloom": NO_BLOOM}
    return {**outcome, "logs": list(logs), **fields}


def make_answers(
    *pairs: tuple[Json, Json], withdrawals: list[Json] | None = None, **header: Json
) -> Answers:
    """The block of these transactions and receipts, sealed, as a node sends it.

    A transaction of an unknown type must bring its hash; a block with one has some root.
    """
    transactions = [{"hash": "", **tx} for tx, _ in pairs]
    receipts = [receipt for _, receipt in pairs]
    kinds = [int(tx["type"], 16) for tx in transactions]
    block = {**_plain_header(), "transactions": transactions, **header}
    if all(kind in KNOWN_TYPES for kind in kinds):
        block["transactionsRoot"] = "0x" + list_root([_encode(tx) for tx in transactions])
    for tx, kind in zip(transactions, kinds, strict=True):
        tx["hash"] = "0x" + hashed(_encode(tx)) if kind in KNOWN_TYPES else tx["hash"]
    unplaced = [msgspec.convert(_placed(receipt, NOWHERE), Receipt) for receipt in receipts]
    block["receiptsRoot"] = "0x" + list_root(list(map(encode_receipt, unplaced, kinds)))
    if withdrawals is not None:
        paid = [encode_withdrawal(msgspec.convert(each, Withdrawal)) for each in withdrawals]
        block |= {"withdrawals": withdrawals, "withdrawalsRoot": "0x" + list_root(paid)}
    block["hash"] = "0x" + hashed(encode_header(msgspec.convert({**block, "hash": ""}, Block)))
    return encoded(block, _all_placed(block, receipts))


def hash_of(tx: Json) -> Hash:
    """The hash of a transaction of a known type."""
    return Hash(hashed(_encode(tx)))


def word(value: int) -> str:
    """A number as 32 bytes."""
    return f"0x{value:064x}"


def _encode(tx: Json) -> bytes:
    return encode_transaction(msgspec.convert({"hash": "", **tx}, Transaction))


def _plain_header() -> Json:
    roots = ("sha3Uncles", "stateRoot", "transactionsRoot")
    hashes = dict.fromkeys(("parentHash", *roots, "mixHash"), ZERO_HASH)
    numbers = dict.fromkeys(("difficulty", "gasLimit", "gasUsed", "timestamp"), "0x0")
    nonce = "0x" + 16 * "0"
    rest = {"miner": PAYER, "logsBloom": NO_BLOOM, "number": "0x64", "nonce": nonce}
    return {**hashes, **numbers, **rest, "extraData": "0x"}


def _all_placed(block: Json, receipts: list[Json]) -> list[Json]:
    placed = []
    count = 0
    for index, (tx, receipt) in enumerate(zip(block["transactions"], receipts, strict=True)):
        place = (block["hash"], block["number"], tx["hash"], hex(index))
        placed.append(_placed(receipt, place, count))
        count += len(receipt["logs"])
    return placed


def _placed(receipt: Json, place: tuple[str, str, str, str], first: int = 0) -> Json:
    names = ("blockHash", "blockNumber", "transactionHash", "transactionIndex")
    where = dict(zip(names, place, strict=True))
    logs = [
        {**log, **where, "logIndex": hex(index)} for index, log in enumerate(receipt["logs"], first)
    ]
    return {**receipt, **where, "logs": logs}
