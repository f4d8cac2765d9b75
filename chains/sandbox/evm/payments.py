"""What `sandbox pay` orders, as transactions of the toy chain."""

from __future__ import annotations

from collections.abc import Callable

from chains.evm.address import parse
from chains.sandbox.control import Hold, Pay, Way
from chains.sandbox.evm.chain import EvmChain
from chains.sandbox.evm.contracts import (
    COLLECTIBLE,
    FAKE_TOKEN,
    batch,
    token_transfer,
    trapped,
)
from chains.sandbox.evm.feeds import FEED, Feed, price, updated
from chains.sandbox.evm.orders import Order
from chains.sandbox.evm.polygon import COIN, through_contract
from chains.sandbox.evm.tricks import trick
from chains.sandbox.state import coin, holding
from watcher.domain.money import MAX_UNITS, Address


def pay(chain: EvmChain, payment: Pay) -> str | None:
    """Order a payment; the transaction's hash with 0x, None before it has one (a bridge deposit).

    Raises:
        ValueError: not an address, no such token here, or more than may move at once.
    """
    to, units = parse(payment.to), int(payment.units)
    if units > MAX_UNITS:
        raise ValueError("more units than 2**256 - 1")
    contract = _token(chain, payment.contract)
    if payment.memo is not None:
        raise ValueError("memo: only Tron's transactions have one")
    if payment.way in ("bridge", "stranded"):
        chain.bridge(to, units, contract, succeeds=payment.way == "bridge")
        return None
    order = order_of(payment.way, contract, to, units)
    if payment.sender is None:
        return chain.send(order, payment.payer)
    if payment.payer is not None:
        raise ValueError("either a payer pays, or a sender")
    sender = parse(payment.sender)
    if contract is not None and units > (held := chain.state[holding(contract, sender)]):
        raise ValueError(f"{payment.sender} holds {held} of the token")
    return chain.spend(order, sender)


def hold(chain: EvmChain, order: Hold) -> None:
    """Let an address hold so much; raises ValueError as `pay` does."""
    address, units, token = parse(order.address), int(order.units), _token(chain, order.contract)
    if units > MAX_UNITS:
        raise ValueError("more units than 2**256 - 1")
    chain.set(coin(address) if token is None else holding(token, address), units)


def feed(chain: EvmChain, order: Feed) -> None:
    """Let a price feed say another price; a ValueError: there is none."""
    address = parse(order.address)
    if chain.flavour.contracts.get(address) is not FEED:
        raise ValueError(f"no price feed at {order.address} on this chain")
    at = chain.head.timestamp if order.updated_at is None else order.updated_at
    chain.set(price(address), int(order.price))
    chain.set(updated(address), at)


def _token(chain: EvmChain, contract: str | None) -> Address | None:
    token = None if contract is None else parse(contract)
    if token is not None and token not in chain.flavour.contracts:
        raise ValueError(f"no token at {contract} on this chain")
    return token


def order_of(way: Way, contract: Address | None, to: Address, units: int) -> Order:
    """What somebody shall call, so that it is paid in that way; raises ValueError as `trick`."""
    known = _WAYS.get(way)
    return trick(way, contract, to, units) if known is None else known(contract, to, units)


def plain(contract: Address | None, to: Address, units: int) -> Order:
    """A payment of the native coin, where `contract` is None, or of a token."""
    if contract is None:
        return Order(to, units)
    if contract == COIN:
        return through_contract(to, units)
    return token_transfer(contract, to, units)


def internal(contract: Address | None, to: Address, units: int) -> Order:
    """The same, by a contract that somebody calls."""
    return batch([plain(contract, to, units)])


def failed(contract: Address | None, to: Address, units: int) -> Order:
    """The same, in a transaction that fails."""
    order = plain(contract, to, units)
    return Order(order.to, order.value, order.data, refused=True)


def reverted(contract: Address | None, to: Address, units: int) -> Order:
    """The same, in an inner call that fails while its transaction succeeds.

    A token that is sent the coin refuses the whole call: it cannot keep what it is sent.
    """
    if contract is None:
        return batch([trapped(to, units)])
    order = token_transfer(contract, to, units)
    return batch([Order(order.to, 1, order.data)])


def fake(contract: Address | None, to: Address, units: int) -> Order:
    """A payment of a worthless token that calls itself like a true one."""
    return token_transfer(FAKE_TOKEN, to, units)


def collectible(contract: Address | None, to: Address, units: int) -> Order:
    """A transfer of the collectible number `units`."""
    return token_transfer(COLLECTIBLE, to, units)


_WAYS: dict[Way, Callable[[Address | None, Address, int], Order]] = {
    "plain": plain,
    "internal": internal,
    "failed": failed,
    "reverted": reverted,
    "fake": fake,
    "nft": collectible,
}
