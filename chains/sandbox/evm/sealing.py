"""A block as a node sends it, with every hash, root and bloom as it must be.

All but the stateRoot: no client can check it, so it stands for the chain's history and is no trie.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from chains.evm import rlp
from chains.evm.encoding import encode_receipt
from chains.evm.header import encode_header
from chains.evm.messages import Block, Receipt
from chains.evm.trie import list_root
from chains.sandbox.chain import Json
from chains.sandbox.evm.execution import Executed
from chains.sandbox.evm.flavour import ZERO_HASH, Flavour
from chains.sandbox.evm.machine import Log

GAS_LIMIT = 60_000_000
NO_UNCLES = "0x" + rlp.hashed(rlp.content(rlp.sequence(())))
NO_PARENT: Json = {"hash": ZERO_HASH, "stateRoot": ZERO_HASH, "number": "-0x1"}

PLACE = ("blockHash", "blockNumber", "transactionHash", "transactionIndex")


def seal(
    flavour: Flavour, parent: Json, timestamp: int, executed: Sequence[Executed], words: str
) -> tuple[Json, list[Json]]:
    """The block on top of `parent` and its receipts; `words` go into the header."""
    receipts = _receipts(flavour, executed)
    block = _header(flavour, parent, timestamp, executed, receipts)
    block |= {"extraData": f"0x{words.encode().hex()}", "uncles": []}
    block = flavour.finish_header(block)
    encoded = encode_header(msgspec.convert({**block, "hash": "", "transactions": []}, Block))
    block["hash"] = f"0x{rlp.hashed(encoded)}"
    block["size"] = hex(len(encoded) + sum(len(each.encoded) for each in executed))
    block["transactions"] = [
        {**each.fields, **_place(block, index), "transactionIndex": hex(index)}
        for index, each in enumerate(executed)
    ]
    return block, _placed(block, receipts)


def bloom(logs: Iterable[Log]) -> int:
    """2048 bits, three for each address and topic (Yellow Paper, 4.3.1)."""
    bits = 0
    for log in logs:
        for item in (log.address, *log.topics):
            digits = rlp.hashed(bytes.fromhex(item[2:]))
            for at in (0, 4, 8):
                bits |= 1 << (int(digits[at : at + 4], 16) % 2048)
    return bits


def _header(
    flavour: Flavour,
    parent: Json,
    timestamp: int,
    executed: Sequence[Executed],
    receipts: Sequence[Json],
) -> Json:
    kinds = [int(each.fields["type"], 16) for each in executed]
    unplaced = [
        msgspec.convert(_at(receipt, dict.fromkeys(PLACE, "")), Receipt) for receipt in receipts
    ]
    transactions_root = list_root([each.encoded for each in executed])
    receipts_root = list_root(list(map(encode_receipt, unplaced, kinds)))
    history = f"{parent['stateRoot'][2:]}{transactions_root}{receipts_root}"
    return {
        "number": hex(int(parent["number"], 16) + 1),
        "parentHash": parent["hash"],
        "sha3Uncles": NO_UNCLES,
        "miner": flavour.producer,
        "stateRoot": f"0x{rlp.hashed(rlp.content(history))}",
        "transactionsRoot": f"0x{transactions_root}",
        "receiptsRoot": f"0x{receipts_root}",
        "logsBloom": f"0x{bloom(log for each in executed for log in each.logs):0512x}",
        "difficulty": "0x0",
        "gasLimit": hex(GAS_LIMIT),
        "gasUsed": hex(sum(each.gas_used for each in executed)),
        "timestamp": hex(timestamp),
        "mixHash": ZERO_HASH,
        "nonce": "0x" + 16 * "0",
        "baseFeePerGas": hex(flavour.fees.base),
    }


def _receipts(flavour: Flavour, executed: Sequence[Executed]) -> list[Json]:
    """Receipts that do not know yet where they stand."""
    receipts, gas_used = [], 0
    for each in executed:
        gas_used += each.gas_used
        receipts.append(
            {
                "type": each.fields["type"],
                "from": each.fields["from"],
                "to": each.fields["to"],
                "contractAddress": None,
                "status": hex(each.succeeded),
                "gasUsed": hex(each.gas_used),
                "cumulativeGasUsed": hex(gas_used),
                "effectiveGasPrice": each.fields["gasPrice"],
                "logsBloom": f"0x{bloom(each.logs):0512x}",
                "logs": [
                    {"address": log.address, "topics": list(log.topics), "data": log.data}
                    for log in each.logs
                ],
            }
        )
    return receipts


def _placed(block: Json, receipts: Sequence[Json]) -> list[Json]:
    placed, logs = [], 0
    for index, (tx, receipt) in enumerate(zip(block["transactions"], receipts, strict=True)):
        place = {**_place(block, index), "transactionHash": tx["hash"]}
        placed.append(_at(receipt, place, logs))
        logs += len(receipt["logs"])
    return placed


def _at(receipt: Json, place: Json, first: int = 0) -> Json:
    logs = [
        {**log, **place, "logIndex": hex(index), "removed": False}
        for index, log in enumerate(receipt["logs"], first)
    ]
    return {**receipt, **place, "logs": logs}


def _place(block: Json, index: int) -> Json:
    return {
        "blockHash": block["hash"],
        "blockNumber": block["number"],
        "transactionIndex": hex(index),
    }
