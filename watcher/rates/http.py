"""One GET of public JSON: bounded in time and size, decoded into a shape, or `SourceFailed`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import aiohttp
import msgspec

from watcher.rates.sources import SourceFailed

TOTAL_SECONDS = 10
MOST_BYTES = 2 * 2**20
LONGEST_WAIT = 3600  # what a Retry-After may ask for

Shape = TypeVar("Shape")


class Fetcher:
    """A session with one server, opened by its first request."""

    def __init__(self, url: str, *, total_seconds: float = TOTAL_SECONDS) -> None:
        self._url, self._total_seconds = url.rstrip("/"), total_seconds
        self._session: aiohttp.ClientSession | None = None

    async def get(self, path: str, query: Mapping[str, str], shape: type[Shape]) -> Shape:
        """The answer as `shape`.

        Raises:
            SourceFailed: no whole answer, one that is too large, or of another shape.
        """
        try:
            body = await self._read(path, query)
            return msgspec.json.decode(body, type=shape)
        except TimeoutError as error:
            raise SourceFailed(f"no answer within {self._total_seconds} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise SourceFailed(f"no whole answer ({type(error).__name__})") from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise SourceFailed(f"not the expected JSON: {error}") from error

    async def _read(self, path: str, query: Mapping[str, str]) -> bytes:
        session = self._open()
        where = f"{self._url}{path}"
        async with session.get(where, params=query, allow_redirects=False) as response:
            if response.status != 200:
                asked = response.headers.get("Retry-After", "")
                seconds = int(asked[:9]) if asked.isascii() and asked.isdigit() else 0
                wait = min(seconds, LONGEST_WAIT)
                raise SourceFailed(f"HTTP {response.status}", retry_after=wait)
            chunks, size = [], 0
            async for chunk in response.content.iter_any():
                chunks.append(chunk)
                size += len(chunk)
                if size > MOST_BYTES:
                    raise SourceFailed(f"an answer larger than {MOST_BYTES} bytes")
            return b"".join(chunks)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers={"Accept": "application/json", "User-Agent": "deposit-watcher"},
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=self._total_seconds),
                trust_env=False,
            )
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
