"""Payments, and what only looks like one, as transactions of a Tron chain."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from chains.sandbox.control import Hold, Pay, Way
from chains.sandbox.evm import contracts
from chains.sandbox.evm.orders import Order as Call
from chains.sandbox.evm.tricks import trick
from chains.sandbox.state import coin, holding
from chains.sandbox.tron.accounts import inner
from chains.sandbox.tron.chain import TronChain
from chains.sandbox.tron.orders import Order
from watcher.domain.money import Address


def pay(chain: TronChain, payment: Pay) -> str:
    """Order a payment, of a TRC-10 token where `contract` is its id; the transaction's id.

    Raises:
        ValueError: not an address, no such token here, or nothing that a node would take.
    """
    to, units, contract = inner(payment.to), int(payment.units), payment.contract
    token = _token(chain, contract)
    if contract is not None and contract.isdigit():
        if payment.way != "plain":
            raise ValueError(f"a TRC-10 token moves plainly only, not {payment.way}")
        return _send(chain, Order(to, units, coin=contract), payment)
    known = _WAYS.get(payment.way)
    if known is not None:
        order = known(token, to, units)
    else:
        order = called(trick(payment.way, token, to, units))
    if token is not None and payment.sender is not None:
        held = chain.state[holding(token, inner(payment.sender))]
        if units > held:
            raise ValueError(f"{payment.sender} holds {held} of the token")
    return _send(chain, order, payment)


def _send(chain: TronChain, order: Order, payment: Pay) -> str:
    order = replace(order, memo=(payment.memo or "").encode())
    if payment.sender is None:
        return chain.send(order, payment.payer)
    if payment.payer is not None:
        raise ValueError("either a payer pays, or a sender")
    return chain.spend(order, inner(payment.sender))


def hold(chain: TronChain, order: Hold) -> None:
    """Let an address hold so much; raises ValueError as `pay` does."""
    address, token = inner(order.address), _token(chain, order.contract)
    chain.set(coin(address) if token is None else holding(token, address), int(order.units))


def _token(chain: TronChain, contract: str | None) -> Address | None:
    """A token by what the chain has it under inside: its contract, or its number."""
    if contract is None:
        return None
    if contract.isdigit():
        if contract not in chain.flavour.coins:
            raise ValueError(f"no TRC-10 token {contract} on this chain")
        return Address(contract)
    token = inner(contract)
    if token not in chain.flavour.contracts:
        raise ValueError(f"no token at {contract} on this chain")
    return token


def plain(contract: Address | None, to: Address, units: int) -> Order:
    """A payment of TRX, where `contract` is None, or of a TRC-20 token."""
    return Order(to, units) if contract is None else called(_paid(contract, to, units))


def internal(contract: Address | None, to: Address, units: int) -> Order:
    """The same, by a contract that somebody calls."""
    return batch([_paid(contract, to, units)])


def failed(contract: Address | None, to: Address, units: int) -> Order:
    """The same, in a transaction that fails; of TRX it must be a call: others never fail."""
    order = internal(None, to, units) if contract is None else plain(contract, to, units)
    return replace(order, ending="REVERT")


def starved(contract: Address | None, to: Address, units: int) -> Order:
    """The same, in a transaction whose code runs out of energy."""
    return replace(failed(contract, to, units), ending="OUT_OF_ENERGY")


def overtime(contract: Address | None, to: Address, units: int) -> Order:
    """The same, in a transaction whose code runs out of time, and that keeps its logs."""
    return replace(failed(contract, to, units), ending="OUT_OF_TIME")


def reverted(contract: Address | None, to: Address, units: int) -> Order:
    """The same, in an inner call that is rejected while its transaction succeeds.

    A token that is sent TRX refuses the whole call: it cannot keep what it is sent.
    """
    if contract is None:
        return batch([contracts.trapped(to, units)])
    return batch([replace(_paid(contract, to, units), value=1)])


def fake(contract: Address | None, to: Address, units: int) -> Order:
    """A payment of a worthless token that calls itself like a true one."""
    return plain(contracts.FAKE_TOKEN, to, units)


def collectible(contract: Address | None, to: Address, units: int) -> Order:
    """A transfer of the collectible number `units`."""
    return plain(contracts.COLLECTIBLE, to, units)


def batch(calls: Iterable[Call]) -> Order:
    """One transaction in which a contract makes all calls, one by one."""
    return called(contracts.batch(calls))


def called(call: Call) -> Order:
    """A call of a contract: those that EVM nodes have stand here, too."""
    return Order(call.to, call.value, data=call.data)


def _paid(contract: Address | None, to: Address, units: int) -> Call:
    return Call(to, units) if contract is None else contracts.token_transfer(contract, to, units)


_WAYS: dict[Way, Callable[[Address | None, Address, int], Order]] = {
    "plain": plain,
    "internal": internal,
    "failed": failed,
    "starved": starved,
    "overtime": overtime,
    "reverted": reverted,
    "fake": fake,
    "nft": collectible,
}
