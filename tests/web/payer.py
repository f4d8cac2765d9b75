"""A payer without JavaScript: he reads pages, sends their forms, and may listen to what is new."""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientResponse

from tests.api.shop import Json, Shop
from watcher.clock import now
from watcher.web import checkout, live, stream


@dataclass(frozen=True)
class Seen:
    """A page as it came."""

    status: int
    text: str
    headers: Mapping[str, str]

    @property
    def phase(self) -> str:
        [phase] = re.findall(r'<main [^>]*data-phase="(\w+)"', self.text)
        return str(phase)

    @property
    def words(self) -> str:
        """What is to be read, without markup."""
        body = self.text.partition("<body")[2]
        return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))

    def by_id(self, id: str) -> str:
        """The text in the element with this id."""
        [text] = re.findall(rf'id="{id}"[^>]*>([^<]*)<', self.text)
        return html.unescape(text)


async def look(shop: Shop, invoice: Json | str, query: str = "", **headers: str) -> Seen:
    """The page on an invoice."""
    id = invoice if isinstance(invoice, str) else invoice["id"]
    async with shop.http.get(f"/pay/{id}{query}", headers=headers) as response:
        return await _seen(response)


async def send(
    shop: Shop, invoice: Json, form: str, headers: Mapping[str, str] | None = None, **fields: str
) -> Seen:
    """A form of the page, sent, and the page to which that leads."""
    path = f"/pay/{invoice['id']}/{form}"
    async with shop.http.post(path, data=fields, headers=headers) as response:
        return await _seen(response)


async def _seen(response: ClientResponse) -> Seen:
    return Seen(response.status, await response.text(), response.headers)


def move_clock(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    """The wall clock that pages see is so far from the true one; no beat makes them look at it."""
    monkeypatch.setattr(stream, "BEAT_SECONDS", 10**6)
    for module in (checkout, live, stream):
        monkeypatch.setattr(module, "now", lambda: now() + seconds)


@asynccontextmanager
async def listen(shop: Shop, invoice: Json, query: str = "") -> AsyncIterator[AsyncIterator[Json]]:
    """What an open page is told, one by one."""
    async with shop.http.get(f"/pay/{invoice['id']}/events{query}") as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")
        yield _told(response)


async def _told(response: ClientResponse) -> AsyncIterator[Json]:
    async for line in response.content:
        if line.startswith(b"data: "):
            news: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
            yield news
