"""What deposits add up to, day by day and network by network."""

from __future__ import annotations

from typing import Any

import storage
from storage import Engine, statistics
from storage.statistics import DAY
from tests.factories import NETWORK, make_deposit
from tests.storage.books import open_invoice, open_shop
from watcher.domain.deposits import Deposit, DepositStatus
from watcher.domain.ids import derived_id
from watcher.domain.money import Method, Network

OTHER = Network("tron")
CONFIRMED = DepositStatus.CONFIRMED


def found_at(time: int, tx: str, **facts: Any) -> Deposit:
    """A deposit in a block of this time, with the id that it would have."""
    return make_deposit(time=time, tx=tx, id=derived_id("dep", time, tx), **facts)


async def test_deposits_are_counted_by_network_and_day(engine: Engine) -> None:
    deposits = [
        found_at(DAY - 1, "1"),
        found_at(DAY, "2"),
        found_at(2 * DAY - 1, "3", status=CONFIRMED),
        found_at(DAY, "4", method=Method("tron:trx")),
        found_at(DAY, "5", status=DepositStatus.ORPHANED),
    ]
    async with storage.write(engine) as conn:
        await open_shop(conn)
        await open_invoice(conn)
        await storage.deposits.add(conn, deposits, 0)
        counts = await statistics.per_day(conn, DAY)
        assert counts == {(NETWORK, DAY): 2, (OTHER, DAY): 1}
        assert (await statistics.per_day(conn, 0))[NETWORK, 0] == 1


async def test_delays_are_sorted_into_steps_whose_upper_bound_belongs_to_them(
    engine: Engine,
) -> None:
    delays = (0, 5, 6, 60, 61)
    deposits = [
        found_at(DAY, str(place), detected_at=DAY + delay) for place, delay in enumerate(delays)
    ]
    async with storage.write(engine) as conn:
        await open_shop(conn)
        await open_invoice(conn)
        await storage.deposits.add(conn, deposits, 0)
        spread = await statistics.until_detected(conn, DAY, (5, 60))
        assert spread == {NETWORK: [2, 2, 1]}
        assert await statistics.until_detected(conn, DAY + 1, (5, 60)) == {}


async def test_what_waits_has_no_time_until_it_is_confirmed(engine: Engine) -> None:
    deposits = [
        found_at(DAY, "1"),
        found_at(DAY, "2", status=CONFIRMED, confirmed_at=DAY + 30),
        found_at(DAY, "3", status=DepositStatus.ORPHANED, confirmed_at=DAY + 30),
    ]
    async with storage.write(engine) as conn:
        await open_shop(conn)
        await open_invoice(conn)
        await storage.deposits.add(conn, deposits, 0)
        spread = await statistics.until_confirmed(conn, 0, (5, 60))
    assert spread == {NETWORK: [0, 1, 0]}
