"""One endpoint's keep-alive HTTP connection: POST in, a bounded answer or a `ChainError` out.

No exception of aiohttp leaves this module: their texts contain the URL.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import aiohttp
from isal import isal_zlib
from yarl import URL

from chains.base import (
    ChainError,
    ChainUnavailable,
    EndpointRefused,
    EndpointSettings,
    RateLimited,
)
from chains.redaction import Redaction

TOTAL_SECONDS, CONNECT_SECONDS = 30.0, 8.0
MOST_BYTES = 64 * 2**20  # of an answer, unpacked; a full block's receipts are 1-3 MB


_REMEDIES: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "check its key",
    HTTPStatus.PAYMENT_REQUIRED: "check its plan",
    HTTPStatus.FORBIDDEN: "check its key and its plan",
}


def refusal(words: str, remedy: str = "check its key and its plan, or use another") -> ChainError:
    """An endpoint's refusal, with what its operator can do about it."""
    return EndpointRefused(f"{words}; {remedy}")


class Disconnected(ChainUnavailable):
    """The connection broke: often a kept one that the server had closed, so worth a new one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    redaction: Redaction

    @property
    def text(self) -> str:
        """The body's beginning, fit to be quoted."""
        return self.redaction.excerpt(self.body[:4096].decode(errors="replace"))

    def fault(self, words: str) -> ChainError | None:
        """What this status means, saying `words`; None for a 200."""
        message = f"HTTP {self.status}: {words}" if words else f"HTTP {self.status}"
        match self.status:
            case HTTPStatus.OK:
                return None
            case HTTPStatus.TOO_MANY_REQUESTS:
                return RateLimited(message, retry_after=self.retry_after)
            case status if status == HTTPStatus.REQUEST_TIMEOUT or status >= 500:
                return ChainUnavailable(message, retry_after=self.retry_after)
        return refusal(message, _REMEDIES.get(self.status, "check its URL"))

    @property
    def retry_after(self) -> float | None:
        """Seconds by the Retry-After header, which has seconds or a date (RFC 9110 10.2.3)."""
        value = self.headers.get("Retry-After", "").strip()
        if value.isascii() and value.isdigit():
            return float(value[:9])
        try:
            return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
        except (ValueError, OverflowError):
            return None


class Connection:
    """A session to one endpoint, opened by its first request."""

    def __init__(
        self,
        settings: EndpointSettings,
        *,
        total_seconds: float = TOTAL_SECONDS,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        url = URL(settings.url)
        if "authorization" in map(str.lower, settings.headers):
            url = url.with_user(None)  # aiohttp refuses to choose between the two
        self._url = url
        self._headers = {
            "Content-Type": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": "deposit-watcher",
            **settings.headers,
        }
        self._total_seconds, self._most_bytes = total_seconds, most_bytes
        self._session: aiohttp.ClientSession | None = None
        self.redaction = Redaction(settings)

    async def post(self, body: bytes, path: str = "") -> Answer:
        """POST `body` to the endpoint's URL, or to `path` below it.

        Raises:
            ChainUnavailable: no whole answer came, or one that is too large.
        """
        try:
            return await self._post(body, self._below(path))
        except TimeoutError:
            fault = ChainUnavailable(f"no answer within {self._total_seconds:g} s")
        except aiohttp.ClientConnectorError as error:
            fault = ChainUnavailable(f"cannot connect ({type(error).__name__})")
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionError):
            fault = Disconnected("connection lost before the answer")
        except aiohttp.ClientPayloadError:
            fault = ChainUnavailable("answer cut short")
        except (aiohttp.ClientError, OSError) as error:  # TLS and name lookup fail as the latter
            fault = ChainUnavailable(f"no HTTP answer ({type(error).__name__})")
        raise fault  # here and not above: as its context, aiohttp's text would come along

    async def _post(self, body: bytes, url: URL) -> Answer:
        async with self._open().post(url, data=body, allow_redirects=False) as response:
            chunks, size = [], 0
            async for chunk in response.content.iter_any():
                chunks.append(chunk)
                size += len(chunk)
                if size > self._most_bytes:
                    raise ChainUnavailable(f"answer larger than {self._most_bytes} bytes")
            return Answer(response.status, response.headers, b"".join(chunks), self.redaction)

    def _below(self, path: str) -> URL:
        if not path:
            return self._url
        return self._url.with_path(f"{self._url.path.rstrip('/')}/{path}", keep_query=True)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            aiohttp.set_zlib_backend(isal_zlib)  # inflating is the top cost of a gzip block
            self._session = aiohttp.ClientSession(
                headers=self._headers,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(
                    total=self._total_seconds, sock_connect=CONNECT_SECONDS
                ),
                trust_env=False,
            )
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
