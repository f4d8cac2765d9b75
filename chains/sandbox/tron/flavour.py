"""What stands on a Tron chain: its tokens, by contract or by number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from chains.sandbox.evm.contracts import PAY, toy_contracts
from chains.sandbox.evm.machine import Contract, Frame, Machine
from chains.sandbox.tron.accounts import inner
from watcher.domain.money import Address, Asset

FAKE_COIN = "1000001"
"""A TRC-10 token that its issuer has named USDT; it is worth nothing."""


@dataclass(frozen=True, slots=True)
class Flavour:
    """One network's facts."""

    name: str
    contracts: Mapping[Address, Contract]
    """By `0x…`. The code is that of the EVM nodes: Tron's virtual machine is one, too."""
    coins: Mapping[str, int]
    """TRC-10 tokens: number -> decimals."""

    @property
    def chain(self) -> str:
        return self.name


def tron(assets: Sequence[Asset], name: str = "tron") -> Flavour:
    """A network of Tron's kind with these tokens, and with what only looks like one of them."""
    coins = {str(a.contract): a.decimals for a in assets if a.contract and a.contract.isdigit()}
    known = [
        asset if asset.contract is None else replace(asset, contract=inner(asset.contract))
        for asset in assets
        if asset.contract not in coins
    ]
    contracts = toy_contracts(known)
    for asset in known:
        if asset.contract is not None and asset.symbol == "USDT":
            contracts[asset.contract] = _silent(contracts[asset.contract])
    return Flavour(name, contracts, {**coins, FAKE_COIN: 0})


def _silent(token: Contract) -> Contract:
    """The same, but a payment returns false though it is made: so does Tron's USDT."""

    def run(machine: Machine, frame: Frame) -> bytes:
        output = token.run(machine, frame)
        return bytes(32) if frame.data[:4] == PAY else output

    return Contract(token.code, run)
