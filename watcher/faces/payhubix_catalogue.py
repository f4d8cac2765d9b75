"""PayHubix: the numbers and objects of its currencies."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from urllib.parse import urlsplit

from watcher.domain.money import Network
from watcher.faces.methods import network_of
from watcher.policy import Policy
from watcher.render import Json

NETWORKS = {"tron": 1, "ethereum": 2, "polygon": 3}
CURRENCIES = {
    "tron:trx": 1,
    "tron:usdt": 2,
    "ethereum:eth": 3,
    "ethereum:usdt": 4,
    "ethereum:usdc": 5,
    "ethereum:dai": 6,
    "polygon:pol": 7,
    "polygon:usdt": 8,
    "polygon:usdc": 9,
    "polygon:dai": 10,
    "polygon:weth": 11,
}
NAMES = {
    "ETH": "Ethereum",
    "POL": "Polygon",
    "TRX": "Tron",
    "USDT": "Tether",
    "USDC": "USD Coin",
    "DAI": "Dai",
    "WETH": "Wrapped Ether",
}
OTHERS = 2**30
"""Numbers from here on are hashes of methods that have none of their own."""


def currency_id(method: str) -> int:
    """The number of a method, the same for ever; testnets have those of their mainnets."""
    code = f"{network_of(method)}:{method.partition(':')[2]}"
    hashed = int.from_bytes(hashlib.sha256(code.encode()).digest()[:4], "big") >> 2
    return CURRENCIES.get(code, OTHERS + hashed)


def methods_by_id(methods: Iterable[str]) -> dict[int, str]:
    """What each number stands for; raises ValueError where one would stand for two."""
    found: dict[int, str] = {}
    for method in methods:
        other = found.setdefault(currency_id(method), method)
        if other != method:
            raise ValueError(f"{other} and {method} have the same number in PayHubix's catalogue")
    return found


def show_currency(policy: Policy, method: str, symbol: str, decimals: int, native: bool) -> Json:
    """What can be paid with."""
    name = Network(method.partition(":")[0])
    network = policy.networks.get(name)
    scanner = urlsplit(network.spec.explorer.transaction) if network else None
    return {
        "currency_id": currency_id(method),
        "currency_name": NAMES.get(symbol, symbol),
        "currency_status": "Enable" if network else "Disable",
        "currency_symbol": symbol,
        "currency_type": "Crypto",
        "currency_icon_url": "",
        "slug": "",
        "network_id": NETWORKS.get(network_of(method), 0),
        "network_symbol": network.spec.assets[0].symbol if network else "",
        "network_status": "Enable" if network else "Disable",
        "network_name": network.spec.title if network else name,
        "network_icon_url": "",
        "network_scanner_url": f"{scanner.scheme}://{scanner.netloc}" if scanner else "",
        "fee_withdraw": 0,
        "fee_payment": 0,
        "minimum_withdraw": 0,
        "precision": decimals,
        "withdrawable": False,
        "paymentable": network is not None,
        "status": "",
        "is_native": native,
    }


def show_fiat(code: str, decimals: int) -> Json:
    """What a price may be in."""
    return {
        "currency_id": currency_id(f"fiat:{code}"),
        "currency_name": code,
        "currency_status": "Enable",
        "currency_symbol": code,
        "currency_type": "Fiat",
        "currency_icon_url": "",
        "slug": "",
        "network_id": 0,
        "network_symbol": "",
        "network_status": "",
        "network_name": "",
        "network_icon_url": "",
        "network_scanner_url": "",
        "fee_withdraw": 0,
        "fee_payment": 0,
        "minimum_withdraw": 0,
        "precision": decimals,
        "withdrawable": False,
        "paymentable": False,
        "status": "",
        "is_native": False,
    }
