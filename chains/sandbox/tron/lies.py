"""Answers that differ from what the block's id commits to, each as plausible as it can be."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from chains.sandbox.chain import Json
from chains.sandbox.control import Lie
from chains.sandbox.tron.orders import with_id

Items = list[Any]
"""Objects, unless somebody puts a null among them."""


def told(lie: Lie | None, block: Json, infos: list[Json]) -> tuple[Json, Items]:
    """What a node with that lie says instead of the truth, which stays as it is."""
    if lie is None or not infos:
        return block, infos
    block, infos = deepcopy(block), deepcopy(infos)
    _LIES[lie](block["transactions"], infos)
    if not block["transactions"]:
        del block["transactions"]
    return block, infos


def _no_transfers(transactions: Items, infos: Items) -> None:
    transactions.clear()
    infos.clear()


def _one_transfer_more(transactions: Items, infos: Items) -> None:
    transactions.append(deepcopy(transactions[-1]))
    infos.append(deepcopy(infos[-1]))


def _other_amount(transactions: Items, infos: Items) -> None:
    """Twice what the transaction orders and what its first log says, with an id that fits."""
    tx, info = transactions[-1], infos[-1]
    value = tx["raw_data"]["contract"][0]["parameter"]["value"]
    for name in {"amount", "call_value"} & value.keys():
        value[name] *= 2
    if "data" in value:
        value["data"] = value["data"][:-64] + _doubled(value["data"][-64:])
    for log in info.get("log", ())[:1]:
        if "data" in log:
            log["data"] = _doubled(log["data"])
    transactions[-1] = with_id(tx)
    info["id"] = transactions[-1]["txID"]


def _null_entry(transactions: Items, infos: Items) -> None:
    infos[-1] = None


def _half_a_block(transactions: Items, infos: Items) -> None:
    del transactions[-1], infos[-1]


def _doubled(word: str) -> str:
    return f"{2 * int(word, 16) % 2**256:064x}"


_LIES: dict[Lie, Callable[[Items, Items], None]] = {
    "no transfers": _no_transfers,
    "one transfer more": _one_transfer_more,
    "other amount": _other_amount,
    "null entry": _null_entry,
    "half a block": _half_a_block,
}
