"""What web3, tronpy, aiohttp and msgspec raise, class by class, and what becomes of it."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import aiohttp
import msgspec
import pytest
import tronpy.exceptions  # type: ignore[import-untyped]
import web3.exceptions
from tronpy import AsyncTron
from web3 import AsyncWeb3

from chains.base import (
    ChainDataError,
    ChainError,
    ChainUnavailable,
    EndpointRefused,
    EndpointSettings,
    RateLimited,
)
from chains.endpoint import shaped
from chains.evm.provider import FastHTTPProvider
from chains.http import Answer, Connection, Disconnected
from chains.redaction import Redaction
from chains.tvm.provider import FastTronProvider

SETTINGS = EndpointSettings("a", "http://node.example/v2/0123456789abcdef")


# aiohttp.


def below(kind: type[Exception]) -> Iterator[type[Exception]]:
    """All classes that derive from `kind`, as far as aiohttp has them."""
    for each in kind.__subclasses__():
        if each.__module__.startswith("aiohttp"):
            yield each
        yield from below(each)


class Raising:
    """Stands where aiohttp's session would: every request raises."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def post(self, *_: object, **__: object) -> Raising:
        return self

    async def __aenter__(self) -> None:
        raise self._error

    async def __aexit__(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType
    ) -> None:
        raise AssertionError("nothing was entered")

    async def close(self) -> None:
        pass


RAW = [TimeoutError, ConnectionResetError, BrokenPipeError, ssl.SSLError, socket.gaierror, OSError]
RETRIED = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionError)


@pytest.mark.parametrize(
    "kind", sorted({*below(aiohttp.ClientError), *RAW}, key=lambda kind: kind.__name__)
)
async def test_whatever_http_raises_is_unavailable_and_tells_no_url(kind: type[Exception]) -> None:
    error = kind.__new__(kind)  # their arguments differ; here only the class counts
    error.args = (SETTINGS.url,)
    connection = Connection(SETTINGS)
    connection._session = Raising(error)  # type: ignore[assignment]
    with pytest.raises(ChainUnavailable) as raised:
        await connection.post(b"{}")
    assert not isinstance(raised.value, EndpointRefused)
    assert "0123456789abcdef" not in str(raised.value)
    assert raised.value.__context__ is None
    connects = isinstance(error, aiohttp.ClientConnectorError | TimeoutError)
    assert isinstance(raised.value, Disconnected) is (isinstance(error, RETRIED) and not connects)


# web3.


class Canned:
    """Stands where a connection would: one answer, whatever is asked."""

    def __init__(self, body: bytes, status: int = 200) -> None:
        self._body, self._status = body, status

    async def post(self, body: bytes, path: str = "") -> Answer:
        """The answer; where it says `ID`, the id of the request."""
        asked = json.loads(body)
        id = json.dumps(asked["id"]).encode() if "id" in asked else b""
        return Answer(self._status, {}, self._body.replace(b'"ID"', id), Redaction(SETTINGS))

    async def close(self) -> None:
        pass


def rpc(**fields: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": "ID", **fields}).encode()


def refused(code: int, message: str) -> bytes:
    return rpc(error={"code": code, "message": message})


WEB3 = [
    (refused(-32000, "header not found"), web3.exceptions.Web3RPCError, ChainUnavailable),
    (refused(429, "compute units"), web3.exceptions.Web3RPCError, RateLimited),
    (refused(-32005, "limit exceeded"), web3.exceptions.Web3RPCError, RateLimited),
    (refused(-32601, "no such method"), web3.exceptions.MethodUnavailable, EndpointRefused),
    (refused(-32002, "request timed out"), web3.exceptions.RequestTimedOut, ChainUnavailable),
    (rpc(error="no"), web3.exceptions.BadResponseFormat, ChainUnavailable),
    (rpc(result=None), web3.exceptions.BlockNotFound, None),
    (b"<html>Welcome</html>", msgspec.DecodeError, ChainUnavailable),
    (b"", msgspec.DecodeError, ChainUnavailable),
    (b'{"jsonrpc":"2.0","result":{}}', web3.exceptions.BadResponseFormat, ChainUnavailable),
]


@pytest.mark.parametrize(("body", "theirs", "ours"), WEB3)
async def test_what_web3_raises(
    body: bytes, theirs: type[Exception], ours: type[ChainError] | None
) -> None:
    """The same answer to web3's own call, through our provider, and to ours."""
    provider = FastHTTPProvider(SETTINGS, Canned(body))  # type: ignore[arg-type]
    with pytest.raises(theirs) as raised:
        await AsyncWeb3(provider).eth.get_block("latest")
    assert "0123456789abcdef" not in str(raised.value)
    if ours is None:
        assert await provider.post("eth_getBlockByNumber", ["latest", False]) is None
        return
    with pytest.raises(ChainError) as error:
        await provider.post("eth_getBlockByNumber", ["latest", False])
    assert type(error.value) is ours


async def test_an_answer_to_another_request_is_believed_by_web3_and_not_by_us() -> None:
    provider = FastHTTPProvider(SETTINGS, Canned(b'{"jsonrpc":"2.0","id":-1,"result":"0x5"}'))  # type: ignore[arg-type]
    assert await AsyncWeb3(provider).eth.block_number == 5
    with pytest.raises(ChainUnavailable, match="another request"):
        await provider.post("eth_blockNumber", [])


# tronpy.

TRON = [
    (b"{}", 200, tronpy.exceptions.BlockNotFound, None),
    (b'{"Error":"class java.lang.Exception : no"}', 200, ChainUnavailable, ChainUnavailable),
    (b'{"Error":"lack of computing resources"}', 200, RateLimited, RateLimited),
    (b'{"Error":"ApiKey not exists"}', 401, EndpointRefused, EndpointRefused),
    (b"<html></html>", 200, ChainUnavailable, ChainUnavailable),
    (b"", 503, ChainUnavailable, ChainUnavailable),
]


@pytest.mark.parametrize(("body", "status", "theirs", "ours"), TRON)
async def test_what_tronpy_raises(
    body: bytes, status: int, theirs: type[Exception], ours: type[ChainError] | None
) -> None:
    """Through our provider, tronpy raises what we do, but where it makes nothing an error."""
    provider = FastTronProvider(SETTINGS, Canned(body, status))  # type: ignore[arg-type]
    with pytest.raises(theirs):
        await AsyncTron(provider=provider, conf={}).get_block(5)
    if ours is None:
        assert await provider.post("wallet/getblockbynum", {"num": 5}) is None
        return
    with pytest.raises(ChainError) as error:
        await provider.post("wallet/getblockbynum", {"num": 5})
    assert type(error.value) is ours


# msgspec.


class Block(msgspec.Struct):
    number: str


@pytest.mark.parametrize(
    ("result", "theirs", "ours"),
    [
        (b'{"hash":"0x1"}', msgspec.ValidationError, ChainDataError),
        (b'{"number":1}', msgspec.ValidationError, ChainDataError),
        (b'{"number":"0x', msgspec.DecodeError, ChainUnavailable),
        (b'{"number":"\xff"}', UnicodeDecodeError, ChainUnavailable),
        (b"[" * 100_000, RecursionError, ChainUnavailable),
    ],
)
def test_what_msgspec_raises(
    result: bytes, theirs: type[Exception], ours: type[ChainError]
) -> None:
    type_: Any = object if theirs is RecursionError else Block
    with pytest.raises(theirs):
        msgspec.json.decode(result, type=type_)
    with pytest.raises(ours) as error:
        shaped("a call", result, type_)
    assert type(error.value) is ours
