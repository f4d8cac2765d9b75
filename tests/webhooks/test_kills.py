"""Processes that deliver: killed in their work, and several at once."""

from __future__ import annotations

from collections import Counter

import pytest

from storage import close, open_engine
from tests.webhooks.kills import INVOICES_PER_RUN, process, survive_kills, tell
from tests.webhooks.receiver import open_office


@pytest.mark.timeout(300)  # a process is started six times, and leases run out
async def test_a_killed_process_loses_no_event(db_url: str) -> None:
    assert await survive_kills(db_url, kills=5, seed=7) == 6 * INVOICES_PER_RUN * 4


async def test_two_processes_never_send_one_event_at_once(postgres_url: str) -> None:
    engine = open_engine(postgres_url)
    async with open_office(engine) as office:
        await office.add()
        office.receiver.manners["/hook"] = ["slowly"]
        with process(postgres_url), process(postgres_url):
            for _ in range(4):
                await tell(office)
            states = await office.settled()
        assert set(states) == {"delivered"}
        ids = Counter(call.id for call in office.receiver.calls)
        assert len(ids) == states["delivered"]
        assert max(ids.values()) == 1
    await close(engine)
