"""tronpy's HTTP provider over a connection of ours: keep-alive, bounded, without secrets in texts.

tronpy's own sends one of six keys that it ships to whoever has none, drops the last part of an URL
that ends in a token, and asks by httpx. Ours sends the configured headers only.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import msgspec
from tronpy.providers.async_http import AsyncHTTPProvider  # type: ignore[import-untyped]

from chains.base import ChainError, ChainUnavailable, EndpointSettings, RateLimited
from chains.http import Answer, Connection, refusal

SOLID = "walletsolidity/"
"""What a node of one's own answers at another port than the rest."""
NOTHING = b"{}"
"""How java-tron says that there is no such thing."""


class FastTronProvider(AsyncHTTPProvider):  # type: ignore[misc]  # tronpy has no types
    """A `chains.endpoints.Transport`, and a provider for `AsyncTron` as well."""

    def __init__(self, settings: EndpointSettings, connection: Connection | None = None) -> None:
        # Not the base's __init__: it opens an httpx client and takes up the shipped keys.
        self.endpoint_uri = settings.name
        self.use_api_key, self.jw_token = False, None
        self._connection = self._solid = connection or Connection(settings)
        if settings.solidity_url is not None:
            self._solid = Connection(replace(settings, url=settings.solidity_url))

    async def post(self, method: str, params: object) -> bytes | None:
        """The JSON of the answer; None where it is an empty object: no such thing."""
        solid = method.startswith(SOLID)
        connection = self._solid if solid else self._connection
        return result_of(await connection.post(msgspec.json.encode(params), method))

    async def make_request(self, method: str, params: Any = None) -> Any:
        """What tronpy's own calls ask through."""
        return msgspec.json.decode(await self.post(method, params or {}) or NOTHING)

    async def close(self) -> None:
        await self._connection.close()
        await self._solid.close()


class Said(msgspec.Struct):
    """An object that a node or a gateway answers with; any of these is an error."""

    Error: object = None
    error: object = None
    message: object = None


_said = msgspec.json.Decoder(Said)


def result_of(answer: Answer) -> bytes | None:
    """The JSON of a good answer; None where it is an empty object.

    Raises:
        ChainUnavailable, EndpointRefused: it is an error, whatever its HTTP status: nearly all of
            a node's are sent as 200.
    """
    body = answer.body.strip()
    if answer.status == 200 and body[:1] == b"[":
        return body
    try:
        said = _said.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise fault_of(answer, answer.text or "empty answer") from None
    words = said.Error or said.error or said.message
    if words:
        raise fault_of(answer, answer.redaction.excerpt(str(words)))
    if answer.status != 200:
        raise fault_of(answer, answer.text)
    return None if body == NOTHING else body


def fault_of(answer: Answer, words: str) -> ChainError:
    """What an error means: first by its words, then by its status (chains.md 5.4)."""
    if suspended := _SUSPENDED.search(words):
        return RateLimited(words, retry_after=float(suspended[1]))
    if _BUSY.search(words):
        return RateLimited(words, retry_after=answer.retry_after)
    if _CLOSED.search(words):
        return refusal(words)
    return answer.fault(words) or ChainUnavailable(words)


_SUSPENDED = re.compile(r"suspended for (\d+)\s*s", re.IGNORECASE)
_BUSY = re.compile(
    r"lack of computing resources|allowed_rps|frequency limit|daily usage|too quickly"
    r"|too many requests|rate.?limit|quota",
    re.IGNORECASE,
)
_CLOSED = re.compile(
    r"this API is (closed|unavailable)|api.?key|unauthori[sz]ed|forbidden", re.IGNORECASE
)
