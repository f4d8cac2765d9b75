"""What was taken for a webhook just switched off, on or deleted: nothing waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text, update

import storage
from storage import Engine, close, open_engine, schema
from storage.deliveries import Delivery
from tests.real.shop import until
from tests.webhooks.receiver import Office, delivering, open_office
from watcher import clock
from watcher.webhooks.outcomes import set_aside


@pytest.fixture
async def office(engine: Engine) -> AsyncIterator[Office]:
    async with open_office(engine) as opened:
        yield opened


async def take_for(office: Office, state: str) -> tuple[str, Delivery]:
    """The path of a webhook in this state, and what was taken for it, told just before."""
    hook = await office.add()
    await office.shop.create()
    async with storage.write(office.engine) as conn:
        await conn.execute(update(schema.webhooks).values(state=state))
        [lane] = await storage.lanes.due(conn, 10)
        [taken] = await storage.deliveries.take(conn, lane, 10, lease_seconds=60)
    return f"/v1/webhooks/{hook['id']}", taken


async def enable(office: Office, path: str) -> None:
    answer = await office.shop.ask("PATCH", path, json={"enabled": True})
    assert answer.status == 200


async def is_delivered(office: Office) -> None:
    async with delivering(office):
        assert await office.settled() == {"delivered": 1}


async def test_what_was_taken_before_its_webhook_was_enabled_is_due_again(office: Office) -> None:
    path, taken = await take_for(office, "disabled")
    await enable(office, path)
    async with storage.write(office.engine) as conn:
        await set_aside(conn, [taken], clock.now())
    await is_delivered(office)


async def test_enabling_waits_for_what_is_put_back_at_the_same_moment(postgres_url: str) -> None:
    engine = open_engine(postgres_url)
    async with open_office(engine) as office:
        path, taken = await take_for(office, "disabled")
        async with storage.write(engine) as conn:
            await set_aside(conn, [taken], clock.now())
            enabling = asyncio.create_task(enable(office, path))
            await until(lambda: waits_for_a_row(engine), "enabling waits")
        await enabling
        await is_delivered(office)
    await close(engine)


async def waits_for_a_row(engine: Engine) -> bool:
    """Whether some transaction waits for another's lock."""
    here = "datname = current_database() AND wait_event_type = 'Lock'"
    async with storage.read(engine) as conn:
        query = text(f"SELECT count(*) FROM pg_stat_activity WHERE {here}")
        return (await conn.execute(query)).scalar_one() > 0


async def test_what_was_taken_for_a_deleted_webhook_is_dead_and_untried(office: Office) -> None:
    _, taken = await take_for(office, "deleted")
    async with storage.write(office.engine) as conn:
        await set_aside(conn, [taken], clock.now())
    assert await office.states() == {"dead": 1}
    assert await office.log() == []
