"""A callback whose receiver is gone is told of nothing more, until somebody asks for it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from storage import Engine
from tests.webhooks.receiver import Office, delivering, open_office


@pytest.fixture
async def office(engine: Engine) -> AsyncIterator[Office]:
    async with open_office(engine) as opened:
        yield opened


async def call_back(office: Office, *manners: int) -> str:
    """The path of an invoice with a callback that answers so."""
    office.receiver.manners["/callback"] = list(manners)
    url = office.receiver.url("/callback")
    invoice = await office.shop.create(methods=["ethereum:usdt", "ethereum:eth"], callback_url=url)
    return f"/v1/invoices/{invoice['id']}"


async def select(office: Office, path: str, method: str) -> None:
    """One event more."""
    answer = await office.shop.post(f"{path}/select", {"method": method})
    assert answer.status == 200


async def test_a_callback_that_is_gone_is_told_of_nothing_more(office: Office) -> None:
    path = await call_back(office, 410, 200)
    await select(office, path, "ethereum:eth")
    async with delivering(office):
        assert await office.settled() == {"dead": 2}
        await select(office, path, "ethereum:usdt")
        assert await office.settled() == {"dead": 3}
    assert office.receiver.types("/callback") == ["invoice.created"]


async def test_the_callback_of_another_invoice_at_that_host_goes_on(office: Office) -> None:
    await call_back(office, 410, 200)
    async with delivering(office):
        assert await office.settled() == {"dead": 1}
        await call_back(office, 200)
        assert await office.settled() == {"dead": 1, "delivered": 1}


async def test_a_callback_that_ended_goes_on_once_anything_is_delivered_again(
    office: Office,
) -> None:
    path = await call_back(office, 410, 200)
    async with delivering(office):
        await office.settled()
        [ended] = await office.deliveries()
        assert (await office.shop.post(f"/v1/deliveries/{ended.id}/redeliver")).status == 202
        assert await office.settled() == {"delivered": 1}
        await select(office, path, "ethereum:eth")
        assert await office.settled() == {"delivered": 2}
