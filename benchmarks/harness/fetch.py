"""Fetching a block's answers and reading nothing of them: what no reader of a node can beat."""

from __future__ import annotations

import json

from chains.base import EndpointSettings
from chains.http import Connection

TRON_PATHS = ("wallet/getblockbynum", "wallet/gettransactioninfobyblocknum")


class Fetch:
    """Both answers of a block, over the clients' own kind of connection."""

    def __init__(self, name: str, url: str) -> None:
        self._requests = _tron_requests if name == "tron" else _evm_requests
        self._connection = Connection(EndpointSettings("bare", url))

    async def block(self, number: int) -> int:
        """How many bytes they are."""
        size = 0
        for body, path in self._requests(number):
            answer = await self._connection.post(json.dumps(body).encode(), path)
            assert answer.status == 200, answer.text
            size += len(answer.body)
        return size

    async def close(self) -> None:
        await self._connection.close()


def _tron_requests(number: int) -> list[tuple[object, str]]:
    return [({"num": number}, path) for path in TRON_PATHS]


def _evm_requests(number: int) -> list[tuple[object, str]]:
    calls = {"eth_getBlockByNumber": [hex(number), True], "eth_getBlockReceipts": [hex(number)]}
    return [
        ({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, "")
        for method, params in calls.items()
    ]
