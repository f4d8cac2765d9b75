"""The node's answers have the shape of what java-tron nodes were recorded to answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

import aiohttp
import pytest

from chains.sandbox.evm.contracts import token_transfer
from chains.sandbox.tron.accounts import inner
from chains.sandbox.tron.node import TronNode
from chains.sandbox.tron.orders import Order, encode_raw
from chains.sandbox.tron.payments import batch, failed, internal, plain, reverted
from tests.chains.sandbox.tron import COIN, SHOP, USDT, ask, contract, open_tron
from tests.chains.tvm.recorded import PRIVATE, Json, chain, load

TO = inner(SHOP)
KINDS = ("TransferContract", "TransferAssetContract", "TriggerSmartContract")
KEPT = {"fee", "net_fee", "net_usage", "energy_fee", "energy_usage", "energy_usage_total"}
"""What depends on whether the payer staked: java-tron gives one or the other."""


def shape(value: Json, *, but: Iterable[str] = ()) -> Json:
    """The same with every text, number and truth reduced to its kind, and lists to their kinds."""
    if isinstance(value, dict):
        return {name: shape(part, but=but) for name, part in value.items() if name not in but}
    if isinstance(value, list):
        shapes = [shape(part, but=but) for part in value]
        return [each for at, each in enumerate(shapes) if each not in shapes[:at]]
    return type(value).__name__


def shapes(blocks: list[Json], infos: list[Json]) -> dict[tuple[str, ...], list[Json]]:
    """The shapes that occur, by what something is a part of, its type and how it ended."""
    found = defaultdict(list)
    for block, of_block in zip(blocks, infos, strict=True):
        signed = (tx for tx in block.get("transactions", ()) if "ret" in tx)  # not in block 0
        for tx, info in zip(signed, of_block, strict=False):
            kind = tx["raw_data"]["contract"][0]["type"], tx["ret"][0]["contractRet"]
            found["transaction", *kind].append(shape(tx))
            found["info", *kind].append(shape(info, but={*KEPT, "internal_transactions"}))
            calls = info.get("internal_transactions", ())
            found["call", *kind] += map(shape, calls)
    return found


def mined(node: TronNode) -> tuple[list[Json], list[Json]]:
    """One block with a transaction of each kind and ending."""
    orders = [
        plain(None, TO, 5),
        Order(TO, 5, coin=str(COIN.contract)),
        plain(contract(USDT), TO, 5),
        plain(contract(USDT), TO, 0),
        batch([token_transfer(contract(USDT), TO, 5)] * 2),
        internal(None, TO, 5),
        reverted(None, TO, 5),
        failed(None, TO, 5),
        failed(contract(USDT), TO, 5),
        replace(plain(contract(USDT), TO, 5), ending="OUT_OF_ENERGY"),
    ]
    for order in orders:
        node.chain.send(order)
    head = node.mine()
    return [head.block], [head.infos]


async def test_a_block_and_an_empty_block_have_the_recorded_shape() -> None:
    recorded, _ = chain(*PRIVATE)
    async with open_tron() as node:
        node.chain.send(plain(None, TO, 5))
        node.mine(2)
        zero, full, empty = [await ask(node, "wallet/getblockbynum", num=n) for n in range(3)]
    trees = ("transactions",)
    assert shape(full, but=trees) == shape(recorded[4], but=trees)
    assert shape(empty) == shape(recorded[1])
    assert "transactions" not in empty
    assert shape(zero) == shape({**recorded[0], "transactions": recorded[0]["transactions"][:1]})


async def test_every_kind_of_transaction_info_and_inner_call_has_a_recorded_shape() -> None:
    recorded = shapes(*chain(*PRIVATE))
    async with open_tron() as node:
        made = shapes(*mined(node))
    assert len(made) == 15
    for part, found in made.items():
        for each in found:
            assert each in recorded[part], part


async def test_fees_have_recorded_names_and_add_up() -> None:
    _, recorded = chain(*PRIVATE)
    known = [set(info["receipt"]) for infos in recorded for info in infos]
    async with open_tron() as node:
        _, (infos,) = mined(node)
    for info in infos:
        receipt = info["receipt"]
        assert set(receipt) in known
        assert info["fee"] == receipt["net_fee"] + receipt.get("energy_fee", 0)


async def test_a_call_that_changes_nothing_is_answered_as_recorded() -> None:
    recorded = load("tron", "nile-2026-08-11.triggerconstantcontract_balanceof.json")
    call = {
        "owner_address": "41" + TO[2:],
        "contract_address": "41" + contract(USDT)[2:],
        "function_selector": "balanceOf(address)",
        "parameter": 24 * "0" + TO[2:],
    }
    async with open_tron() as node:
        node.chain.send(plain(contract(USDT), TO, 0x1DCD6500))
        node.mine()
        answer = await ask(node, "wallet/triggerconstantcontract", **call)
    assert shape(answer) == shape(recorded["response"])
    assert answer["constant_result"] == recorded["response"]["constant_result"]


async def test_an_account_has_nothing_that_none_was_recorded_to_have() -> None:
    recorded = load("tron", "nile-2026-08-11.getaccount_hot_wallet.json")["response"]
    async with open_tron() as node:
        node.chain.send(plain(None, TO, 5))
        node.mine()
        answer = await ask(node, "wallet/getaccount", address="41" + TO[2:])
    assert shape(answer) == {name: shape(recorded[name]) for name in answer}
    assert answer["balance"] == 5


@pytest.mark.parametrize(
    ("label", "path", "body"),
    [
        ("gettransactioninfobyid unknown", "gettransactioninfobyid", '{"value":"%s"}' % (64 * "1")),
        ("gettransactionbyid unknown", "gettransactionbyid", '{"value":"%s"}' % (64 * "1")),
        ("gettransactionbyid not hex", "gettransactionbyid", '{"value":"zz"}'),
        ("getblockbynum above head", "getblockbynum", '{"num":99999}'),
        ("getblockbynum negative", "getblockbynum", '{"num":-1}'),
        ("getblockbynum string", "getblockbynum", '{"num":"abc"}'),
        (
            "gettransactioninfobyblocknum above head",
            "gettransactioninfobyblocknum",
            '{"num":99999}',
        ),
        ("unknown path", "nosuchthing", "{}"),
        ("broken json", "getblockbynum", '{"num":'),
    ],
)
async def test_what_is_not_there_or_not_understood_is_answered_as_recorded(
    label: str, path: str, body: str
) -> None:
    recorded = load(*PRIVATE, "errors.json")[label]
    async with (
        open_tron() as node,
        aiohttp.ClientSession() as session,
        session.post(f"{node.url}/wallet/{path}", data=body) as response,
    ):
        answer = await response.text()
    assert response.status == recorded["status"]
    said, meant = (text.strip() for text in (answer, recorded["body"]))
    if meant.startswith('{"Error"'):
        said, meant = (text.partition(" : ")[0] for text in (said, meant))
    if response.status == 405:
        assert "<title>Error 405 HTTP method POST is not supported by this URL</title>" in said
        assert "<title>Error 405 HTTP method POST is not supported by this URL</title>" in meant
    else:
        assert said == meant


async def test_block_0_has_no_infos_as_recorded() -> None:
    _, recorded = chain(*PRIVATE)
    async with open_tron() as node:
        assert await ask(node, "wallet/gettransactioninfobyblocknum", num=0) == recorded[0]
        node.mine()
        assert await ask(node, "wallet/gettransactioninfobyblocknum", num=1) == recorded[1]


def test_raw_data_are_encoded_as_the_recorded_nodes_do() -> None:
    blocks, _ = chain(*PRIVATE)
    transactions = [tx for block in blocks for tx in block.get("transactions", ()) if ours(tx)]
    encoded = [encode_raw(tx["raw_data"]).hex() for tx in transactions]
    assert encoded == [tx["raw_data_hex"] for tx in transactions]
    assert len(transactions) > 90


def ours(tx: Json) -> bool:
    """Whether the sandbox makes such: no memo, no permission, no TRC-10 sent along with a call."""
    (contract,) = tx["raw_data"]["contract"]
    more = {"Permission_id", "token_id"} & {*contract, *contract["parameter"]["value"]}
    return contract["type"] in KINDS and "data" not in tx["raw_data"] and not more
