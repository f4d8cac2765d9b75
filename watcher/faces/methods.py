"""Methods as the faces spell them. Testnets are called as their mainnets."""

from __future__ import annotations

from watcher.domain.money import Asset, Method, Network
from watcher.policy import Policy

MAINNETS = {"sepolia": "ethereum", "amoy": "polygon", "nile": "tron", "shasta": "tron"}


def network_of(method: str) -> str:
    """The network that a method is on, as a mainnet."""
    name = method.partition(":")[0]
    return MAINNETS.get(name, name)


def symbol_of(method: str) -> str:
    """The coin's symbol, in upper case."""
    return method.partition(":")[2].upper()


def is_native(policy: Policy, method: str) -> bool:
    """Whether it is the network's own coin."""
    asset = policy.asset(Method(method))
    return asset is not None and asset.contract is None


def native_of(policy: Policy, method: str) -> Asset | None:
    """The own coin of the network that a method is on; None where that is not configured."""
    network = policy.networks.get(Network(method.partition(":")[0]))
    return network.spec.assets[0] if network else None


def chain_id_of(policy: Policy, method: str) -> int | None:
    """The network's chain id; None where it has no such thing, or is not configured."""
    network = policy.networks.get(Network(method.partition(":")[0]))
    return network.chain_id if network and network.spec.family == "evm" else None
