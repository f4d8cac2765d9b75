"""Lanes: which have work now, whatever else waits in them."""

from __future__ import annotations

import pytest

import storage
from storage import Conn, Engine, events, lanes
from storage.lanes import Lane
from storage.merchants import Merchant
from tests.factories import make_id
from tests.storage.books import MERCHANT, open_invoice, open_shop
from watcher.domain.events import Event, EventType

OTHER = make_id("mer", "2")
FUTURE = 2**40  # seconds: never due
HOSTS = ("a.example", "b.example", "c.example")


@pytest.fixture
async def shops(engine: Engine) -> Engine:
    """Two merchants, each with an invoice."""
    async with storage.write(engine) as conn:
        await open_shop(conn)
        await storage.merchants.add(conn, Merchant(OTHER, "Other", 0))
        await open_invoice(conn)
        await open_invoice(conn, "2", merchant_id=OTHER, addresses={})
    return engine


async def tell(conn: Conn, lane: Lane, at: int = 0) -> None:
    """A delivery in this lane, due at this second."""
    merchant, host = lane
    invoice = make_id("inv", "2" if merchant == OTHER else "1")
    event = Event(EventType.INVOICE_UPDATED, merchant, invoice)
    data = {"invoice": {"callback_url": f"https://{host}/"}}
    await events.append(conn, [(event, data)], at)


async def test_every_lane_with_work_is_found_once_and_no_other(shops: Engine) -> None:
    busy = {(MERCHANT, HOSTS[0]), (MERCHANT, HOSTS[2]), (OTHER, HOSTS[1]), (OTHER, HOSTS[2])}
    async with storage.write(shops) as conn:
        assert await lanes.due(conn, 10) == []
        for lane in busy:
            await tell(conn, lane)
            await tell(conn, lane)
            await tell(conn, lane, FUTURE)
        await tell(conn, (MERCHANT, HOSTS[1]), FUTURE)
        found = await lanes.due(conn, 10)
        assert len(found) == len(busy)
        assert set(found) == {(merchant, f"{host}:443") for merchant, host in busy}


async def test_full_merchants_hosts_and_lanes_are_left_out(shops: Engine) -> None:
    async with storage.write(shops) as conn:
        for merchant in (MERCHANT, OTHER):
            for host in HOSTS:
                await tell(conn, (merchant, host))
        a, b, c = (f"{host}:443" for host in HOSTS)
        assert len(await lanes.due(conn, 4)) == 4
        assert set(await lanes.due(conn, 9, full_merchants=[OTHER])) == {
            (MERCHANT, a),
            (MERCHANT, b),
            (MERCHANT, c),
        }
        some = await lanes.due(conn, 9, full_hosts=[a, b], full_lanes=[(OTHER, c), (OTHER, a)])
        assert some == [(MERCHANT, c)]
