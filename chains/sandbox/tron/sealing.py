"""A block as a node sends it, with its true id and root, signed by the witness whose turn it is."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import msgspec

from chains.sandbox.chain import Json
from chains.sandbox.tron.accounts import account, wire, witness
from chains.sandbox.tron.execution import FUNDS, Executed, encode
from chains.sandbox.tron.orders import contract_of, with_id
from chains.tvm.contracts import NAMES, TRANSFER
from chains.tvm.messages import RawHeader
from chains.tvm.proof import encode_header, merkle_root
from watcher.domain.money import Address

VERSION = 32
NO_PARENT = sha256(b"deposit-watcher sandbox").hexdigest()
FOUNDER = sha256(b"deposit-watcher sandbox founder").digest()[:20].hex()


def genesis(seed: str) -> Json:
    """Block 0, which has neither time nor signature; each seed makes another chain.

    It pays an account of that seed, as a true one pays its founders.
    """
    to, owner = account(f"genesis {seed}").address, Address(f"0x{FOUNDER}")
    value = {"amount": FUNDS, "owner_address": wire(owner), "to_address": wire(to)}
    tx = with_id({"raw_data": {"contract": [contract_of(NAMES[TRANSFER], value)]}})
    header = {
        "txTrieRoot": root_of([encode(tx)]),
        "parentHash": NO_PARENT,
        "witness_address": wire(owner),
    }
    block_id, _ = _digest(header)
    return {"blockID": block_id, "block_header": {"raw_data": header}, "transactions": [tx]}


def seal(parent: Json, milliseconds: int, turn: int, executed: Sequence[Executed]) -> Json:
    """The block on top of `parent`, by the witness of that turn."""
    maker = witness(turn)
    header = {
        "number": parent["block_header"]["raw_data"].get("number", 0) + 1,
        "txTrieRoot": root_of([each.encoded for each in executed]),
        "witness_address": wire(maker.address),
        "parentHash": parent["blockID"],
        "version": VERSION,
        "timestamp": milliseconds,
    }
    block_id, digest = _digest(header)
    signed = {"raw_data": header, "witness_signature": maker.sign(digest)}
    block: Json = {"blockID": block_id, "block_header": signed}
    if executed:
        block["transactions"] = [each.fields for each in executed]
    return block


def infos_of(block: Json, executed: Sequence[Executed]) -> list[Json]:
    """What the transactions of a block did, each with the block that it stands in."""
    header = block["block_header"]["raw_data"]
    place = {"blockNumber": header["number"], "blockTimeStamp": header["timestamp"]}
    return [{**each.info, **place} for each in executed]


def root_of(transactions: Sequence[bytes]) -> str:
    """The txTrieRoot over whole transactions."""
    return merkle_root([sha256(each).digest() for each in transactions]).hex()


def _digest(header: Json) -> tuple[str, bytes]:
    """The block's id, and the hash that is signed."""
    digest = sha256(encode_header(msgspec.convert(header, RawHeader))).digest()
    return f"{header.get('number', 0):016x}{digest[8:].hex()}", digest
