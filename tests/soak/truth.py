"""What the final chains say, read from the nodes' own answers by rules written down once more.

Nothing here is the product's: no client, no proof, no decoder. chains.md's rules, plainly: a token
pays by a Transfer log of a listed contract in a transaction that succeeded; ether by a value and by
the calls that nothing above took back; POL by the chain's own logs; TRX by transfers and by calls
from contracts that were not rejected.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import aiohttp
from tronpy.keys import to_base58check_address, to_hex_address

TRANSFER = "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
LOG_TRANSFER = "e6497e3ee548a3372136af2fcb0696db31fc6cf20260707645068bd3fe97f3c4"
POLYGON_COIN = "0x" + "1010".zfill(40)
PAYING_CALLS = ("CALL", "CREATE", "CREATE2", "SELFDESTRUCT")

Json = dict[str, Any]
Contracts = Mapping[str, str]
"""Contract as the configuration has it -> method; "" is the coin."""


class Paid(NamedTuple):
    """A transfer to somebody."""

    network: str
    tx_hash: str
    position: str
    method: str
    units: int
    to: str
    block_number: int
    block_hash: str


class Read(NamedTuple):
    """All that a network's chain holds."""

    head: str
    transactions: frozenset[str]
    paid: tuple[Paid, ...]


async def read_evm(network: str, url: str, contracts: Contracts) -> Read:
    """Every transfer on an EVM node's chain."""
    paid: list[Paid] = []
    hashes: set[str] = set()
    async with aiohttp.ClientSession() as session:

        async def rpc(method: str, *params: object) -> Any:
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            async with session.post(url, json=body) as response:
                return (await response.json())["result"]

        head = await rpc("eth_getBlockByNumber", "latest", False)
        for number in range(1, int(head["number"], 16) + 1):
            block = await rpc("eth_getBlockByNumber", hex(number), True)
            if not block["transactions"]:
                continue
            receipts = await rpc("eth_getBlockReceipts", hex(number))
            tracer = {"tracer": "callTracer"}
            traces = await rpc("debug_traceBlockByHash", block["hash"], tracer)
            for tx, receipt, trace in zip(block["transactions"], receipts, traces, strict=True):
                hashes.add(tx["hash"][2:])
                if receipt["status"] != "0x1":
                    continue
                moves = [*_evm_logs(network, receipt["logs"], contracts)]
                if network == "ethereum":
                    moves += _ether(tx, trace["result"], contracts[""])
                place = (number, block["hash"][2:])
                paid += [Paid(network, tx["hash"][2:], *move, *place) for move in moves]
    return Read(head["hash"][2:], frozenset(hashes), tuple(paid))


Move = tuple[str, str, int, str]
"""Position, method, units, payee."""


def _evm_logs(network: str, logs: list[Json], contracts: Contracts) -> Iterator[Move]:
    for index, log in enumerate(logs):
        topics, data = [topic[2:] for topic in log["topics"]], log["data"][2:]
        method = contracts.get(log["address"])
        if network == "polygon" and log["address"] == POLYGON_COIN:
            true = topics[:2] == [LOG_TRANSFER, POLYGON_COIN[2:].zfill(64)]
            method, topics = (contracts[""], [TRANSFER, *topics[2:]]) if true else (None, [])
            data = data[:64]
        if method is not None and (found := _transfer(topics, data)) is not None:
            yield f"log/{index}", method, found[1], f"0x{found[0]}"


def _transfer(topics: list[str], data: str) -> tuple[str, int] | None:
    """Payee, 40 digits, and units of a log that is a token's payment."""
    if topics[:1] != [TRANSFER] or len(topics) != 3 or len(data) != 64:
        return None
    if any(topic[:24] != 24 * "0" for topic in topics[1:]) or not int(data, 16):
        return None
    return topics[2][24:], int(data, 16)


def _ether(tx: Json, outermost: Json, method: str) -> Iterator[Move]:
    if tx["to"] and int(tx["value"], 16):
        yield "value", method, int(tx["value"], 16), tx["to"]
    inner = [call for each in outermost.get("calls", ()) for call in _good(each)]
    moved = [
        call
        for call in inner
        if call["type"] in PAYING_CALLS and int(call["value"], 16) and call["from"] != call["to"]
    ]
    for index, call in enumerate(moved):
        yield f"trace/{index}", method, int(call["value"], 16), call["to"]


def _good(call: Json) -> Iterator[Json]:
    """A call and those within it, as far as nothing took them back."""
    if "error" not in call:
        yield call
        for inner in call.get("calls", ()):
            yield from _good(inner)


async def read_tron(url: str, contracts: Contracts) -> Read:
    """Every transfer on a Tron node's chain."""
    paid: list[Paid] = []
    hashes: set[str] = set()
    by_hex = {_hex(contract): method for contract, method in contracts.items() if contract}
    async with aiohttp.ClientSession() as session:

        async def ask(path: str, **params: object) -> Any:
            async with session.post(f"{url}/wallet/{path}", json=params) as response:
                return await response.json()

        head = await ask("getnowblock")
        for number in range(1, head["block_header"]["raw_data"]["number"] + 1):
            block = await ask("getblockbynum", num=number)
            transactions, place = block.get("transactions", []), (number, block["blockID"])
            infos = await ask("gettransactioninfobyblocknum", num=number) if transactions else []
            for tx, info in zip(transactions, infos, strict=True):
                hashes.add(tx["txID"])
                if tx["ret"][0]["contractRet"] == "SUCCESS":
                    moves = _tron_moves(tx, info, contracts, by_hex)
                    paid += [Paid("tron", tx["txID"], *move, *place) for move in moves]
    return Read(head["blockID"], frozenset(hashes), tuple(paid))


def _tron_moves(tx: Json, info: Json, contracts: Contracts, by_hex: Contracts) -> Iterator[Move]:
    contract = tx["raw_data"]["contract"][0]
    value = contract["parameter"]["value"]
    if contract["type"] == "TransferContract":
        yield "value", contracts[""], value["amount"], to_base58check_address(value["to_address"])
    if contract["type"] == "TransferAssetContract":
        name = bytes.fromhex(value["asset_name"]).decode()
        if name in contracts:
            to = to_base58check_address(value["to_address"])
            yield f"value/{name}", contracts[name], value["amount"], to
    for index, call in enumerate(info.get("internal_transactions", ())):
        units = call["callValueInfo"][0].get("callValue", 0)
        if units and not call.get("rejected"):
            to = to_base58check_address(call["transferTo_address"])
            yield f"internal/{index}", contracts[""], units, to
    for index, log in enumerate(info.get("log", ())):
        method = by_hex.get(log["address"])
        found = _transfer(log["topics"], log.get("data", ""))
        if method is not None and found is not None:
            yield f"log/{index}", method, found[1], to_base58check_address(f"41{found[0]}")


def _hex(contract: str) -> str:
    return contract if contract.isdigit() else to_hex_address(contract)[2:]
