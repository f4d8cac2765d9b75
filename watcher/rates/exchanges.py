"""What exchanges say in public, without a key: Kraken's order books, Coinbase's exchange rates."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction

import msgspec

from watcher.domain.currencies import MINOR_UNITS
from watcher.domain.rates import Observation, Pair, parse_quotation
from watcher.rates.http import Fetcher
from watcher.rates.sources import SourceFailed

# Kraken's own names of its pairs, which its answers use; a dollar may be the base.
KRAKEN_PAIRS: dict[str, Pair] = {
    "XETHZUSD": ("ETH", "USD"),
    "XXBTZUSD": ("BTC", "USD"),
    "POLUSD": ("POL", "USD"),
    "TRXUSD": ("TRX", "USD"),
    "USDTZUSD": ("USDT", "USD"),
    "USDCUSD": ("USDC", "USD"),
    "DAIUSD": ("DAI", "USD"),
    "ZEURZUSD": ("EUR", "USD"),
    "ZGBPZUSD": ("GBP", "USD"),
    "ZUSDZJPY": ("USD", "JPY"),
}
# USDC is not among them: Coinbase takes it for a dollar, which is no observation of its price.
COINBASE_CODES = ("ETH", "BTC", "POL", "TRX", "USDT", "DAI")


class _Ticker(msgspec.Struct):
    """The best prices of one order book: price first, then volumes."""

    a: tuple[str, str, str]
    b: tuple[str, str, str]


class _Tickers(msgspec.Struct):
    error: list[str]
    result: dict[str, _Ticker] = {}


class _Rates(msgspec.Struct):
    currency: str
    rates: dict[str, str]


class _ExchangeRates(msgspec.Struct):
    data: _Rates


class Kraken:
    """Half-way between the best bid and the best ask (docs.kraken.com, Get Ticker Information)."""

    name = "kraken"

    def __init__(self, url: str) -> None:
        self._fetcher, self._traded = Fetcher(url), list(KRAKEN_PAIRS)

    async def observe(self, now: int) -> Sequence[Observation]:
        try:
            tickers = await self._tickers(self._traded)
        except _UnknownPair:  # one name that is gone makes it refuse them all
            tickers = await self._one_by_one()
        prices = {name: _middle(ticker) for name, ticker in tickers.items()}
        return _observations(self.name, {KRAKEN_PAIRS[n]: prices.get(n) for n in KRAKEN_PAIRS}, now)

    async def _tickers(self, names: Collection[str]) -> dict[str, _Ticker]:
        query = {"pair": ",".join(names)}
        answer = await self._fetcher.get("/0/public/Ticker", query, _Tickers)
        if any("Unknown asset pair" in each for each in answer.error):
            raise _UnknownPair("; ".join(answer.error)[:200])
        if answer.error:
            raise SourceFailed("; ".join(answer.error)[:200])
        return answer.result

    async def _one_by_one(self) -> dict[str, _Ticker]:
        """In turn, as it allows about one request a second; what is gone is asked no more."""
        found: dict[str, _Ticker] = {}
        for name in tuple(self._traded):
            try:
                found |= await self._tickers([name])
            except _UnknownPair:
                self._traded.remove(name)
        return found

    async def close(self) -> None:
        await self._fetcher.close()


class Coinbase:
    """How much of everything a dollar buys, turned round (docs.cdp.coinbase.com, Exchange Rates).

    Every currency of states is in it; of coins only those that we know under the same name.
    """

    name = "coinbase"

    def __init__(self, url: str) -> None:
        self._fetcher = Fetcher(url)

    async def observe(self, now: int) -> Sequence[Observation]:
        answer = await self._fetcher.get("/v2/exchange-rates", {"currency": "USD"}, _ExchangeRates)
        if answer.data.currency != "USD":
            raise SourceFailed("asked for rates of USD, got others")
        prices = {
            ("USD", code): _quotation(text)
            for code, text in answer.data.rates.items()
            if code in COINBASE_CODES or (code in MINOR_UNITS and code != "USD")
        }
        return _observations(self.name, prices, now)

    async def close(self) -> None:
        await self._fetcher.close()


class _UnknownPair(SourceFailed):
    """A pair is not traded any more."""


def _middle(ticker: _Ticker) -> Fraction | None:
    ask, bid = _quotation(ticker.a[0]), _quotation(ticker.b[0])
    return (ask + bid) / 2 if ask and bid and ask >= bid else None


def _quotation(text: str) -> Fraction | None:
    """None where there is no price: an empty order book says 0."""
    try:
        return parse_quotation(text)
    except ValueError:
        return None


def _observations(
    source: str, prices: Mapping[Pair, Fraction | None], now: int
) -> list[Observation]:
    """Of what has a price, against dollars."""
    found = [
        Observation(source, pair[::-1], 1 / price, now)
        if pair[0] == "USD"
        else Observation(source, pair, price, now)
        for pair, price in prices.items()
        if price is not None
    ]
    if not found:
        raise SourceFailed("a price of none of the pairs that were asked for")
    return found
