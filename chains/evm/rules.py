"""How reading an EVM network differs from reading Ethereum."""

from __future__ import annotations

from dataclasses import dataclass

from watcher.domain.money import Address

SYSTEM_ADDRESS = Address("0xfffffffffffffffffffffffffffffffffffffffe")
"""Logs the native coin's own moves once EIP-7708 is active: never a token."""


@dataclass(frozen=True, slots=True)
class EvmRules:
    """What a network module tells the client; the defaults are Ethereum's."""

    native_log: Address | None = None
    """In whose name the chain logs every move of its coin; None: it does not, values count."""
    logs_moves: bool = False
    """Whether its Amsterdam blocks log every move of the coin (EIP-7708): `blocks.by_moves`."""
    state_sync: bool = False
    """Its bridge pays by a last transaction of type 0x7f, formerly by a made-up one: `bridge`."""


ETHEREUM_RULES = EvmRules(logs_moves=True)
