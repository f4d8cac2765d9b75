"""Deposits: transfers to us, and what the chain says of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction
from typing import Literal

from watcher.domain.blocks import Block, BlockRef, Hash
from watcher.domain.ids import derived_id
from watcher.domain.money import Address, Method, Network, Price

Depth = int | Literal["finalized"]
"""How deep a block must be: this many confirmations, or the network's own finality."""


def deepest(depths: Iterable[Depth]) -> Depth:
    """The strictest; "finalized" is stricter than any number, since what is final stays."""
    return max(depths, key=lambda depth: (1, 0) if depth == "finalized" else (0, depth))


class DepositStatus(StrEnum):
    """What the chain says: seen, deep enough and corroborated, or in no block of ours."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    ORPHANED = "orphaned"


@dataclass(frozen=True, slots=True)
class Deposit:
    """A transfer to an address of ours. Identity: network, block hash, transaction, position."""

    id: str
    merchant_id: str
    invoice_id: str
    network: Network
    method: Method
    block_number: int
    block_hash: Hash
    block_time: int
    tx_hash: Hash | None
    position: str
    sender: Address | None
    address: Address
    units: int
    required: Depth
    below_minimum: bool
    """Smaller than the asset's minimum when it was found: recorded, not counted."""
    detected_at: int
    status: DepositStatus = DepositStatus.PENDING
    corroborated: bool = False
    """Enough endpoints gave its block's hash again when it was deep enough."""
    confirmed_at: int | None = None
    reverted: bool = False
    """Once confirmed, then orphaned; stays, also should its block come back."""
    accepted: Fraction | None = None
    """The part of the price that it counts for by decision; None: nobody decided."""
    accepted_by_hand: bool = False


@dataclass(frozen=True, slots=True)
class Watched:
    """To whom an address belongs."""

    merchant_id: str
    invoice_id: str
    required: Depth | None
    """The invoice's own rule on the network at hand; None where nothing was quoted there."""


@dataclass(frozen=True, slots=True)
class Tier:
    """What is asked of an invoice with a higher price."""

    above: Price
    confirmations: Depth


@dataclass(frozen=True, slots=True)
class DepositRules:
    """One network's rules for what it finds."""

    confirmations: Depth
    minimum: Mapping[Method, int] = field(default_factory=dict)
    """Units below which a deposit is recorded but does not count."""
    tiers: Sequence[Tier] = ()

    @property
    def strictest(self) -> Depth:
        """For money on a network that was not quoted: no price was compared with its tiers."""
        return deepest([self.confirmations, *(tier.confirmations for tier in self.tiers)])


def find_deposits(
    network: Network,
    block: Block,
    watched: Mapping[Address, Watched],
    rules: DepositRules,
    now: int,
) -> list[Deposit]:
    """The deposits in `block`, in its order: every transfer to a watched address, each once."""
    ref = block.ref
    return [
        Deposit(
            id=derived_id(
                "dep", ref.timestamp, network, ref.hash, move.tx_hash or "", move.position
            ),
            merchant_id=owner.merchant_id,
            invoice_id=owner.invoice_id,
            network=network,
            method=move.method,
            block_number=ref.number,
            block_hash=ref.hash,
            block_time=ref.timestamp,
            tx_hash=move.tx_hash,
            position=move.position,
            sender=move.sender,
            address=move.to,
            units=move.units,
            required=rules.strictest if owner.required is None else owner.required,
            below_minimum=move.units < rules.minimum.get(move.method, 0),
            detected_at=now,
        )
        for move in block.transfers
        if (owner := watched.get(move.to)) is not None
    ]


def confirmations(deposit: Deposit, tip: BlockRef) -> int:
    """1 in the newest block; 0 for a deposit in no block of ours."""
    if deposit.status is DepositStatus.ORPHANED:
        return 0
    return max(0, tip.number - deposit.block_number + 1)


def is_deep(deposit: Deposit, tip: BlockRef, finality: int | None) -> bool:
    """Whether the chain alone would confirm it. `finality`: the newest final block, if known."""
    if deposit.status is DepositStatus.ORPHANED:
        return False
    if deposit.required == "finalized":
        return finality is not None and deposit.block_number <= finality
    return confirmations(deposit, tip) >= deposit.required


def restate(
    deposits: Iterable[Deposit], tip: BlockRef, finality: int | None, now: int
) -> list[Deposit]:
    """The same deposits in the same order, confirmed where depth and corroboration allow.

    What was confirmed stays so while its block stays: a shallower tip takes nothing back.
    """
    return [
        replace(deposit, status=DepositStatus.CONFIRMED, confirmed_at=now)
        if deposit.status is DepositStatus.PENDING
        and deposit.corroborated
        and is_deep(deposit, tip, finality)
        else deposit
        for deposit in deposits
    ]


def orphan(deposits: Sequence[Deposit]) -> list[Deposit]:
    """The same deposits after their block left our chain."""
    return [
        replace(
            deposit,
            status=DepositStatus.ORPHANED,
            corroborated=False,
            confirmed_at=None,
            reverted=deposit.reverted or deposit.status is DepositStatus.CONFIRMED,
        )
        for deposit in deposits
    ]


def revive(lost: Deposit, found: Deposit, now: int) -> Deposit:
    """An orphaned deposit whose very block is in our chain again, as it is read there now.

    What was decided about it holds for the same money only, and where nothing was decided of
    `found` itself, as of what takes the place of a deposit made of a balance.
    """
    if is_same(lost, found) and not found.accepted_by_hand:
        return replace(lost, status=DepositStatus.PENDING, detected_at=now)
    return replace(found, detected_at=now, reverted=lost.reverted)


def is_same(one: Deposit, other: Deposit) -> bool:
    """Whether two that stand at the same place are the same money, as far as that is ever known.

    Where no hash commits to a transfer, an endpoint may tell another amount or payee at its place.
    """
    return (one.method, one.address, one.units) == (other.method, other.address, other.units)


def gives_way(stored: Deposit, found: Deposit) -> bool:
    """Whether enough endpoints that tell of `found` take `stored` back, which nobody repeated."""
    return is_rumour(stored) and not is_same(stored, found)


def is_rumour(deposit: Deposit) -> bool:
    """Whether nobody but who was asked for its block is known to tell of it."""
    return deposit.status is DepositStatus.PENDING and not deposit.corroborated
