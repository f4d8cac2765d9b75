"""The sources of rates that the configuration names, and who asks them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager

from chains.base import ChainClient
from watcher.config import Settings
from watcher.domain.money import Network
from watcher.policy import Policy
from watcher.rates.asking import Asking
from watcher.rates.exchanges import Coinbase, Kraken
from watcher.rates.sources import Chainlink, Source

FIRST_RATES_SECONDS = 3  # what a start waits for them at most


def feeding(policy: Policy) -> set[Network]:
    """The enabled networks on which price feeds are known."""
    return {name for name, network in policy.networks.items() if network.spec.feeds}


@asynccontextmanager
async def open_rates(
    settings: Settings, policy: Policy, clients: Mapping[Network, ChainClient]
) -> AsyncIterator[Asking]:
    """Who keeps `policy.rates` up to date; feeds are asked through `clients`."""
    rates = settings.rates
    feeds = {name: client for name, client in clients.items() if name in feeding(policy)}
    known: dict[str, Source] = {
        "chainlink": Chainlink(feeds),
        "kraken": Kraken(rates.kraken_url),
        "coinbase": Coinbase(rates.coinbase_url),
    }
    asking = Asking(policy.rates, [known[name] for name in rates.sources])
    try:
        yield asking
    finally:
        await asking.close()


@asynccontextmanager
async def keep_rates(
    settings: Settings, policy: Policy, clients: Mapping[Network, ChainClient], wanted: bool
) -> AsyncIterator[list[Callable[[], Coroutine[object, object, None]]]]:
    """What keeps `policy.rates` up to date where that is `wanted`; filled once by then."""
    if not wanted or not settings.rates.sources:
        yield []
        return
    async with open_rates(settings, policy, clients) as asking:
        await asking.ask(FIRST_RATES_SECONDS)
        yield [asking.run]
