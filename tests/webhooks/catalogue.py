"""A true example of every event: `python -m tests.webhooks.catalogue` writes docs/events.md.

A shop lives through all that can happen to an invoice, by a clock that only the story moves. Ids
differ from run to run; they are replaced by fixed ones, in the order in which they appear.
"""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import storage
from storage import Engine, close, open_engine
from storage.migrate import migrate
from tests.api.shop import Shop, make_policy, open_shop, serve
from watcher import clock
from watcher.domain.events import EventType
from watcher.domain.ids import derived_id
from watcher.render import render_event

PAGE = Path(__file__).parents[2] / "docs" / "events.md"
WIDTH = 140
HEADER = """\
# Events, each with a true example

What [webhooks](webhooks.md) bring. The examples come from a test run on a made-up chain;
`python -m tests.webhooks.catalogue` writes this page.
"""
ID = re.compile(r"\b([a-z]{2,3})_[0-9A-HJKMNP-TV-Z]{26}\b")
BEGIN = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp())
STEP_SECONDS = 15


class Clock:
    """What the program takes for the wall clock."""

    def __init__(self) -> None:
        self.seconds, self._ids = BEGIN, 0

    def time(self) -> int:
        return self.seconds

    def time_ns(self) -> int:
        self._ids += 1  # ids sort by their time, so each has its own
        return self.seconds * 10**9 + self._ids * 10**6


async def write_page(engine: Engine) -> str:
    """The whole page, from a run on this empty database."""
    policy, wall = make_policy(), Clock()
    true_time, clock.time = clock.time, wall
    try:
        async with serve(engine, policy) as http:
            shop = await open_shop(engine, policy, http)
            async for _ in live(shop):
                wall.seconds += STEP_SECONDS
    finally:
        clock.time = true_time
    async with storage.read(engine) as conn:
        log = await storage.events.after(conn, shop.merchant_id, 0, 1000)
    first = {event.type: event for event in reversed(log)}
    parts = [HEADER]
    for kind in EventType:
        shown = lay_out(render_event(policy, first[kind]))
        parts.append(f"## {kind.value}\n\n```json\n{shown}\n```\n")
    return steady("\n".join(parts))


async def live(shop: Shop) -> AsyncIterator[None]:
    """All that can happen to an invoice, once; yields where time passes."""
    await shop.pass_time(0)
    paid = await shop.create(methods=["ethereum:usdt", "ethereum:eth"], external_id="8821")
    select = f"/v1/invoices/{paid['id']}/select"
    await shop.post(select, {"method": "ethereum:eth"})
    yield
    address = (await shop.post(select, {"method": "ethereum:usdt"})).body["quotes"][0]["address"]
    await shop.pay(address, 4_000_000, tx="1")
    yield
    await shop.pay(address, 7_000_000, tx="2")  # more than is due: flags change once it is paid
    yield
    await mine(shop, 3)
    yield
    shop.chain.reorg(depth=5)
    await mine(shop, 6)
    yield
    cancelled = await shop.create()
    await shop.post(f"/v1/invoices/{cancelled['id']}/cancel")
    await shop.create(valid_for="1m")
    short = await shop.create(methods=["ethereum:usdt"], valid_for="5m")
    await shop.pay(short["quotes"][0]["address"], 5_000_000, tx="3")
    yield
    unsure = await shop.create(methods=["ethereum:usdt"])
    await shop.pay(unsure["quotes"][0]["address"], tx="4")
    yield
    shop.chain.reorg(depth=1)
    await mine(shop, 3)
    yield
    await shop.pass_time(600)
    await mine(shop, 3)
    yield


async def mine(shop: Shop, blocks: int) -> None:
    """Followed one by one: in a batch it is chance in which of them a deposit is confirmed."""
    for _ in range(blocks):
        await shop.mine()


def lay_out(value: Any, indent: int = 0) -> str:
    """JSON that breaks a line only where it would be too long."""
    short = json.dumps(value, ensure_ascii=False)
    if len(short) + indent <= WIDTH or not isinstance(value, dict | list) or not value:
        return short
    pad = " " * (indent + 2)
    if isinstance(value, dict):
        lines = [f"{json.dumps(key)}: {lay_out(each, indent + 2)}" for key, each in value.items()]
        opening, closing = "{", "}"
    else:
        lines = [lay_out(each, indent + 2) for each in value]
        opening, closing = "[", "]"
    inner = f",\n{pad}".join(lines)
    return f"{opening}\n{pad}{inner}\n{' ' * indent}{closing}"


def steady(text: str) -> str:
    """The page with ids that are the same on every run."""
    ids: dict[str, str] = {}
    for match in ID.finditer(text):
        ids.setdefault(match[0], derived_id(match[1], BEGIN, str(len(ids))))
    return ID.sub(lambda match: ids[match[0]], text)


async def main() -> None:
    """Write the page."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{folder}/catalogue.db")
        await migrate(engine)
        PAGE.write_text(await write_page(engine))
        await close(engine)


if __name__ == "__main__":
    asyncio.run(main())
