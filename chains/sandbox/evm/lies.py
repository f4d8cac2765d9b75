"""Answers that differ from what the block's hash commits to, each as plausible as it can be."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from chains.sandbox.chain import Json
from chains.sandbox.control import Lie

Receipts = list[Any]
"""Objects, unless somebody puts a null among them."""


def told(lie: Lie | None, block: Json, receipts: list[Json]) -> tuple[Json, Receipts]:
    """What a node with that lie says instead of the truth, which stays as it is."""
    if lie is None or not receipts:
        return block, receipts
    block, receipts = deepcopy(block), deepcopy(receipts)
    _LIES[lie](block, receipts)
    return block, receipts


def _no_transfers(block: Json, receipts: Receipts) -> None:
    block["transactions"].clear()
    receipts.clear()


def _one_transfer_more(block: Json, receipts: Receipts) -> None:
    index, logs = hex(len(receipts)), sum(len(receipt["logs"]) for receipt in receipts)
    tx, receipt = deepcopy(block["transactions"][-1]), deepcopy(receipts[-1])
    tx["transactionIndex"] = receipt["transactionIndex"] = index
    for at, log in enumerate(receipt["logs"], logs):
        log |= {"transactionIndex": index, "logIndex": hex(at)}
    block["transactions"].append(tx)
    receipts.append(receipt)


def _other_amount(block: Json, receipts: Receipts) -> None:
    """Twice a transaction's value and twice what its first log says."""
    tx, logs = block["transactions"][-1], receipts[-1]["logs"]
    tx["value"] = hex(2 * int(tx["value"], 16))
    if logs and len(logs[0]["data"]) >= 66:
        amount, rest = logs[0]["data"][2:66], logs[0]["data"][66:]
        logs[0]["data"] = f"0x{2 * int(amount, 16):064x}{rest}"


def _null_entry(block: Json, receipts: Receipts) -> None:
    receipts[-1] = None


def _half_a_block(block: Json, receipts: Receipts) -> None:
    del block["transactions"][-1], receipts[-1]


_LIES: dict[Lie, Callable[[Json, Receipts], None]] = {
    "no transfers": _no_transfers,
    "one transfer more": _one_transfer_more,
    "other amount": _other_amount,
    "null entry": _null_entry,
    "half a block": _half_a_block,
}
