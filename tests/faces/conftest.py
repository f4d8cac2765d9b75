"""A shop that is open, on each engine in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from storage import Engine
from tests.api.shop import Shop, open_shop, serve
from tests.faces.asking import face_policy


@pytest.fixture
async def shop(engine: Engine) -> AsyncIterator[Shop]:
    """A shop with the usual configuration."""
    policy = face_policy()
    async with serve(engine, policy) as http:
        yield await open_shop(engine, policy, http)
