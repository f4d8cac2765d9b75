"""How finely a price can be named: the minor units of ISO 4217."""

from __future__ import annotations

from watcher.domain.money import Price, decimals_of

_CODES = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN "
        "BZD CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS "
        "GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR "
        "LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD "
        "PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN "
        "SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR "
        "ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
MINOR_UNITS = {code: places for places, codes in _CODES.items() for code in codes.split()}
"""Decimals of each currency; a coin is in no such list and has its own."""


def written_out(amount: str, currency: str) -> str:
    """An amount as people write it: "10" USD is 10.00; of a coin, and where it is finer, as is."""
    missing = MINOR_UNITS.get(currency, 0) - decimals_of(amount)
    if missing <= 0:
        return amount
    return f"{amount}{'' if '.' in amount else '.'}{'0' * missing}"


def too_fine(price: Price) -> str | None:
    """Why there is no such price; None: there is."""
    places = MINOR_UNITS.get(price.currency)
    if places is None or decimals_of(price.amount) <= places:
        return None
    return f"{price.currency} has {places or 'no'} decimals"
