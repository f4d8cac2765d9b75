"""Sources of rates over true HTTP: what they say, how they lie, and how they are asked again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from fractions import Fraction
from typing import Any, Self

import pytest
from aiohttp import web

from chains.ethereum import ETHEREUM as ETHEREUM_SPEC
from chains.sandbox.evm.flavour import ethereum
from tests.api.shop import make_policy
from tests.chains.sandbox.evm import open_evm, rpc
from tests.fakes import FakeChain
from watcher import clock
from watcher.config import Settings
from watcher.daemon import ask_rates, build_policy
from watcher.domain.money import Address, Network
from watcher.domain.rates import Feed, Limits, Observation, Pair, Round, find_rate
from watcher.operate import examine_rates
from watcher.rates.asking import Asking
from watcher.rates.book import RateBook
from watcher.rates.exchanges import KRAKEN_PAIRS, Coinbase, Kraken
from watcher.rates.http import MOST_BYTES
from watcher.rates.sources import FUTURE_SECONDS, GRACE_SECONDS, Chainlink, SourceFailed

NOW = 1_700_000_000
FEED = Feed(("ETH", "USD"), Address("0x" + "f1" * 20), 3600)

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Exchange:
    """A public API on loopback; `answer` may be replaced."""

    def __init__(self, answer: Answer) -> None:
        self.answer, self.asked, self.url = answer, list[str](), ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        return await self.answer(request)


def says(text: str, *, status: int = 200, **headers: str) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(text=text, status=status, headers=headers)

    return answer


async def breaks_off(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"error":[')
    assert request.transport is not None
    request.transport.close()
    return response


def book(bid: str, ask: str) -> dict[str, list[str]]:
    return {"a": [ask, "1", "1.000"], "b": [bid, "2", "2.000"], "c": [ask, "0.5"]}


def kraken_says(error: list[str] | None = None, **result: object) -> Answer:
    return says(json.dumps({"error": error or [], "result": result}))


def coinbase_says(currency: str = "USD", **rates: object) -> Answer:
    return says(json.dumps({"data": {"currency": currency, "rates": rates}}))


KRAKEN = kraken_says(
    XETHZUSD=book("2999.5", "3000.5"), TRXUSD=book("0.25", "0.25"), ZUSDZJPY=book("150", "150")
)
COINBASE = coinbase_says(ETH="0.0005", EUR="0.8", JPY="150", USDC="1", USD="1", DOGE="5", KWD="0.3")


@pytest.fixture
async def kraken() -> AsyncIterator[tuple[Exchange, Kraken]]:
    async with Exchange(KRAKEN) as exchange:
        source = Kraken(exchange.url)
        yield exchange, source
        await source.close()


@pytest.fixture
async def coinbase() -> AsyncIterator[tuple[Exchange, Coinbase]]:
    async with Exchange(COINBASE) as exchange:
        source = Coinbase(exchange.url)
        yield exchange, source
        await source.close()


def prices(said: Any) -> dict[Pair, Fraction]:
    return {each.pair: each.price for each in said}


async def test_kraken_is_the_middle_of_its_book_and_a_dollar_is_turned_round(
    kraken: tuple[Exchange, Kraken],
) -> None:
    exchange, source = kraken
    said = await source.observe(NOW)
    assert prices(said) == {
        ("ETH", "USD"): Fraction(3000),
        ("TRX", "USD"): Fraction(1, 4),
        ("JPY", "USD"): Fraction(1, 150),
    }
    assert {(each.source, each.at, each.vouched) for each in said} == {("kraken", NOW, True)}
    assert len(exchange.asked) == 1


async def test_coinbase_is_turned_round_and_only_what_we_know_is_taken(
    coinbase: tuple[Exchange, Coinbase],
) -> None:
    _, source = coinbase
    assert prices(await source.observe(NOW)) == {
        ("ETH", "USD"): Fraction(2000),
        ("EUR", "USD"): Fraction(5, 4),
        ("JPY", "USD"): Fraction(1, 150),
        ("KWD", "USD"): Fraction(10, 3),
    }


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(says("<html>Just a moment</html>"), "not the expected JSON", id="HTML"),
        pytest.param(says("[" * 100_000), "not the expected JSON", id="nested"),
        pytest.param(says("{}"), "not the expected JSON", id="another shape"),
        pytest.param(
            kraken_says(XETHZUSD={"a": [3000.5, "1", "1"], "b": ["1", "1", "1"]}),
            "not the expected JSON",
            id="numbers that are no text",
        ),
        pytest.param(breaks_off, "no whole answer", id="cut"),
        pytest.param(says("", status=503), "HTTP 503", id="503"),
        pytest.param(says("", status=302, Location="/x"), "HTTP 302", id="elsewhere"),
        pytest.param(says("x" * (MOST_BYTES + 1)), "larger than", id="too large"),
        pytest.param(kraken_says(["EService:Busy"]), "EService:Busy", id="its own error"),
        pytest.param(kraken_says(), "none of the pairs", id="nothing"),
        pytest.param(kraken_says(XETHZUSD=book("0", "0")), "none of the pairs", id="zero"),
        pytest.param(kraken_says(XETHZUSD=book("-5", "-4")), "none of the pairs", id="negative"),
        pytest.param(kraken_says(XETHZUSD=book("3001", "3000")), "none of the pairs", id="crossed"),
        pytest.param(kraken_says(DOGEUSD=book("1", "1")), "none of the pairs", id="others"),
    ],
)
async def test_what_is_no_answer_of_kraken(
    kraken: tuple[Exchange, Kraken], answer: Answer, reason: str
) -> None:
    exchange, source = kraken
    exchange.answer = answer
    with pytest.raises(SourceFailed, match=reason):
        await source.observe(NOW)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(coinbase_says("EUR", ETH="0.001"), "got others", id="another currency"),
        pytest.param(coinbase_says(ETH=0.001), "not the expected JSON", id="a number"),
        pytest.param(coinbase_says(ETH="0"), "none of the pairs", id="zero"),
        pytest.param(coinbase_says(ETH="1e-4"), "none of the pairs", id="not plain"),
    ],
)
async def test_what_is_no_answer_of_coinbase(
    coinbase: tuple[Exchange, Coinbase], answer: Answer, reason: str
) -> None:
    exchange, source = coinbase
    exchange.answer = answer
    with pytest.raises(SourceFailed, match=reason):
        await source.observe(NOW)


async def test_nobody_there_is_a_failure_too() -> None:
    source = Kraken("http://127.0.0.1:9")
    with pytest.raises(SourceFailed, match="no whole answer"):
        await source.observe(NOW)
    await source.close()


async def test_a_pair_that_kraken_dropped_does_not_take_the_others_along(
    kraken: tuple[Exchange, Kraken],
) -> None:
    exchange, source = kraken

    async def without_dai(request: web.Request) -> web.StreamResponse:
        names = request.query["pair"].split(",")
        if "DAIUSD" in names:
            return await kraken_says(["EQuery:Unknown asset pair"])(request)
        return await kraken_says(**{name: book("2", "2") for name in names})(request)

    exchange.answer = without_dai
    said = prices(await source.observe(NOW))
    assert set(said) == {tuple(sorted(p, key="USD".__eq__)) for p in KRAKEN_PAIRS.values()} - {
        ("DAI", "USD")
    }
    exchange.asked.clear()
    assert prices(await source.observe(NOW)) == said
    assert len(exchange.asked) == 1


async def test_all_sources_over_the_wire_and_then_two_of_them_dead() -> None:
    feeds = {feed.pair[0]: feed.address for feed in ETHEREUM_SPEC.feeds}
    flavour = ethereum(ETHEREUM_SPEC.chain_id, ETHEREUM_SPEC.assets, list(feeds.values()))
    async with (
        open_evm(flavour) as node,
        Exchange(kraken_says(TRXUSD=book("0.25", "0.25"), ZEURZUSD=book("1.25", "1.25"))) as one,
        Exchange(coinbase_says(TRX="4", EUR="0.8")) as other,
    ):
        for name, units in [("TRX", "25000000"), ("EUR", "125000000")]:
            order = {"address": feeds[name], "price": units, "updated_at": clock.now()}
            await rpc(node, "sandbox_feed", order)
        node.mine(4)
        settings = settings_for(node.url, one.url, other.url)
        for alive in (3, 1):
            policy = build_policy(settings)
            await ask_rates(settings, policy)
            found = find_rate(policy.rates.market(clock.now()), "EUR", "TRX")
            assert found is not None
            assert found.text == "0.2"
            assert len({each.source for each in found.said}) == alive
            one.answer = other.answer = says("<html>", status=503)


def settings_for(node: str, kraken: str, coinbase: str) -> Settings:
    endpoint = {"name": "a", "url": node}
    return Settings(
        **{
            "admin": {"token": "an-admin-token-of-some-length"},
            "secrets": {"key_file": "unused.key"},
            "networks": {"ethereum": {"endpoints": [endpoint], "genesis_hash": "any"}},
            "rates": {"kraken_url": kraken, "coinbase_url": coinbase},
        }
    )


async def test_doctor_names_the_dead_source_the_unpriced_and_the_disputed() -> None:
    policy = make_policy(rates={})
    trx = ("TRX", "USD")
    policy.rates.heard("kraken", [Observation("kraken", trx, Fraction(1), NOW)], NOW)
    policy.rates.heard("coinbase", [Observation("coinbase", trx, Fraction(2), NOW)], NOW)
    policy.rates.failed("chainlink", "nobody answers")
    found = {each.check: (each.ok, each.detail) for each in examine_rates(policy, NOW)}
    assert found["kraken"] == (True, "1 pairs")
    assert found["chainlink"] == (None, "nobody answers")
    assert found["prices"][0] is None
    assert "DAI, ETH, USDT" in found["prices"][1]
    assert "differ" in found["TRX/USD"][1]


def told(price: str, *, age: int = 0, feed: Feed = FEED, vouched: bool = True) -> Round:
    return Round(feed, Fraction(price), NOW - age, vouched)


def chainlink(**rounds: list[Round] | None) -> Chainlink:
    """Over networks whose feeds say this; None: they do not answer."""
    chains = {}
    for name, fed in rounds.items():
        chain = chains[Network(name)] = FakeChain()
        chain.fed, chain.down = fed or [], fed is None
    return Chainlink(chains)


@pytest.mark.parametrize(
    ("age", "usable"),
    [
        (0, True),
        (3600 + GRACE_SECONDS, True),
        (3601 + GRACE_SECONDS, False),
        (-FUTURE_SECONDS, True),
        (-FUTURE_SECONDS - 1, False),
    ],
)
async def test_a_feed_that_missed_its_heartbeat_says_nothing(age: int, usable: bool) -> None:
    source = chainlink(ethereum=[told("3000", age=age)])
    if usable:
        [said] = await source.observe(NOW)
        assert (said.at, said.updated_at) == (NOW, NOW - age)
    else:
        with pytest.raises(SourceFailed, match="no feed says a price of today"):
            await source.observe(NOW)


async def test_feeds_of_several_networks_are_one_source_with_the_newest_vouched_word() -> None:
    newer_alone = told("9000", vouched=False)
    source = chainlink(ethereum=[told("3000", age=60)], polygon=[told("3001", age=5), newer_alone])
    assert [each.price for each in await source.observe(NOW)] == [3001]


async def test_one_network_that_is_away_leaves_the_other() -> None:
    source = chainlink(ethereum=None, polygon=[told("3000")])
    assert [each.price for each in await source.observe(NOW)] == [3000]


async def test_without_any_network_there_are_no_feeds() -> None:
    with pytest.raises(SourceFailed, match="ethereum: "):
        await chainlink(ethereum=None).observe(NOW)
    with pytest.raises(SourceFailed, match="no network with price feeds"):
        await Chainlink({}).observe(NOW)


class Scripted:
    """A source that says what it is told to, and may wait or break."""

    name = "scripted"

    def __init__(self, price: str | Exception = "3000") -> None:
        self.price, self.asked, self.closed = price, 0, False
        self.gate = asyncio.Event()
        self.gate.set()

    async def observe(self, now: int) -> list[Observation]:
        self.asked += 1
        await self.gate.wait()
        if isinstance(self.price, Exception):
            raise self.price
        return [Observation(self.name, FEED.pair, Fraction(self.price), now)]

    async def close(self) -> None:
        self.closed = True


def eth(rates: RateBook, now: int | None = None) -> Fraction | None:
    found = rates.market(now or 0).rates.get(FEED.pair)
    return found.price if found else None


@pytest.fixture
def rates() -> RateBook:
    return RateBook(sources=["scripted"], limits=Limits(max_age_seconds=10**10))


async def test_what_a_source_says_is_in_the_book(rates: RateBook) -> None:
    asking = Asking(rates, [Scripted()])
    await asking.ask()
    assert eth(rates) == 3000
    [row] = rates.report(0)["sources"]
    assert (row["pairs"], row["last_error"]) == (1, None)


async def test_a_failure_keeps_the_last_word_which_ages(rates: RateBook) -> None:
    source = Scripted()
    asking = Asking(rates, [source])
    await asking.ask()
    source.price = SourceFailed("HTTP 503")
    await asking.ask()
    assert eth(rates) == 3000
    assert eth(rates, 10**11) is None
    assert rates.report(0)["sources"][0]["last_error"] == "HTTP 503"
    source.price = "3100"
    await asking.ask()
    assert eth(rates) == 3100
    assert rates.report(0)["sources"][0]["last_error"] is None


async def test_a_fault_of_our_own_stops_no_other_source(rates: RateBook) -> None:
    broken, other = Scripted(KeyError("x")), Scripted()
    broken.name = "broken"
    book = RateBook(sources=["broken", "scripted"], limits=Limits(10**10))
    await Asking(book, [broken, other]).ask()
    assert eth(book) == 3000
    assert "our own" in book.report(0)["sources"][0]["last_error"]


async def test_a_source_that_asks_us_to_wait_is_left_alone(rates: RateBook) -> None:
    source = Scripted(SourceFailed("HTTP 429", retry_after=60))
    asking = Asking(rates, [source])
    await asking.ask()
    await asking.ask()
    assert source.asked == 1


async def test_retry_after_is_read(kraken: tuple[Exchange, Kraken]) -> None:
    exchange, source = kraken
    for header, seconds in [("30", 30), ("999999", 3600), ("Sun, 06 Nov 1994 08:49:37 GMT", 0)]:
        exchange.answer = says("", status=429, **{"Retry-After": header})
        with pytest.raises(SourceFailed, match="HTTP 429") as failure:
            await source.observe(NOW)
        assert failure.value.retry_after == seconds


async def test_who_asks_while_another_asks_joins_him(rates: RateBook) -> None:
    source = Scripted()
    source.gate.clear()
    asking = Asking(rates, [source])
    await asking.ask(0)  # has no patience at all
    assert eth(rates) is None
    both = asyncio.gather(asking.ask(), asking.ask())
    await asyncio.sleep(0)
    source.gate.set()
    await both
    assert (source.asked, eth(rates)) == (1, 3000)


async def test_closing_ends_what_is_asked(rates: RateBook) -> None:
    source = Scripted()
    source.gate.clear()
    asking = Asking(rates, [source])
    await asking.ask(0)
    await asking.close()
    assert source.closed
    assert eth(rates) is None
