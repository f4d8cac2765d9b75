"""Where networks stood, minute by minute."""

from __future__ import annotations

import storage
from storage import Engine
from storage.samples import KEPT_SECONDS, Sample
from tests.factories import NETWORK
from watcher.domain.money import Network

OTHER = Network("tron")


async def test_samples_are_told_oldest_first_from_a_time_on(engine: Engine) -> None:
    async with storage.write(engine) as conn:
        for at in (180, 60, 120):
            await storage.samples.add(conn, NETWORK, Sample(at, at // 60, at))
        await storage.samples.add(conn, OTHER, Sample(120, None, None))
        assert await storage.samples.since(conn, NETWORK, 120) == [
            Sample(120, 2, 120),
            Sample(180, 3, 180),
        ]
        assert await storage.samples.since(conn, OTHER, 0) == [Sample(120, None, None)]


async def test_a_minute_has_one_sample_whoever_takes_another(engine: Engine) -> None:
    async with storage.write(engine) as conn:
        await storage.samples.add(conn, NETWORK, Sample(60, 1, 1))
        await storage.samples.add(conn, NETWORK, Sample(60, 9, 9))
        assert await storage.samples.since(conn, NETWORK, 0) == [Sample(60, 1, 1)]


async def test_what_is_older_than_a_week_is_forgotten_of_this_network_only(engine: Engine) -> None:
    async with storage.write(engine) as conn:
        for network in (NETWORK, OTHER):
            for at in (60, 120):
                await storage.samples.add(conn, network, Sample(at, 0, 0))
        await storage.samples.add(conn, NETWORK, Sample(120 + KEPT_SECONDS, 0, 0))
        kept = [each.at for each in await storage.samples.since(conn, NETWORK, 0)]
        assert kept == [120, 120 + KEPT_SECONDS]
        assert len(await storage.samples.since(conn, OTHER, 0)) == 2
