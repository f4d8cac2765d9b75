"""The shop of the API's tests, whose pages these are; and one in a browser, on one engine."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from storage import close, open_engine
from tests.api.conftest import shop as shop
from tests.api.shop import Shop, make_policy, open_shop, serve


@pytest.fixture
async def stall(sqlite_url: str) -> AsyncIterator[Shop]:
    """A shop whose pages are looked at: what engine it has makes no difference to them."""
    engine, policy = open_engine(sqlite_url), make_policy()
    async with serve(engine, policy) as http:
        made = await open_shop(engine, policy, http)
        await made.pass_time(0)  # no network lags
        yield made
    await close(engine)
