"""BitGPT 402pay: its words for currencies."""

from __future__ import annotations

COINS = {
    "BITCOIN": "BTC",
    "ETHEREUM": "ETH",
    "USDT": "USDT",
    "USDC": "USDC",
    "USDC_NATIVE": "USDC",
    "SOLANA": "SOL",
    "BINANCE_COIN": "BNB",
    "RIPPLE": "XRP",
    "POLYGON": "POL",
    "TRON": "TRX",
    "LITECOIN": "LTC",
    "BITCOIN_CASH": "BCH",
    "DOGECOIN": "DOGE",
}
_FIAT = (
    "USD EUR CHF GBP AUD JPY CNY CAD HKD SGD SEK KRW NOK NZD INR MXN TWD ZAR BRL DKK PLN THB ILS "
    "IDR CZK AED TRY HUF CLP SAR PHP MYR COP RUB RON PEN"
)
CURRENCIES = {**COINS, **{code: code for code in _FIAT.split()}}
"""Every word of the original for a currency, and what it is to us."""
_SPELLED = {code: word for word, code in COINS.items() if word != "USDC_NATIVE"}


def word_of(symbol: str) -> str:
    """A currency as the original spells it: bridged ether is ether; others keep their code."""
    return _SPELLED.get("ETH" if symbol.upper() == "WETH" else symbol.upper(), symbol.upper())
