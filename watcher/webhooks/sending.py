"""One try of a delivery: a POST that follows no redirect and reads no more than it must."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver

from watcher import __version__
from watcher.webhooks.addresses import AddressRefused, check_url, public_socket

ANSWER_BYTES = 4096
"""How much of an answer is kept; the rest is not read."""
KEEPALIVE_SECONDS = 2  # shorter than receivers keep connections: one that they closed is a failure
RESOLVED_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Message:
    """What is posted."""

    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, or why nothing did."""

    duration_ms: int
    status: int | None = None
    body: str = ""
    error: str | None = None
    """One sentence, without the URL."""


class Sender:
    """Connections to receivers, to public addresses only unless private ones are allowed."""

    def __init__(
        self,
        allow_private: bool,
        *,
        open_socket: Callable[[tuple[Any, ...]], Any] = public_socket,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._allow_private = allow_private
        self._open_socket = None if allow_private else open_socket
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    def _connections(self) -> aiohttp.ClientSession:
        if self._session is None:  # it belongs to a running loop
            self._session = self._open()
        return self._session

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=0,  # whoever sends keeps to limits of its own
            socket_factory=self._open_socket,
            resolver=self._resolver,
            ttl_dns_cache=RESOLVED_SECONDS,
            keepalive_timeout=KEEPALIVE_SECONDS,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )

    async def post(self, message: Message, timeout_seconds: float) -> Answer:
        """Send it, and wait so long for status and headers; what fails is in the answer."""
        begun = time.monotonic()
        status, body, error = None, "", None
        try:
            check_url(message.url, self._allow_private)  # the configuration may have changed
            status, body = await self._post(message, timeout_seconds)
        except TimeoutError:
            error = f"no answer within {timeout_seconds:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as fault:
            error = _sentence(fault)
        return Answer(round((time.monotonic() - begun) * 1000), status, body, error)

    async def _post(self, message: Message, timeout_seconds: float) -> tuple[int, str]:
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        headers = {
            "User-Agent": f"deposit-watcher/{__version__}",
            "Accept-Encoding": "identity",
            **message.headers,
        }
        async with asyncio.timeout_at(deadline):
            response = await self._connections().post(
                message.url,
                data=message.body,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None),
            )
        try:
            async with asyncio.timeout_at(deadline):
                body = await _beginning(response.content)
        except (TimeoutError, aiohttp.ClientError):
            body = b""  # the status was told in time, and it alone decides
        finally:
            if response.content.at_eof():
                response.release()
            else:
                response.close()  # with the connection, and whatever it would still bring
        return response.status, body.decode(errors="replace").replace("\0", "\ufffd")


async def _beginning(content: aiohttp.StreamReader) -> bytes:
    parts, missing = [], ANSWER_BYTES
    while missing and (part := await content.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _sentence(fault: Exception) -> str:
    """What went wrong, in words that hold neither URL nor address."""
    match fault:
        case AddressRefused() | ValueError():
            return f"not sent: {fault}"
        case aiohttp.ClientConnectorDNSError():
            return "the host's name cannot be resolved"
        case aiohttp.ClientConnectorCertificateError():
            return "the receiver's certificate is not valid for its host"
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return "no TLS connection with the receiver"
        case aiohttp.ClientConnectorError(os_error=AddressRefused() as refused):
            return f"not sent: {refused}"
        case aiohttp.ClientConnectorError(os_error=os_error):
            # By the number: asyncio's own text holds the address.
            reason = os.strerror(os_error.errno) if os_error.errno else "no connection"
            return f"cannot connect: {reason}"
        case aiohttp.ServerDisconnectedError():
            return "the receiver closed the connection without an answer"
        case aiohttp.ClientPayloadError() | aiohttp.ClientResponseError():
            return "the answer is not HTTP as it should be"
    return f"the connection broke: {type(fault).__name__}"
