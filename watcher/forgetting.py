"""Forgetting old events, with the deliveries that brought them, where the configuration says so."""

from __future__ import annotations

from functools import partial

import storage
from storage import Engine

AT_ONCE = 1000


async def forget_events(engine: Engine, keep_seconds: int, now: int) -> None:
    """Delete what was told more than so many seconds ago, a few at a time."""
    before = now - keep_seconds
    async with storage.read(engine) as conn:
        merchants = await storage.merchants.listing(conn)
    for merchant in merchants:
        some = partial(storage.events.prune, merchant_id=merchant.id, before=before, limit=AT_ONCE)
        while await storage.repeat(engine, some):
            pass
