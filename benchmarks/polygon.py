"""How much proving a full block of Polygon costs beyond what nobody can save.

    python -m benchmarks.polygon [--realdata DIR]

The block holds 560 transactions: those of recorded block 38,102,393 with their receipts, over and
over, each with a nonce of its own, and sealed anew. Columns and method are those of
`benchmarks.proof`; the ratio is at most 3.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.proof import MOST_TIMES, measure
from chains.evm.blocks import Listing
from chains.evm.encoding import encode_receipt, encode_transaction, transaction_type
from chains.evm.header import encode_header
from chains.evm.messages import Block, Receipt, Transaction
from chains.evm.rlp import hashed
from chains.evm.trie import list_root
from chains.polygon import POLYGON, RULES
from watcher.domain.money import Method

RECORDED = 38_102_393
TRANSACTIONS = 560
LISTING = Listing(
    POLYGON.name,
    Method("polygon:pol"),
    {asset.contract: asset.method for asset in POLYGON.assets if asset.contract is not None},
    RULES,
)

Json = Any  # what a node sends


def main() -> int:
    """Print one line; 1 where the bound is broken."""
    beside = Path(__file__).parent.parent.parent / "shared" / "realdata"
    parser = argparse.ArgumentParser()
    parser.add_argument("--realdata", type=Path, default=os.environ.get("REALDATA", beside))
    folder = Path(parser.parse_args().realdata) / "polygon"
    block, receipts = (
        json.loads((folder / f"polygon-{RECORDED}.{part}.json").read_text())
        for part in ("block", "receipts")
    )
    print("txs  logs   bytes  decode  keccak    ours  ratio")
    line, ratio = measure(*full_block(block, receipts), LISTING)
    print(line)
    print(f"ratio {ratio:.2f}, at most {MOST_TIMES:g}")
    return 0 if ratio <= MOST_TIMES else 1


def full_block(block: Json, receipts: list[Json]) -> tuple[bytes, bytes]:
    """A sealed block of as many transactions, as a node sends it."""
    pairs = list(islice(cycle(zip(block["transactions"], receipts, strict=True)), TRANSACTIONS))
    sent = [{**tx, "nonce": hex(index)} for index, (tx, _) in enumerate(pairs)]
    transactions = [msgspec.convert(tx, Transaction) for tx in sent]
    encoded = [encode_transaction(tx) for tx in transactions]
    outcomes = [msgspec.convert(receipt, Receipt) for _, receipt in pairs]
    kinds = map(transaction_type, transactions)
    sealed = {
        **block,
        "transactions": [
            {**tx, "hash": f"0x{hashed(content)}"}
            for tx, content in zip(sent, encoded, strict=True)
        ],
        "transactionsRoot": f"0x{list_root(encoded)}",
        "receiptsRoot": f"0x{list_root(list(map(encode_receipt, outcomes, kinds)))}",
    }
    sealed["hash"] = f"0x{hashed(encode_header(msgspec.convert(sealed, Block)))}"
    placed = place(sealed, [receipt for _, receipt in pairs])
    return json.dumps(sealed).encode(), json.dumps(placed).encode()


def place(block: Json, receipts: list[Json]) -> list[Json]:
    """The receipts, saying that they stand in this block."""
    placed, logs = [], 0
    for index, (tx, receipt) in enumerate(zip(block["transactions"], receipts, strict=True)):
        where = {
            "blockHash": block["hash"],
            "transactionHash": tx["hash"],
            "transactionIndex": hex(index),
        }
        own = [
            {**log, **where, "logIndex": hex(number)}
            for number, log in enumerate(receipt["logs"], logs)
        ]
        logs += len(own)
        placed.append({**receipt, **where, "logs": own})
    return placed


if __name__ == "__main__":
    sys.exit(main())
