"""A node for every story."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from chains import health as endpoint_health
from chains import pace
from tests.anvil import Anvil
from tests.proxy import Proxy
from tests.real.shop import TETHER
from watcher import finality
from watcher import follower as follower_module


@pytest.fixture
def anvil() -> Iterator[Anvil]:
    """A node of chain id 1 with a token where USDT is; its finality is out of the stories' way."""
    with Anvil(epoch_slots=64) as node:
        node.put_token(TETHER)
        yield node


@pytest.fixture
async def proxy(anvil: Anvil) -> AsyncIterator[Proxy]:
    """What stands before the node and may fail."""
    async with Proxy(anvil.url) as node:
        yield node


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits and back-offs of a second or more become short: stories are about what follows."""
    monkeypatch.setattr(finality, "ASK_SECONDS", 0)
    monkeypatch.setattr(follower_module, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(follower_module, "LONGEST_PAUSE", 0.05)
    # A back-off is tested by its clock elsewhere; here, that nothing is lost while it lasts.
    monkeypatch.setattr(endpoint_health, "BACKOFF_SECONDS", 0.05)
    monkeypatch.setattr(endpoint_health, "BACKOFF_CAP", 0.1)
    monkeypatch.setattr(pace, "SLOWEST", 1000.0)
