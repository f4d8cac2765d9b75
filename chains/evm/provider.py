"""web3's HTTP provider over a connection of ours: keep-alive, bounded, without secrets in texts.

web3's own session manager opens a connection for each call and takes a lock that a cancelled
request can leave held for ever; its retries ignore Retry-After; its texts contain the URL.
"""

from __future__ import annotations

import sys
from typing import Any, cast

import msgspec
from eth_typing import URI
from web3 import AsyncHTTPProvider
from web3._utils.http_session_manager import HTTPSessionManager
from web3.types import RPCEndpoint, RPCResponse

from chains.base import EndpointSettings
from chains.evm.rpc import result_of
from chains.evm.traces import RECURSION_LIMIT
from chains.http import Connection

# py_ecc, which web3 brings in, raises the limit a hundredfold. Then an answer of a node that is
# nested deep enough ends the process instead of raising RecursionError.
sys.setrecursionlimit(RECURSION_LIMIT)


class FastHTTPProvider(AsyncHTTPProvider):
    """A `chains.endpoints.Transport`, and a provider for `AsyncWeb3` as well."""

    def __init__(self, settings: EndpointSettings, connection: Connection | None = None) -> None:
        # web3 knows the endpoint by its name only: it logs and prints what it takes for the URL.
        super().__init__(URI(settings.name), exception_retry_configuration=None)
        self._request_session_manager.session_pool.shutdown(wait=False)
        self._connection = connection or Connection(settings)
        self._request_session_manager = _OneConnection(self._connection)

    @staticmethod
    def decode_rpc_response(raw_response: bytes) -> RPCResponse:
        return cast(RPCResponse, msgspec.json.decode(raw_response))

    async def post(self, method: str, params: object) -> bytes | None:
        """The JSON of the result; None where it is JSON null."""
        request = self.form_request(RPCEndpoint(method), params)
        answer = await self._connection.post(msgspec.json.encode(request))
        return result_of(answer, request["id"])

    async def close(self) -> None:
        await self._connection.close()

    async def disconnect(self) -> None:
        await self.close()


class _OneConnection(HTTPSessionManager):
    """What web3's own calls POST through; no thread pool, no cache, no lock."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def async_make_post_request(
        self, endpoint_uri: URI, data: bytes | dict[str, Any], **kwargs: Any
    ) -> bytes:
        body = data if isinstance(data, bytes) else msgspec.json.encode(data)
        return (await self._connection.post(body)).body
