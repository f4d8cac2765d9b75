"""What tells one EVM network from another, and Ethereum's share of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from chains.evm.trie import EMPTY_ROOT
from chains.sandbox.chain import Json
from chains.sandbox.evm.contracts import toy_contracts
from chains.sandbox.evm.feeds import FEED
from chains.sandbox.evm.machine import Contract, Log, LogMove, Move
from chains.sandbox.evm.multicall import MULTICALL, MULTICALL3
from chains.sandbox.evm.orders import Fees
from watcher.domain.money import Address, Asset

GWEI = 10**9
ZERO_HASH = "0x" + 64 * "0"


@dataclass(frozen=True, slots=True)
class Flavour:
    """One network's rules."""

    name: str
    chain_id: int
    contracts: Mapping[Address, Contract]
    fees: Fees
    producer: Address
    """Who gets the tips."""
    log_move: LogMove
    log_fee: LogMove
    finish_header: Callable[[Json], Json]
    """A header that has all but what only this network puts into it -> with that.

    `extraData` comes as the sandbox's own words, 32 bytes at most.
    """
    bridged: bool = False
    """Money may come from another network."""

    @property
    def chain(self) -> str:
        return f"{self.name} {self.chain_id}"


def silent(move: Move) -> Log | None:
    """The chain itself logs no moves of its coin."""
    return None


def ethereum(chain_id: int, assets: Sequence[Asset], feeds: Sequence[Address] = ()) -> Flavour:
    """Ethereum as of Prague, with price feeds at those addresses."""
    return Flavour(
        name="ethereum",
        chain_id=chain_id,
        contracts={
            **toy_contracts(assets),
            MULTICALL: MULTICALL3,
            **dict.fromkeys(feeds, FEED),
        },
        fees=Fees(base=GWEI, tip=GWEI, most=50 * GWEI),
        producer=Address("0x" + "fee5" * 10),
        log_move=silent,
        log_fee=silent,
        finish_header=_finish_header,
    )


def _finish_header(header: Json) -> Json:
    return {
        **header,
        "withdrawalsRoot": f"0x{EMPTY_ROOT}",
        "withdrawals": [],
        "blobGasUsed": "0x0",
        "excessBlobGas": "0x0",
        "parentBeaconBlockRoot": ZERO_HASH,
        "requestsHash": f"0x{sha256().hexdigest()}",  # of no requests (EIP-7685)
    }
