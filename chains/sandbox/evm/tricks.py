"""What only looks like a payment, or is one in disguise: calls that somebody makes.

Tron's chains have the same contracts, and so the same calls. The rows are those of chains.md 6.
"""

from __future__ import annotations

from collections.abc import Callable

from chains.sandbox.control import Way
from chains.sandbox.evm.contracts import (
    BATCH,
    CRIER,
    FORCER,
    HOLDER,
    LENDER,
    PAY,
    PULL,
    SKIM,
    TRANSFER,
    batch,
    cry,
    token_call,
    token_transfer,
    word,
)
from chains.sandbox.evm.orders import Order
from watcher.domain.money import Address

APPROVAL = "0x8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925"
"""keccak("Approval(address,address,uint256)")"""

OfToken = Callable[[Address, Address, int], Order]
OfCoin = Callable[[Address, int], Order]


def trick(way: Way, token: Address | None, to: Address, units: int) -> Order:
    """The call that pays `units` of `token`, None: of the coin, in that way.

    Raises:
        ValueError: this network has no such way, or not for that.
    """
    if way in _ANY:
        return _ANY[way](token, to, units)
    if token is None and way in _COIN:
        return _COIN[way](to, units)
    if token is not None and way in _TOKEN:
        return _TOKEN[way](token, to, units)
    asset = "the coin" if token is None else "a token"
    raise ValueError(f"no payment of {asset} here is {way}")


def _single(token: Address | None, to: Address, units: int) -> Order:
    return Order(to, units) if token is None else token_transfer(token, to, units)


def _twice(token: Address | None, to: Address, units: int) -> Order:
    return batch([_single(token, to, units)] * 2)


def _forged(token: Address | None, to: Address, units: int) -> Order:
    return cry(CRIER, _said(to), word(units))


def _pulled(token: Address, to: Address, units: int) -> Order:
    return token_call(token, PULL, HOLDER, to, units)


def _poison(token: Address, to: Address, units: int) -> Order:
    return _pulled(token, to, 0)


def _skimmed(token: Address, to: Address, units: int) -> Order:
    return token_call(token, SKIM, to, units)


def _denied(token: Address, to: Address, units: int) -> Order:
    return token_call(token, PAY, to, units, 0)


def _bounced(token: Address, to: Address, units: int) -> Order:
    back = token_call(token, PULL, to, BATCH, units)
    return batch([token_transfer(token, to, units), back])


def _approval(token: Address, to: Address, units: int) -> Order:
    return cry(token, (APPROVAL, *_said(to)[1:]), word(units))


def _indexed(token: Address, to: Address, units: int) -> Order:
    return cry(token, (*_said(to), f"0x{word(units)}"), "")


def _malformed(token: Address, to: Address, units: int) -> Order:
    return cry(token, _said(to), word(units) + word(units))


def _dirty(token: Address, to: Address, units: int) -> Order:
    topic, sender, _ = _said(to)
    return cry(token, (topic, sender, f"0x{'ff' * 12}{to[2:]}"), word(units))


def _said(to: Address) -> tuple[str, str, str]:
    """The topics of a token's payment."""
    return TRANSFER, f"0x{word(HOLDER)}", f"0x{word(to)}"


def _forced(to: Address, units: int) -> Order:
    return Order(FORCER, units, bytes.fromhex(word(to)))


def _lent(to: Address, units: int) -> Order:
    return Order(LENDER, units, bytes.fromhex(word(to)))


_ANY: dict[Way, Callable[[Address | None, Address, int], Order]] = {
    "twice": _twice,
    "forged": _forged,  # 5
}
_COIN: dict[Way, OfCoin] = {"lent": _lent, "forced": _forced}  # 14, 15
_TOKEN: dict[Way, OfToken] = {
    "denied": _denied,  # 3
    "indexed": _indexed,  # 6
    "malformed": _malformed,  # 6
    "dirty": _dirty,  # 6
    "poison": _poison,  # 7
    "approval": _approval,  # 9
    "bounced": _bounced,  # 13
    "skimmed": _skimmed,  # 20
    "pulled": _pulled,  # 29
}
